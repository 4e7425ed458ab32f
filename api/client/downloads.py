"""Files from the service, whole or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, Union

import httpx

from api.client.connection import Connection
from api.client.errors import DamagedFile, ServiceUnreachable

Destination: TypeAlias = Union["os.PathLike[str]", BinaryIO]
"""A path, which is written when everything is there; or an open binary file."""


def download(
    connection: Connection,
    path: str,
    to: Destination,
    params: Mapping[str, Any] | None = None,
    sha256: str | None = None,
) -> None:
    """Write an answer's body. A connection that is lost on the way begins again.

    Raises:
        DamagedFile: the bytes are not those of `sha256`, or of the answer's ETag where that is a digest.
        ServiceUnreachable: the connection was lost too often.
    """
    if not isinstance(to, os.PathLike):
        _written(connection, path, to, params, sha256)
        return
    target = Path(to)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        try:
            _written(connection, path, file, params, sha256)
            file.close()
            Path(file.name).replace(target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _written(
    connection: Connection, path: str, file: Any, params: Mapping[str, Any] | None, sha256: str | None
) -> None:
    start, tries = file.tell(), 0
    while True:
        try:
            with connection.streamed(path, params=params) as response:
                digest = hashlib.sha256()
                for chunk in response.iter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
                wanted = sha256 or _digest(response)
            break
        except httpx.TransportError as error:
            tries += 1
            delay = connection.policy.delay_seconds(tries)
            if delay is None:
                raise ServiceUnreachable(f"{connection.base_url} does not send the whole of {path}: {error}") from error
            connection.sleep(delay)
            file.seek(start)
            file.truncate()
    if wanted is not None and digest.hexdigest() != wanted:
        raise DamagedFile(f"{path} has the sha256 {digest.hexdigest()}, not {wanted}.")


def _digest(response: httpx.Response) -> str | None:
    """The service's strong ETags are digests."""
    tag = response.headers.get("ETag", "").strip('"')
    return tag if len(tag) == hashlib.sha256().digest_size * 2 and not set(tag) - set("0123456789abcdef") else None
