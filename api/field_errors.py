"""Which field is wrong: pydantic's locations as JSON pointers into the body that the client sent."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

MAX_FIELD_ERRORS = 100
_SHOWN_CHARACTERS = 80
_LONG_NUMBER = re.compile(r"\b\d{20,}\b")
_PREFIX = re.compile(r"\^([\w:/-]+)")
_LISTS = ("tuple_type", "list_type", "set_type", "frozen_set_type")
_OBJECTS = ("model_type", "model_attributes_type", "dict_type", "dataclass_type")


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
        if _counts_refused_entries_out(error) or _is_no_word_but_a_list(error):
            continue
        location = list(error["loc"])
        if location[: len(prefix)] == list(prefix):
            location = location[len(prefix) :]
        context = error.get("ctx") or {}
        pointer = json_pointer(location, body, error["type"] == "missing") + str(context.get("pointer", ""))
        detail = in_words(error)
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


def parameter_errors(errors: Sequence[Any]) -> list[FieldError]:
    """Those of a query, path or header: one for each parameter, `pointer` its name, whatever unions it is made of."""
    found: dict[str, list[str]] = {}
    for error in errors:
        name = str(error["loc"][1] if len(error["loc"]) > 1 else "")
        found.setdefault(name, []).append(in_words(error))
    return [FieldError(pointer=name, detail="; or ".join(dict.fromkeys(details))) for name, details in found.items()]


def in_words(error: Any) -> str:
    """What one of pydantic's errors says, in the words of JSON rather than of Python: no tuple, no dictionary.

    Numbers of a limit that would be written with hundreds of digits are written as powers of ten.
    """
    kind, context = error["type"], error.get("ctx") or {}
    if kind in _LISTS:
        return "Input should be a list."
    if kind in _OBJECTS:
        return "Input should be an object."
    if kind == "extra_forbidden":
        return "There is no such field."
    if kind in ("too_short", "too_long"):
        bound, limit = ("least", context["min_length"]) if kind == "too_short" else ("most", context["max_length"])
        given = error.get("input")
        here = len(given) if isinstance(given, list | tuple) else context.get("actual_length")
        entries = "1 entry" if limit == 1 else f"{limit} entries"
        return f"There should be at {bound} {entries}" + ("." if here is None else f", not {here}.")
    if kind == "string_pattern_mismatch" and len(context["pattern"]) > _SHOWN_CHARACTERS:
        prefix = _PREFIX.match(context["pattern"])
        begin = f"begin with {prefix[1]} and " if prefix else ""
        return f"Input should {begin}have the form that its pattern in /openapi.json gives."
    return _LONG_NUMBER.sub(lambda found: f"{float(found[0]):g}", str(error["msg"]))


def _counts_refused_entries_out(error: Any) -> bool:
    """A list that pydantic calls too short only because it leaves out entries, each of which is named by itself."""
    given = error.get("input")
    return error["type"] == "too_short" and isinstance(given, list | tuple) and len(given) >= error["ctx"]["min_length"]


def _is_no_word_but_a_list(error: Any) -> bool:
    """Where a word or a list may stand ("all", or some bounds), a list is refused for its entries, not as a word."""
    alternative = bool(error["loc"]) and str(error["loc"][-1]).startswith("literal[")
    return alternative and error["type"] == "literal_error" and isinstance(error.get("input"), list | tuple)


def _shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
