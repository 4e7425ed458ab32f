"""The server's own secret, under which API keys are hashed: who reads the database alone cannot test a key."""

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from db.settings import ServiceSettings

FILE = "key_secret"


def key_secret(settings: ServiceSettings) -> bytes:
    """RISKSCOPE_KEY_SECRET, else the file of the data directory, made where it is not there yet.

    Processes that share neither do not know each other's keys.

    Raises:
        OSError: the file can be neither read nor made.
    """
    if settings.key_secret is not None:
        return settings.key_secret.get_secret_value().encode()
    path = settings.data_directory.resolve() / FILE
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    _make(path)
    return path.read_bytes()


def _make(path: Path) -> None:
    """Whole or not at all, and by one of several processes at once."""
    draft = path.with_name(f".{FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def key_digest(secret: str, under: bytes) -> str:
    """HMAC-SHA-256 of an API key's secret, in hexadecimal.

    The secret has 256 random bits: there is nothing to guess that a slow hash would have to slow down.
    """
    return hmac.digest(under, secret.encode("utf-8", "surrogateescape"), hashlib.sha256).hex()
