"""From the words of a path to an open model, remembered for half a second so that a prediction costs no query."""

import asyncio
import threading
import time
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from api.resolution import learned_model
from api.serving.sessions import ModelSessions, ServedModel
from db.engine import Database

TRUST_SECONDS = 0.5
"""How long another process may still answer by what an alias pointed at before; with the look-up, under a second."""

Key = tuple[str, str, str | None]


@dataclass(frozen=True)
class _Known:
    model: ServedModel
    until: float


class ModelDirectory:
    """Owner, name and version (a number, an alias, None for the newest) to the open session.

    What this process changes is forgotten at once: a look-up that began before `forget` neither stays nor is joined.
    """

    def __init__(self, database: Database, sessions: ModelSessions) -> None:
        self._database = database
        self._sessions = sessions
        self._known: dict[Key, _Known] = {}
        self._looking: dict[Key, asyncio.Task[ServedModel]] = {}
        self._generation = 0
        self._lock = threading.Lock()

    def remembered(self, owner: str, name: str, version: str | None) -> ServedModel | None:
        """The model where it was looked up just now; None: ask `find`."""
        known = self._known.get((owner, name, version))
        return known.model if known is not None and known.until > time.monotonic() else None

    async def find(self, owner: str, name: str, version: str | None) -> ServedModel:
        """The model, looked up and opened in a worker thread; requests that meet share one look-up.

        Raises:
            NotFound: there is none of this owner.
            ServingFailure: its file is damaged.
        """
        key = (owner, name, version)
        task = self._looking.get(key)
        if task is None:
            task = self._looking[key] = asyncio.create_task(run_in_threadpool(self.look, *key))
            task.add_done_callback(lambda done: self._looked(key, done))
        # One client that leaves must not end the look-up of the others.
        return await asyncio.shield(task)

    def look(self, owner: str, name: str, version: str | None = None) -> ServedModel:
        """The model by what the database says now. Reads it and perhaps a file: for worker threads.

        Raises: as `find`.
        """
        generation, asked_at = self._generation, time.monotonic()
        with self._database.reading() as session:
            model = learned_model(session, owner, name, version)
        served = self._sessions.open(model)
        with self._lock:
            if generation == self._generation:
                now = time.monotonic()
                self._known = {key: known for key, known in self._known.items() if known.until > now}
                # Counted from before the query: an answer that was long in coming is old already.
                self._known[owner, name, version] = _Known(served, asked_at + TRUST_SECONDS)
        return served

    def forget(self, owner: str, name: str) -> None:
        """What the words of this model mean has changed."""
        with self._lock:
            self._generation += 1
            for key in [key for key in self._known if key[:2] == (owner, name)]:
                del self._known[key]
            for key in [key for key in self._looking if key[:2] == (owner, name)]:
                self._looking.pop(key, None)

    def _looked(self, key: Key, task: asyncio.Task[ServedModel]) -> None:
        if self._looking.get(key) is task:
            del self._looking[key]
        if not task.cancelled():
            # Everyone who waited may have left: then nobody else asks for the exception.
            task.exception()
