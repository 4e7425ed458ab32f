"""Routes of api_keys."""

from fastapi import APIRouter

router = APIRouter()
