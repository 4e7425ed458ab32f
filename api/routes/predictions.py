"""Routes of predictions."""

from fastapi import APIRouter

router = APIRouter()
