"""The state from which a long run can go on; where it is kept and when is its surroundings' affair."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

import torch
from torch import Tensor

State = Mapping[str, Tensor]
"""Everything that changes between two steps, by name; numbers are float64 or int64. Read or copied, never kept."""


@runtime_checkable
class Checkpoints(Protocol):
    """Where a run keeps its state.

    A run that goes on from a state ends where the run that kept it ends, to the bit on one machine.
    """

    def resumed(self) -> State | None:
        """The state to go on from, or None: begin. On the CPU."""

    def offer(self, state: Callable[[], State]) -> None:
        """Here a state could be kept: `state()` gives it, and is called before this returns or not at all.

        Cheap enough for every step. Call it where the run was asked to stop, too: that state is the one to go on from.
        """


class _NoCheckpoints:
    """Begins anew, keeps nothing."""

    def resumed(self) -> State | None:
        """None."""
        return None

    def offer(self, state: Callable[[], State]) -> None:
        """Nothing."""


NO_CHECKPOINTS: Final = _NoCheckpoints()


class StageCheckpoints:
    """The checkpoints of one stage of a run: what it offers is kept as `stage/...` beside the state `around` it."""

    def __init__(self, outer: Checkpoints, begun: State | None, around: Callable[[], State]) -> None:
        """`begun`: the state of the whole run in which this stage was interrupted, or None."""
        self._outer = outer
        self._begun = None if begun is None else part("stage", begun)
        self._around = around

    def resumed(self) -> State | None:
        """The stage's own state."""
        return self._begun

    def offer(self, state: Callable[[], State]) -> None:
        """Pass on, with what is around it."""
        self._outer.offer(lambda: {**self._around(), **named("stage", state())})


def named(name: str, state: State) -> State:
    """A state as part of a larger one: its names behind `name/`."""
    return {f"{name}/{key}": value for key, value in state.items()}


def part(name: str, state: State) -> State:
    """What `named` put there."""
    start = f"{name}/"
    return {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)}


def numbered(name: str, tensors: Sequence[Tensor]) -> State:
    """Tensors as part of a state: `name/0`, `name/1`, ..."""
    return {f"{name}/{index}": value for index, value in enumerate(tensors)}


def fill(places: Mapping[str, Tensor], state: State) -> None:
    """Copy what the state holds under these names into these tensors: their place and layout decide how sums round."""
    for name, place in places.items():
        place.copy_(state[name])


def number(value: float | int) -> Tensor:
    """A number as a state holds it, every bit of it: float64, or int64 where it is an int."""
    return torch.tensor(value, dtype=torch.int64 if isinstance(value, int) else torch.float64)
