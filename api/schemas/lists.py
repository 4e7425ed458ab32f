"""The envelope of every list."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

T = TypeVar("T")
R = TypeVar("R")


class ListDocument(BaseModel, Generic[T]):
    """A page; `after=last_id` gives the next where `has_more`."""

    object: Literal["list"] = "list"
    data: list[T]
    first_id: str | None = Field(description="Id of the first item, null on an empty page.")
    last_id: str | None
    has_more: bool


def list_document(
    items: Sequence[R], has_more: bool, render: Callable[[R], Any], identifier: Callable[[R], str]
) -> dict[str, Any]:
    """A page of rows as the envelope."""
    return {
        "object": "list",
        "data": [render(item) for item in items],
        "first_id": identifier(items[0]) if items else None,
        "last_id": identifier(items[-1]) if items else None,
        "has_more": has_more,
    }
