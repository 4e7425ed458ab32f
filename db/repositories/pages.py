"""Cursor paging over ids, which sort by creation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

T = TypeVar("T")
Order = Literal["asc", "desc"]


@dataclass(frozen=True)
class Page(Generic[T]):
    """At most `limit` items; `has_more` says whether the list goes on after the last."""

    items: Sequence[T]
    has_more: bool


def page_by_id(
    session: Session,
    query: Select[T],
    identifier: InstrumentedAttribute[Any],
    limit: int,
    after: Any | None,
    order: Order,
) -> Page[T]:
    """The page that follows the id `after` (from the start where None)."""
    if after is not None:
        query = query.where(identifier > after if order == "asc" else identifier < after)
    query = query.order_by(identifier.asc() if order == "asc" else identifier.desc()).limit(limit + 1)
    items = list(session.scalars(query))
    return Page(items[:limit], len(items) > limit)
