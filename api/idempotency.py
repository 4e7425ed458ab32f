"""Creating requests that may be sent twice: the first answer is kept with what it created, and given again."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Header
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from api.dependencies import Services
from api.errors import Conflict, Unprocessable
from db.repositories.idempotency_keys import IdempotencyKeys, forget_old_keys

REPLAYED = "Idempotency-Replayed"

IdempotencyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="The same key with the same request gives the first answer again, and creates nothing.",
    ),
]


@dataclass(frozen=True)
class Reply:
    """An answer that can be kept: JSON all through. `once`: members to show now and never to keep."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    once: dict[str, Any] = field(default_factory=dict)
    replayed: bool = False

    def response(self) -> JSONResponse:
        """The HTTP answer."""
        headers = self.headers | ({REPLAYED: "true"} if self.replayed else {})
        return JSONResponse(self.body | self.once, status_code=self.status, headers=headers)


def fingerprint(method: str, path: str, content: bytes) -> str:
    """What makes two requests the same."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), content))).hexdigest()


def reply_once(
    services: Services, owner: str, key: str | None, request_sha256: str, create: Callable[[Session], Reply]
) -> Reply:
    """Run `create` in a transaction that also keeps its answer under the key; or give the answer that is kept.

    Of two twins at once the slower meets the primary key, rolls back and reads the faster one's answer.

    Raises:
        Unprocessable: the key was used for another request.
        Conflict: a twin is still in flight.
    """
    if key is None:
        with services.database.unit_of_work() as session:
            return create(session)
    try:
        with services.database.unit_of_work() as session:
            forget_old_keys(session, services.settings.idempotency_seconds)
            kept = _kept(session, owner, key, request_sha256)
            if kept is not None:
                return kept
            reply = create(session)
            IdempotencyKeys(session, owner).keep(
                key, request_sha256, status=reply.status, headers=reply.headers, body=reply.body
            )
            return reply
    except IntegrityError as error:
        with services.database.reading() as session:
            kept = _kept(session, owner, key, request_sha256)
        if kept is None:
            raise Conflict("A request with this Idempotency-Key is in flight; send it again.") from error
        return kept


def _kept(session: Session, owner: str, key: str, request_sha256: str) -> Reply | None:
    kept = IdempotencyKeys(session, owner).get(key)
    if kept is None:
        return None
    if kept.request_sha256 != request_sha256:
        raise Unprocessable("This Idempotency-Key was used for another request.")
    return Reply(kept.response_status, kept.response_body, kept.response_headers, replayed=True)
