"""Routes of datasets."""

from fastapi import APIRouter

router = APIRouter()
