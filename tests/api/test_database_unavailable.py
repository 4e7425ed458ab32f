"""However a database fails to answer, the client reads 503 and when to come back, and nothing of the reason."""

from typing import Any

import pytest
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from db.engine import Database

ERRORS = {
    "refused": OperationalError("SELECT secret", {}, Exception("connection refused")),
    "closed": InterfaceError("SELECT secret", {}, Exception("the connection is closed")),
    "no connection left": NoConnectionLeft("QueuePool limit of size 5 overflow 5 reached"),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_database_that_does_not_answer_is_503(client: Any, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def unreachable(database: Database) -> Any:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Database, "reading", unreachable)
        answer = client.get("/v1/jobs")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["detail"] == "The database does not answer; try again."
    assert client.get("/v1/jobs").status_code == 200
