"""How one file becomes one kind: discovery, the discriminated union, and the description in the catalogue."""

import importlib
import inspect
import pkgutil
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args

from pydantic import Field

from models.assumptions import Assumption
from models.plain_numbers import PlainNumbers


class Kind(PlainNumbers):
    """A frozen specification of one thing that varies, with its statement and its source.

    A leaf adds `kind: Literal["file_name"]` and parameters with defaults; it is never subclassed. `statement` is
    plain text, `formula` what it says precisely, as one display formula in LaTeX (several lines: the environment
    `split`); `reference` is a key of references.bib, `examples` are complete JSON values of this kind.
    """

    kind: str

    statement: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    assumptions: ClassVar[tuple[Assumption, ...]] = ()
    reference: ClassVar[str] = ""
    examples: ClassVar[tuple[dict[str, Any], ...]] = ()


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
