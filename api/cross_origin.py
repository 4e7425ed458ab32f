"""Which pages of other origins may call: none, unless the settings name them."""

from typing import Any

_READABLE = (
    "Location", "Retry-After", "X-Request-ID", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy", "ETag",
    "Inference-Header-Content-Length",
)  # fmt: skip


def cors_options(origins: list[str]) -> dict[str, Any]:
    """Options of Starlette's middleware. Keys travel in a header that a page sets itself: no cookies are allowed."""
    return {
        "allow_origins": origins,
        "allow_methods": ["GET", "POST", "PUT", "DELETE"],
        "allow_headers": ["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Request-ID"],
        "expose_headers": list(_READABLE),
        "allow_credentials": False,
        "max_age": 600,
    }
