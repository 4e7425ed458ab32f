"""What comes in during one turn of the event loop is one run, and each request gets its own rows."""

import asyncio

import numpy as np
import pytest

from api.serving.inputs import ModelRows
from api.serving.sessions import ServedModel
from api.serving.turns import SharedTurns


@pytest.fixture
def runs(monkeypatch):
    """The number of rows of each run of a graph."""
    seen, real = [], ServedModel.predict

    def noted(self, rows, check=None):
        seen.append(len(rows))
        return real(self, rows, check)

    monkeypatch.setattr(ServedModel, "predict", noted)
    return seen


def test_requests_of_one_turn_are_one_run(services, register, runs):
    served = services.sessions.open(register())
    other = services.sessions.open(register("other", shift=5.0))
    del runs[:]
    turns = SharedTurns()

    async def scenario():
        rows = [np.full((1 + number % 3, 2), float(number)) for number in range(10)]
        asked = [turns.predict(served, ModelRows(part)) for part in rows] + [turns.predict(other, ModelRows(rows[1]))]
        return rows, await asyncio.gather(*asked)

    rows, answers = asyncio.run(scenario())
    for part, answer in zip(rows, answers[:-1], strict=True):
        np.testing.assert_allclose(answer[:, 0], part @ [1.0, 10.0], rtol=1e-14)
    assert answers[-1].tolist() == [[16.0], [16.0]]
    assert sorted(runs) == [2, sum(len(part) for part in rows)]


def test_who_left_is_not_in_the_run(services, register, runs):
    served = services.sessions.open(register())
    del runs[:]
    turns = SharedTurns()

    async def scenario():
        tasks = [asyncio.create_task(turns.predict(served, ModelRows(np.ones((1, 2))))) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(scenario())
    assert isinstance(found[1], asyncio.CancelledError)
    assert [answer.tolist() for answer in (found[0], found[2])] == [[[11.0]], [[11.0]]]
    assert runs == [2]


def test_failure_of_the_run_reaches_everyone(services, register, monkeypatch):
    served = services.sessions.open(register())

    def failing(self, rows, check=None):
        raise ValueError("bad")

    monkeypatch.setattr(ServedModel, "predict", failing)
    turns = SharedTurns()

    async def scenario():
        asked = (turns.predict(served, ModelRows(np.ones((1, 2)))) for _ in range(2))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [type(found) for found in asyncio.run(scenario())] == [ValueError, ValueError]


def test_one_bad_row_spoils_only_its_own_request(client, register):
    register(matrix=((1e300,), (1.0,)))
    answers = [client.post("/v1/models/plane/predict", json={"rows": [row]}) for row in ([1, 1], [1e300, 1])]
    assert [answer.status_code for answer in answers] == [200, 422]
