"""Error decompositions: stored with their job, searched by what they are of."""

from collections.abc import Iterable
from typing import Any, Literal

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.identifiers import new_id
from db.repositories.pages import Order, Page, page_by_id
from db.tables import Decomposition

OrderBy = Literal["created_at", "trained_risk", "width", "sample_size"]

_ORDERS: dict[str, InstrumentedAttribute[Any]] = {
    "trained_risk": Decomposition.trained_risk,
    "width": Decomposition.width,
    "sample_size": Decomposition.sample_size,
}


class UnknownCursorError(LookupError):
    """`after` names no decomposition of this owner, so that its place in the order is not known."""


def as_float(value: float | str) -> float:
    """A number of the extended real line as JSON writes it."""
    return float(value)


class Decompositions:
    """Decompositions of one owner."""

    def __init__(self, session: Session, owner: str) -> None:
        self.session = session
        self.owner = owner

    def add_all(self, job_id: str, cells: Iterable[dict[str, Any]]) -> None:
        """Store the cells of a job's grid, as the JSON of models' DecompositionCell, in their order."""
        for cell in cells:
            data = cell["data"]
            terms = cell["risk_terms"]
            self.session.add(
                Decomposition(
                    id=new_id("dec"),
                    job_id=job_id,
                    owner=self.owner,
                    hypothesis_space=cell["hypothesis_space"]["kind"],
                    target=data.get("target", {}).get("kind"),
                    dataset_id=data.get("dataset_id"),
                    dimension=cell["dimension"],
                    width=cell["width"],
                    sample_size=cell["sample_size"],
                    seeds=cell["seeds"],
                    trained_risk=as_float(cell["risks"]["trained"]["value"]),
                    approximation=as_float(terms["approximation"]["value"]),
                    estimation=as_float(terms["estimation"]["value"]),
                    optimization=as_float(terms["optimization"]["value"]),
                    cell=cell,
                )
            )
        self.session.flush()

    def get(self, decomposition_id: str) -> Decomposition | None:
        """By id, or None."""
        return self.session.scalar(
            select(Decomposition).where(Decomposition.id == decomposition_id, Decomposition.owner == self.owner)
        )

    def page(
        self,
        *,
        limit: int,
        after: str | None,
        order: Order,
        order_by: OrderBy = "created_at",
        job_id: str | None = None,
        hypothesis_space: str | None = None,
        target: str | None = None,
        dataset_id: str | None = None,
        dimension: int | None = None,
        width: int | None = None,
        sample_size: int | None = None,
        min_sample_size: int | None = None,
        max_sample_size: int | None = None,
    ) -> Page[Decomposition]:
        """Cells filtered; by creation, or by a value and then by creation, so that equal values page without gaps.

        Raises:
            UnknownCursorError: in an order by value, where `after` is not there.
        """
        query = select(Decomposition).where(Decomposition.owner == self.owner)
        equal = {
            Decomposition.job_id: job_id,
            Decomposition.hypothesis_space: hypothesis_space,
            Decomposition.target: target,
            Decomposition.dataset_id: dataset_id,
            Decomposition.dimension: dimension,
            Decomposition.width: width,
            Decomposition.sample_size: sample_size,
        }
        for column, value in equal.items():
            if value is not None:
                query = query.where(column == value)
        if min_sample_size is not None:
            query = query.where(Decomposition.sample_size >= min_sample_size)
        if max_sample_size is not None:
            query = query.where(Decomposition.sample_size <= max_sample_size)
        if order_by == "created_at":
            return page_by_id(self.session, query, Decomposition.id, limit, after, order)
        return self._page_by_value(query, _ORDERS[order_by], limit, after, order)

    def _page_by_value(
        self,
        query: Select[Decomposition],
        column: InstrumentedAttribute[Any],
        limit: int,
        after: str | None,
        order: Order,
    ) -> Page[Decomposition]:
        if after is not None:
            cursor = self.get(after)
            if cursor is None:
                raise UnknownCursorError
            value, ascending = getattr(cursor, column.key), order == "asc"
            further = column > value if ascending else column < value
            later = Decomposition.id > after if ascending else Decomposition.id < after
            query = query.where(or_(further, and_(column == value, later)))
        keys = (column, Decomposition.id)
        query = query.order_by(*(key.asc() if order == "asc" else key.desc() for key in keys)).limit(limit + 1)
        items = list(self.session.scalars(query))
        return Page(items[:limit], len(items) > limit)
