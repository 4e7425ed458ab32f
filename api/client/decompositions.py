"""Error decompositions: searched, iterated over, taken as a table."""

import io
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from api.client.connection import PAGE_ITEMS, Connection, place
from api.client.documents.decompositions import Decomposition

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_PATH = "/v1/decompositions"
TABLE_ROWS = 10_000
"""Rows of a table that one request asks for."""


class DecompositionSearch:
    """The cells that a search finds. Iterating asks for page after page; the same search may be used again.

    As a table it has a column for every number, named by its path in the document: `risk_terms.estimation.value`.
    """

    def __init__(self, connection: Connection, filters: Mapping[str, Any]) -> None:
        self._connection = connection
        self._filters = dict(filters)
        self._most: int | None = self._filters.pop("limit", None)

    def __iter__(self) -> Iterator[Decomposition]:
        params = self._filters if self._most is None else self._filters | {"limit": min(PAGE_ITEMS, self._most)}
        items = self._connection.pages(_PATH, params)
        return (Decomposition.model_validate(item) for item in itertools.islice(items, self._most))

    def to_csv(self) -> str:
        """The table as CSV, with a header."""
        first, *rest = (part.decode() for part in self._tables("csv"))
        return first + "".join(part.partition("\n")[2] for part in rest)

    def to_polars(self) -> "pl.DataFrame":
        """The table as a frame; needs polars."""
        import polars as pl

        return pl.concat([pl.read_ipc_stream(io.BytesIO(part)) for part in self._tables("arrow")])

    def to_pandas(self) -> "pd.DataFrame":
        """The table as a frame; needs pandas and pyarrow."""
        import pandas as pd
        import pyarrow as pa

        parts = [pa.ipc.open_stream(part).read_pandas() for part in self._tables("arrow")]
        return pd.concat(parts, ignore_index=True)

    def _tables(self, form: Literal["csv", "arrow"]) -> Iterator[bytes]:
        """Bodies, one at least; each answer names the next in its Link header."""
        left = self._most
        params: dict[str, Any] = {**self._filters, "format": form}
        while True:
            asked = TABLE_ROWS if left is None else min(TABLE_ROWS, left)
            response = self._connection.send("GET", _PATH, params={**params, "limit": asked})
            yield response.content
            following = response.links.get("next", {}).get("url")
            left = None if left is None else left - asked
            if following is None or left == 0:
                return
            params = dict(parse_qsl(urlsplit(following).query))


class Decompositions:
    """Every decomposition of one owner."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, decomposition_id: str) -> Decomposition:
        """One cell."""
        return Decomposition.model_validate(self._connection.get(place(_PATH + "/{}", decomposition_id)))

    def search(
        self,
        *,
        job_id: str | None = None,
        hypothesis_space: str | None = None,
        target: str | None = None,
        dataset_id: str | None = None,
        dimension: int | None = None,
        width: int | None = None,
        sample_size: int | None = None,
        min_sample_size: int | None = None,
        max_sample_size: int | None = None,
        order_by: str | None = None,
        order: Literal["asc", "desc"] = "desc",
        limit: int | None = None,
    ) -> DecompositionSearch:
        """Cells filtered by equality and by a range of the sample size; `limit`: at most so many, all by default."""
        filters = {
            "job_id": job_id,
            "hypothesis_space": hypothesis_space,
            "target": target,
            "dataset_id": dataset_id,
            "dimension": dimension,
            "width": width,
            "sample_size": sample_size,
            "min_sample_size": min_sample_size,
            "max_sample_size": max_sample_size,
            "order_by": order_by,
            "order": order,
            "limit": limit,
        }
        return DecompositionSearch(self._connection, filters)
