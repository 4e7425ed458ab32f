import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import ClientDisconnect, Request

from api.errors import TooManyRequests, Unavailable
from api.serving.capacity import Abandoned, Permit, PredictionCapacity


class Client:
    """The receiving end of a request whose body has been read; `leave` hangs up."""

    def __init__(self) -> None:
        self._left = asyncio.Event()
        self.request = Request({"type": "http", "headers": []}, self._receive)

    async def _receive(self) -> dict[str, str]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        self._left.set()


class Work:
    """Computes until it is told to end or nobody waits; says what became of it."""

    def __init__(self) -> None:
        self.began, self.end, self.over = threading.Event(), threading.Event(), threading.Event()
        self.abandoned = False

    def __call__(self, permit: Permit) -> str:
        self.began.set()
        try:
            while not self.end.wait(0.01):
                permit.check()
        except Abandoned:
            self.abandoned = True
            raise
        finally:
            self.over.set()
        return "done"


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not fact():
            await asyncio.sleep(0.005)


def in_a_loop(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(bounded())


def test_one_more_than_may_wait_is_refused_at_once():
    async def scenario() -> None:
        capacity = PredictionCapacity(threads=1, max_waiting=1)
        works = [Work(), Work(), Work()]
        first = asyncio.create_task(capacity.run(works[0], Client().request, 20))
        await until(works[0].began.is_set)
        second = asyncio.create_task(capacity.run(works[1], Client().request, 20))
        await asyncio.sleep(0.05)
        with pytest.raises(TooManyRequests) as refusal:
            await capacity.run(works[2], Client().request, 20)
        assert refusal.value.headers["Retry-After"] == "1"
        assert not works[1].began.is_set()
        for work in works:
            work.end.set()
        assert await first == await second == "done"
        assert not works[2].began.is_set()

    in_a_loop(scenario)


def test_who_left_while_waiting_is_not_computed():
    async def scenario() -> None:
        capacity = PredictionCapacity(threads=1, max_waiting=5)
        running, waiting, after = Work(), Work(), Work()
        first = asyncio.create_task(capacity.run(running, Client().request, 20))
        await until(running.began.is_set)
        client = Client()
        second = asyncio.create_task(capacity.run(waiting, client.request, 20))
        third = asyncio.create_task(capacity.run(after, Client().request, 20))
        client.leave()
        after.end.set()
        running.end.set()
        with pytest.raises(ClientDisconnect):
            await second
        assert await first == await third == "done"
        assert not waiting.began.is_set()

    in_a_loop(scenario)


def test_who_leaves_while_it_runs_ends_the_run():
    async def scenario() -> None:
        capacity = PredictionCapacity(threads=1, max_waiting=5)
        work, client = Work(), Client()
        task = asyncio.create_task(capacity.run(work, client.request, 20))
        await until(work.began.is_set)
        client.leave()
        with pytest.raises(ClientDisconnect):
            await task
        await until(work.over.is_set)
        assert work.abandoned

    in_a_loop(scenario)


def test_time_that_is_over_while_waiting_is_503():
    async def scenario() -> None:
        capacity = PredictionCapacity(threads=1, max_waiting=5)
        running, waiting = Work(), Work()
        first = asyncio.create_task(capacity.run(running, Client().request, 20))
        await until(running.began.is_set)
        with pytest.raises(Unavailable) as refusal:
            await capacity.run(waiting, Client().request, 0.05)
        assert refusal.value.headers["Retry-After"] == "1"
        running.end.set()
        assert await first == "done"
        assert not waiting.began.is_set()

    in_a_loop(scenario)


def test_time_that_is_over_while_running_is_503_and_the_run_ends():
    async def scenario() -> None:
        capacity = PredictionCapacity(threads=1, max_waiting=5)
        work = Work()
        with pytest.raises(Unavailable):
            await capacity.run(work, Client().request, 0.05)
        await until(work.over.is_set)
        assert work.abandoned

    in_a_loop(scenario)


def test_slot_is_free_only_when_the_computation_has_ended():
    async def scenario() -> None:
        capacity = PredictionCapacity(threads=1, max_waiting=5)
        gate, began = threading.Event(), threading.Event()

        def deaf(permit: Permit) -> None:
            began.set()
            gate.wait(10)

        with pytest.raises(Unavailable):
            await capacity.run(deaf, Client().request, 0.05)
        next_one = Work()
        next_one.end.set()
        waiting = asyncio.create_task(capacity.run(next_one, Client().request, 20))
        await asyncio.sleep(0.1)
        assert not next_one.began.is_set()
        gate.set()
        assert await waiting == "done"

    in_a_loop(scenario)


def test_client_may_ask_for_less_time_than_the_server_gives():
    permit = Permit(60)
    permit.check()
    permit.limit(0)
    with pytest.raises(Abandoned):
        permit.check()


def test_failure_of_the_work_is_the_callers():
    async def scenario() -> None:
        capacity = PredictionCapacity(threads=1, max_waiting=0)

        def failing(permit: Permit) -> None:
            raise ValueError("bad")

        with pytest.raises(ValueError, match="bad"):
            await capacity.run(failing, Client().request, 20)
        work = Work()
        work.end.set()
        assert await capacity.run(work, Client().request, 20) == "done"

    in_a_loop(scenario)
