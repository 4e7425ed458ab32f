"""Cursor paging over ids, which sort by creation, and over other keys with an id to break their ties."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import ColumnElement, Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

T = TypeVar("T")
Order = Literal["asc", "desc"]


@dataclass(frozen=True)
class Page(Generic[T]):
    """At most `limit` items; `has_more` says whether the list goes on after the last."""

    items: Sequence[T]
    has_more: bool


def in_order(
    query: Select[T],
    keys: Sequence[InstrumentedAttribute[Any] | ColumnElement[Any]],
    after: Sequence[Any] | None,
    order: Order,
) -> Select[T]:
    """The query ordered by `keys`, of which the last is unique, from behind the values `after` on."""
    if after is not None:
        # One comparison of rows, because an index can start at it; "greater, or equal and ..." is a filter to both
        # databases, and the last page would cost as much as all before it.
        here = tuple_(*keys)
        there = tuple_(*(literal(value, key.type) for key, value in zip(keys, after, strict=True)))
        query = query.where(here > there if order == "asc" else here < there)
    return query.order_by(*(key.asc() if order == "asc" else key.desc() for key in keys))


def first_page(session: Session, query: Select[T], limit: int) -> Page[T]:
    """The first `limit` items of an ordered query."""
    items = list(session.scalars(query.limit(limit + 1)))
    return Page(items[:limit], len(items) > limit)


def page_by_id(
    session: Session,
    query: Select[T],
    identifier: InstrumentedAttribute[Any],
    limit: int,
    after: Any | None,
    order: Order,
) -> Page[T]:
    """The page that follows the id `after` (from the start where None)."""
    return first_page(session, in_order(query, [identifier], None if after is None else [after], order), limit)
