"""Routes of decompositions."""

from fastapi import APIRouter

router = APIRouter()
