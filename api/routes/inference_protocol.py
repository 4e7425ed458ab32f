"""Routes of inference_protocol."""

from fastapi import APIRouter

router = APIRouter()
