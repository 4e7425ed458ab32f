"""Small predictions that come in during one turn of the event loop are one run of the graph."""

import asyncio

import numpy as np
from numpy.typing import NDArray

from api.serving.inputs import ModelRows
from api.serving.sessions import ServedModel

MOST_ROWS = 8
"""Of one request: more rows fill a run by themselves."""


class SharedTurns:
    """Nobody waits for company: what was read in this turn is computed at its end.

    One row of a wide model takes as long as its weights take to come from memory, and sixteen rows take hardly longer.
    """

    def __init__(self) -> None:
        self._pending: dict[str, list[tuple[ModelRows, asyncio.Future[NDArray[np.float64]]]]] = {}

    async def predict(self, model: ServedModel, rows: ModelRows) -> NDArray[np.float64]:
        """The outputs of `rows`, computed with those of the other requests of this turn."""
        loop = asyncio.get_running_loop()
        pending = self._pending.get(model.id)
        if pending is None:
            pending = self._pending[model.id] = []
            loop.call_soon(self._compute, model)
        future: asyncio.Future[NDArray[np.float64]] = loop.create_future()
        pending.append((rows, future))
        return await future

    def _compute(self, model: ServedModel) -> None:
        pending = [(rows, future) for rows, future in self._pending.pop(model.id) if not future.done()]
        try:
            outputs = model.predict(_together([rows for rows, _ in pending]))
        except Exception as error:
            for _, future in pending:
                future.set_exception(error)
            return
        start = 0
        for rows, future in pending:
            future.set_result(outputs[start : start + len(rows)])
            start += len(rows)


def _together(parts: list[ModelRows]) -> ModelRows:
    if len(parts) == 1:
        return parts[0]
    numbers = np.concatenate([part.numbers for part in parts])
    texts = [part.texts for part in parts if part.texts is not None]
    return ModelRows(numbers, np.concatenate(texts) if texts else None)
