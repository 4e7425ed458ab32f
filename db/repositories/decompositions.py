"""Error decompositions: stored with their job, searched by what they are of."""

from collections.abc import Iterable, Sequence
from math import inf, isnan
from typing import Any, Literal, TypedDict, Unpack

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.identifiers import new_id
from db.repositories.pages import Order, Page, first_page, in_order
from db.tables import Decomposition

OrderBy = Literal["created_at", "trained_risk", "approximation", "estimation", "optimization", "width", "sample_size"]

_VALUES: dict[str, InstrumentedAttribute[Any]] = {
    "trained_risk": Decomposition.trained_risk,
    "approximation": Decomposition.approximation,
    "estimation": Decomposition.estimation,
    "optimization": Decomposition.optimization,
    "width": Decomposition.width,
    "sample_size": Decomposition.sample_size,
}


class Filters(TypedDict, total=False):
    """What a search keeps: equality on what a cell is of, and a closed range of the sample size. None keeps all."""

    job_id: str | None
    hypothesis_space: str | None
    target: str | None
    dataset_id: str | None
    dimension: int | None
    width: int | None
    sample_size: int | None
    min_sample_size: int | None
    max_sample_size: int | None


class UnknownCursorError(LookupError):
    """`after` names no decomposition of this owner, so that its place in the order is not known."""


def as_float(value: float | str) -> float:
    """A number of the extended real line as JSON writes it.

    Raises:
        ValueError: NaN, which is never an answer; SQLite would take it for NULL, PostgreSQL for the largest number.
    """
    number = float(value)
    if isnan(number):
        raise ValueError("not a number is never an answer")
    return number


def _value(terms: dict[str, Any], *names: str) -> float:
    """The first of the named terms that is there, else infinity."""
    return next((as_float(terms[name]["value"]) for name in names if terms.get(name) is not None), inf)


class Decompositions:
    """Decompositions of one owner."""

    def __init__(self, session: Session, owner: str) -> None:
        self.session = session
        self.owner = owner

    def add_all(self, job_id: str, cells: Iterable[dict[str, Any]]) -> None:
        """Store the cells of a job's grid, as the JSON of models' DecompositionCell, in their order.

        Raises:
            ValueError: a risk is NaN.
        """
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
                    # With the noise where a table does not tell them apart; last in order where nothing is known.
                    approximation=_value(terms, "approximation", "approximation_and_noise"),
                    estimation=_value(terms, "estimation"),
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
        **filters: Unpack[Filters],
    ) -> Page[Decomposition]:
        """Cells filtered; by creation, or by a value and then by creation, so that equal values page without gaps.

        Raises:
            UnknownCursorError: in an order by value, where `after` is not there.
        """
        found = self.ids(limit=limit, after=after, order=order, order_by=order_by, **filters)
        return Page(self.rows(found.items), found.has_more)

    def ids(
        self,
        *,
        limit: int,
        after: str | None,
        order: Order,
        order_by: OrderBy = "created_at",
        **filters: Unpack[Filters],
    ) -> Page[str]:
        """The ids of `page`, for which an index is enough: cheap even where a page is long.

        Raises:
            UnknownCursorError: in an order by value, where `after` is not there.
        """
        query = self.search(order_by=order_by, after=after, order=order, **filters)
        return first_page(self.session, query, limit)

    def rows(self, ids: Sequence[str]) -> list[Decomposition]:
        """The cells with these ids, in the order of the ids; those that are gone are left out."""
        query = select(Decomposition).where(Decomposition.id.in_(ids), Decomposition.owner == self.owner)
        by_id = {row.id: row for row in self.session.scalars(query)}
        return [by_id[identifier] for identifier in ids if identifier in by_id]

    def search(
        self, *, after: str | None, order: Order, order_by: OrderBy = "created_at", **filters: Unpack[Filters]
    ) -> Select[str]:
        """The query behind `ids`, without its limit.

        Raises:
            UnknownCursorError: in an order by value, where `after` is not there.
        """
        query = select(Decomposition.id).where(Decomposition.owner == self.owner)
        for name, value in filters.items():
            if value is None:
                continue
            if name == "min_sample_size":
                query = query.where(Decomposition.sample_size >= value)
            elif name == "max_sample_size":
                query = query.where(Decomposition.sample_size <= value)
            else:
                query = query.where(getattr(Decomposition, name) == value)
        if order_by == "created_at":
            return in_order(query, [Decomposition.id], None if after is None else [after], order)
        column = _VALUES[order_by]
        place = self._place(column, after)
        if filters.get("job_id") is None and filters.get("dataset_id") is None:
            return in_order(query, [column, Decomposition.id], place, order)
        # SQLite, which keeps no statistics, would walk every row in this order rather than sort the few of one job.
        # No index orders the sum, so that the filter's own is left.
        return in_order(query, [column + 0, Decomposition.id], place, order)

    def _place(self, column: InstrumentedAttribute[Any], after: str | None) -> list[Any] | None:
        if after is None:
            return None
        query = select(column).where(Decomposition.id == after, Decomposition.owner == self.owner)
        value = self.session.scalar(query)
        if value is None:
            raise UnknownCursorError
        return [value, after]
