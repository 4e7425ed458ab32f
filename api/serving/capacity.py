"""Room for predictions: so many run, so many wait, one more is refused; nothing is computed for nobody."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from api.errors import TooManyRequests, Unavailable

T = TypeVar("T")

RETRY_AFTER_SECONDS = 1


class Abandoned(Exception):
    """Nobody waits for the rest of this prediction."""


class Permit:
    """What a running prediction looks at between its slices."""

    def __init__(self, seconds: float) -> None:
        self._began_at = time.monotonic()
        self.ends_at = self._began_at + seconds
        # A plain word: threads see it soon enough, and an Event would be made for every request.
        self._withdrawn = False

    @property
    def seconds_left(self) -> float:
        """Until its time is over."""
        return self.ends_at - time.monotonic()

    def limit(self, seconds: float) -> None:
        """The client itself does not wait longer than this, from when the request came in."""
        self.ends_at = min(self.ends_at, self._began_at + seconds)

    def withdraw(self) -> None:
        """Nobody waits any more."""
        self._withdrawn = True

    def check(self) -> None:
        """Go on? Raises Abandoned where nobody waits or the time is over."""
        if self._withdrawn or self.seconds_left <= 0:
            raise Abandoned


class PredictionCapacity:
    """Runs predictions in threads of its own, `threads` at a time, while at most `max_waiting` wait for one.

    A slot is free again when the computation has really ended, not when its client was answered.
    """

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._threads = threads
        self._max_waiting = max_waiting
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="prediction")
        self._slots = asyncio.Semaphore(threads)
        self._waiting = 0

    async def run(self, work: Callable[[Permit], T], request: Request, seconds: float) -> T:
        """The result of `work`, which calls `check` of its permit between the slices of its computation.

        Raises:
            TooManyRequests: as many wait as may.
            Unavailable: there was no result within `seconds`.
            ClientDisconnect: the client is gone; a `work` that had not begun never will.
        """
        permit = Permit(seconds)
        await self._slot(permit)
        try:
            if await request.is_disconnected():
                raise ClientDisconnect
            future = asyncio.get_running_loop().run_in_executor(self._executor, work, permit)
        except BaseException:
            self._slots.release()
            raise
        future.add_done_callback(self._over)
        return await self._outcome(future, permit, request)

    def close(self) -> None:
        """Begin nothing new."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _slot(self, permit: Permit) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        if self._waiting >= self._max_waiting:
            raise TooManyRequests(f"{self._waiting} predictions wait already; try again.", RETRY_AFTER_SECONDS)
        self._waiting += 1
        try:
            async with asyncio.timeout(max(0.0, permit.seconds_left)):
                await self._slots.acquire()
        except TimeoutError as error:
            raise late() from error
        finally:
            self._waiting -= 1

    async def _outcome(self, future: "asyncio.Future[T]", permit: Permit, request: Request) -> T:
        gone = asyncio.create_task(_disconnected(request))
        try:
            wait_for: set[asyncio.Future[T] | asyncio.Task[None]] = {future, gone}
            await asyncio.wait(wait_for, timeout=permit.seconds_left, return_when=asyncio.FIRST_COMPLETED)
            if future.done():
                return future.result()
            raise ClientDisconnect if gone.done() else late()
        except Abandoned as error:
            raise late() from error
        finally:
            permit.withdraw()
            gone.cancel()

    def _over(self, future: "asyncio.Future[T]") -> None:
        self._slots.release()
        if not future.cancelled():
            # The client may have left before: then nobody else asks for the exception.
            future.exception()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def late() -> Unavailable:
    """The time of a prediction is over."""
    return Unavailable("The prediction took longer than it may; send fewer rows or try again.", RETRY_AFTER_SECONDS)
