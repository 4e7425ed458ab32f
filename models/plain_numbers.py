"""Models of pydantic that read numbers as numbers only."""

from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator

from models.errors import refuse


class PlainNumbers(BaseModel):
    """Frozen, without unknown fields or infinite numbers.

    JSON's true is no 1 and "5" no 5; pydantic alone would read them as such.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_numbers(cls, data: Any) -> Any:
        if isinstance(data, dict):
            _refuse_disguised_numbers(cls, data)
        return data


def _refuse_disguised_numbers(model: type[BaseModel], data: dict[str, Any]) -> None:
    """Refuse a boolean or a string in a field that takes only numbers (or null), or tuples of such.

    Raises:
        PydanticCustomError: names the field.
    """
    for name, field in model.model_fields.items():
        value = data.get(name)
        if isinstance(value, bool | str) and _leaves(field.annotation) <= {int, float, NoneType}:
            refuse(f"/{name}", "Input should be a number.")
        if isinstance(value, list | tuple) and _holds_numbers(field.annotation):
            for place, entry in enumerate(value):
                if isinstance(entry, bool | str):
                    refuse(f"/{name}/{place}", "Input should be a number.")


def _holds_numbers(annotation: Any) -> bool:
    """Whether this is a tuple of numbers of any length, perhaps with metadata, or null."""
    if get_origin(annotation) is Annotated:
        return _holds_numbers(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return all(one is NoneType or _holds_numbers(one) for one in get_args(annotation))
    entry, *rest = get_args(annotation) if get_origin(annotation) is tuple else ((), None)
    return rest == [Ellipsis] and _leaves(entry) <= {int, float}


def _leaves(annotation: Any) -> set[Any]:
    """The types of a union, `Annotated` metadata aside."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _leaves(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return set().union(*(_leaves(argument) for argument in get_args(annotation)))
    return {annotation if origin is None else origin}
