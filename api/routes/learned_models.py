"""Routes of learned_models."""

from fastapi import APIRouter

router = APIRouter()
