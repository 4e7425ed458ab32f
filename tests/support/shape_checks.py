"""Shapes in signatures are checked at every call, at a cost that a suite of many small tensors can bear.

What is checked is what `jaxtyping.jaxtyped(typechecker=beartype)` checks: each argument and the result against its
annotation, one name for one size throughout a call. jaxtyping's own wrapper is made for functions that are traced once:
it compiles two checkers for every function when its module is imported, and at every call it binds a signature and
checks the arguments twice, tens of microseconds beside operations of one. Here the checker is compiled at the first
call, and the arguments are checked once.
"""

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import beartype
import jaxtyping

_jaxtyped = jaxtyping.jaxtyped
_names_of_one_call = _jaxtyped("context")


def check_shapes_of(package: str) -> None:
    """Check what is imported from a package after this call. Its import hook writes `jaxtyping.jaxtyped(...)`."""
    jaxtyping.install_import_hook(package, "beartype.beartype")
    jaxtyping.jaxtyped = lambda *, typechecker: checked


def checked(found: Any) -> Any:
    """A function that refuses arguments and results of another shape or type; a dataclass whose fields are checked."""
    if not inspect.isclass(found):
        return _checked_function(found)
    if dataclasses.is_dataclass(found) and "__init__" in vars(found):
        found.__init__ = _checked_function(found.__init__)
    return found


def _checked_function(function: Any) -> Any:
    if inspect.isgeneratorfunction(function):
        # What it yields is of no one call: jaxtyping knows how to leave it alone.
        return _jaxtyped(function, typechecker=beartype.beartype)
    enforced: Callable[..., Any] | None = None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal enforced
        if enforced is None:
            # Not before: modules may name in their annotations what they define further down.
            enforced = beartype.beartype(_with_hints(function))
        with _names_of_one_call:
            return enforced(*args, **kwargs)

    return call


def _with_hints(function: types.FunctionType) -> types.FunctionType:
    """The same function, its annotations free of strings; Any for a name that only type checkers know."""
    copied = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copied.__kwdefaults__ = function.__kwdefaults__
    copied.__qualname__ = function.__qualname__
    copied.__module__ = function.__module__
    copied.__annotations__ = {name: _hint(hint, function) for name, hint in function.__annotations__.items()}
    return copied


def _hint(annotation: Any, function: types.FunctionType) -> Any:
    holder = types.SimpleNamespace(__annotations__={"hint": annotation})
    try:
        return typing.get_type_hints(holder, function.__globals__, include_extras=True)["hint"]
    except NameError:
        return Any
