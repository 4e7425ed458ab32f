"""Ids: a prefix that names the table, then the time and randomness in base 32, so that ids sort by creation."""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def _base32(number: int, digits: int) -> str:
    characters = []
    for _ in range(digits):
        number, remainder = divmod(number, 32)
        characters.append(_ALPHABET[remainder])
    return "".join(reversed(characters))


def new_id(prefix: str) -> str:
    """`prefix_` + 11 characters of microseconds + 12 random ones (60 bits); lists page by comparing ids."""
    return f"{prefix}_{_base32(time.time_ns() // 1000, 11)}{_base32(secrets.randbits(60), 12)}"
