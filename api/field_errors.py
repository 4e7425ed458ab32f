"""Which field is wrong: pydantic's locations as JSON pointers into the body that the client sent."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

MAX_FIELD_ERRORS = 100
_SHOWN_CHARACTERS = 80


class FieldError(BaseModel):
    """One field that is wrong; `pointer` is an RFC 6901 JSON pointer into the body, or the parameter's name."""

    pointer: str
    detail: str


def escaped(step: int | str) -> str:
    """A step as a pointer writes it."""
    return "/" + str(step).replace("~", "~0").replace("/", "~1")


def json_pointer(location: Sequence[int | str], body: Any, missing: bool = False) -> str:
    """A pydantic location as an RFC 6901 pointer into `body`.

    Pydantic inserts the tags of unions into locations: "two_layer" where a `kind` chose the member, "literal['all']"
    or "several" elsewhere. A step that repeats the `kind` of the object just entered is such a tag, even where the
    object has a field of that name, and so is a step that the body does not have.
    `missing`: the last step names a field that is not there.
    """
    pointer, here = "", body
    tag_may_follow = True
    last = len(location) - 1
    for index, step in enumerate(location):
        if tag_may_follow and isinstance(here, dict) and step == here.get("kind"):
            tag_may_follow = False
            continue
        inside_list = isinstance(here, list) and isinstance(step, int) and 0 <= step < len(here)
        if inside_list or (isinstance(here, dict) and step in here):
            here = here[step]
            tag_may_follow = True
        elif not (missing and index == last):
            continue
        pointer += escaped(step)
    return pointer


def field_errors(errors: Sequence[Any], body: Any, prefix: Sequence[str] = ()) -> list[FieldError]:
    """Pydantic's errors as ours, without echoing the input. `prefix`: leading location steps to drop ("body").

    At most MAX_FIELD_ERRORS: a long list of bad numbers would make a long answer.
    """
    found: dict[tuple[str, str], FieldError] = {}
    for error in errors:
        location = list(error["loc"])
        if location[: len(prefix)] == list(prefix):
            location = location[len(prefix) :]
        context = error.get("ctx") or {}
        pointer = json_pointer(location, body, error["type"] == "missing") + str(context.get("pointer", ""))
        detail = str(error["msg"])
        if error["type"] == "union_tag_invalid":
            pointer += "/kind"
            detail = f"Unknown kind {_shortened(context['tag'])!r}; known kinds: {context['expected_tags']}."
        elif error["type"] == "union_tag_not_found":
            pointer += "/kind"
            detail = "A kind is required."
        found.setdefault((pointer, detail), FieldError(pointer=pointer, detail=detail))
        if len(found) == MAX_FIELD_ERRORS:
            break
    return list(found.values())


def _shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
