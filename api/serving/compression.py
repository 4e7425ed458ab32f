"""gzip and deflate bodies of predictions: decompressed up to a cap, compressed where the client asks and it pays."""

import gzip
import zlib

from api.errors import Malformed, TooLarge, UnsupportedMediaType

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": zlib.MAX_WBITS}
"""zlib's names of the two containers; "deflate" is the zlib one, as RFC 9110 says."""

LEAST_BYTES = 1024
"""Shorter answers are sent as they are."""

_LEVEL = 1


def decompressed(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The body that was sent with this Content-Encoding.

    Raises:
        UnsupportedMediaType: another encoding than gzip, deflate and identity.
        TooLarge: more than `max_bytes` come out; no more than that is ever held.
        Malformed: the bytes are not of the encoding, are cut off, or others follow.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in _WINDOW_BITS:
        raise UnsupportedMediaType("Content-Encoding must be gzip, deflate or identity.")
    reader = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        content = reader.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise Malformed(f"The body is not {encoding}.") from error
    if len(content) > max_bytes:
        raise TooLarge(f"The decompressed body is larger than {max_bytes} bytes.")
    if not reader.eof or reader.unused_data:
        raise Malformed(f"The body is not one whole {encoding} stream.")
    return content


def accepted_encoding(accept_encoding: str) -> str | None:
    """gzip, else deflate, where an Accept-Encoding header takes it; None: send the bytes as they are."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, _, parameter = part.strip().partition(";")
        try:
            weights[name.strip()] = float(parameter.strip().removeprefix("q=") or 1.0)
        except ValueError:
            weights[name.strip()] = 0.0
    accepted = [name for name in ("gzip", "deflate") if weights.get(name, 0.0) > 0]
    return max(accepted, key=lambda name: weights[name]) if accepted else None


def compressed(body: bytes, encoding: str) -> bytes:
    """The body in this Content-Encoding."""
    return gzip.compress(body, _LEVEL, mtime=0) if encoding == "gzip" else zlib.compress(body, _LEVEL)
