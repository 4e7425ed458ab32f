"""While tests run, wrong shapes are refused in whatever comes from `models`, and in functions written like it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, TypeCheckError
from shape_checks import checked
from torch import Tensor

from models.risks import squared_losses
from models.samples import Sample

Matrix = Float[Tensor, "n d"]
REFUSED = (BeartypeCallHintViolation, TypeCheckError)


@checked
def product(first: Matrix, second: Float[Tensor, "d m"]) -> Float[Tensor, "n m"]:
    """What `first @ second` gives; a first column of threes, to be wrong about."""
    return first[:, :1] if bool((first[:, 0] == 3).all()) else first @ second


@checked
def doubled(rows: Matrix) -> Matrix:
    """Calls another checked function, whose n and d are its own."""
    product(torch.zeros(7, 2), torch.zeros(2, 5))
    return 2 * rows


@checked
def later(value: "Defined") -> "Defined | None":
    """Names what is defined below."""
    return value if isinstance(value, Defined) else None


@checked
def shared(rows: Matrix, known_to_type_checkers: "Unknown") -> int:
    """One annotation that nobody can evaluate."""
    return len(rows)


@checked
def blocks(rows: Matrix, size: int) -> Iterator[Matrix]:
    """Yields."""
    yield from rows.split(size)


@checked
@dataclass(frozen=True)
class Pair:
    """One n for both fields."""

    inputs: Float[Tensor, "n d"]
    labels: Float[Tensor, "n k"]


@checked
class Defined:
    """With a method and a property."""

    @property
    @checked
    def wrong(self) -> int:
        """No int."""
        return "1"  # type: ignore[return-value]

    @checked
    def method(self, *rows: Matrix, scale: float = 1.0) -> Matrix:
        """All of one shape."""
        return scale * torch.stack(rows).sum(dim=0)


def test_right_shapes_pass() -> None:
    assert product(torch.ones(2, 3), torch.ones(3, 4)).shape == (2, 4)
    assert doubled(torch.ones(3, 1)).shape == (3, 1)
    assert [len(block) for block in blocks(torch.ones(5, 2), 2)] == [2, 2, 1]
    assert Pair(torch.ones(2, 3), torch.ones(2, 1)).inputs.shape == (2, 3)
    assert Defined().method(torch.ones(2, 2), torch.ones(2, 2), scale=2.0).sum() == 16
    assert isinstance(later(Defined()), Defined)
    assert shared(torch.ones(4, 1), object()) == 4


@pytest.mark.parametrize(
    "call",
    [
        lambda: product(torch.ones(2, 3), torch.ones(4, 4)),
        lambda: product(torch.full((2, 2), 3.0), torch.ones(2, 5)),
        lambda: product(torch.ones(2, 3).long(), torch.ones(3, 4)),
        lambda: product([[1.0]], torch.ones(1, 1)),
        lambda: doubled(torch.ones(3)),
        lambda: later("no Defined"),
        lambda: shared(torch.ones(4), None),
        lambda: list(blocks(torch.ones(5), 2)),
        lambda: Pair(torch.ones(2, 3), torch.ones(3, 1)),
        lambda: Defined().method(torch.ones(2, 2), torch.ones(3, 2)),
        lambda: Defined().wrong,
    ],
)
def test_wrong_shapes_and_types_are_refused(call: Any) -> None:
    with pytest.raises(REFUSED):
        call()


def test_models_are_checked() -> None:
    with pytest.raises(REFUSED):
        Sample(torch.ones(3, 2), torch.ones(4, 1))
    with pytest.raises(REFUSED):
        squared_losses(torch.ones(3, 1), torch.ones(2, 1))
