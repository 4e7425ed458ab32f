"""How one file becomes one kind: discovery, the discriminated union, and the description in the catalogue."""

import importlib
import inspect
import pkgutil
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.assumptions import Assumption
from models.errors import refuse


class Kind(BaseModel):
    """A frozen specification of one thing that varies, with its statement and its source.

    A leaf adds `kind: Literal["file_name"]` and parameters with defaults; it is never subclassed. `statement` is
    plain text, `formula` what it says precisely, as one display formula in LaTeX (several lines: the environment
    `split`); `reference` is a key of references.bib, `examples` are complete JSON values of this kind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: str

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_numbers(cls, data: Any) -> Any:
        """JSON's true is no 1 and "5" no 5; pydantic alone would read them as such."""
        if isinstance(data, dict):
            refuse_disguised_numbers(cls, data)
        return data

    statement: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    assumptions: ClassVar[tuple[Assumption, ...]] = ()
    reference: ClassVar[str] = ""
    examples: ClassVar[tuple[dict[str, Any], ...]] = ()


def refuse_disguised_numbers(model: type[BaseModel], data: dict[str, Any]) -> None:
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


K = TypeVar("K", bound=Kind)


def kind_name(leaf: type[Kind]) -> str:
    """The literal value of a leaf's `kind` field."""
    (name,) = get_args(leaf.model_fields["kind"].annotation)
    return name


def discover(package: str, base: type[K]) -> dict[str, type[K]]:
    """The leaves of `base` by kind: one for each module of `package` whose name is not `base` and has no underscore.

    Raises:
        TypeError: a module does not define exactly one leaf, or the leaf's kind is not the file's name.
    """
    found: dict[str, type[K]] = {}
    for module_info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if module_info.name == "base" or module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package}.{module_info.name}")
        leaves = [
            member
            for _, member in inspect.getmembers(module, inspect.isclass)
            if issubclass(member, base) and member.__module__ == module.__name__ and not inspect.isabstract(member)
        ]
        if len(leaves) != 1 or kind_name(leaves[0]) != module_info.name:
            raise TypeError(f"{module.__name__} must define exactly one kind, named {module_info.name!r}")
        found[module_info.name] = leaves[0]
    return found


def union_of(kinds: dict[str, type[K]]) -> Any:
    """The discriminated union of the leaves, tagged by `kind`; a family of one is that leaf alone."""
    leaves = tuple(kinds.values())
    if len(leaves) == 1:
        return leaves[0]
    return Annotated[Union[leaves], Field(discriminator="kind")]  # noqa: UP007  built at run time
