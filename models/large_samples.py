"""Least squares and ridge on samples whose features do not fit in memory: computed in blocks, read several times."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.arrays import Outputs, Parameters
from models.errors import NumericalFailure
from models.hypothesis_spaces.base import LinearSpace
from models.linear_grid.products import tall_product
from models.linear_grid.rows import HELD_FEATURES, ComputedRows, Rows
from models.linear_grid.streamed import ROWS_PER_FEATURE, streamed_ridge
from models.samples import Sample
from models.streamed_least_squares import StreamedLeastSquares

BLOCK_FEATURES = 2**19
"""Numbers of features that exist at a time: four or five operations go through them in the processor's cache."""
BLOCK_ROWS = 64, 1_024
"""Rows of a block at least and at most."""
READINGS = 8
"""Of all rows, for the plan: about seven in float32 and one in float64."""


Remarks = dict[str, int | float | str]
"""How a solution was found."""


@dataclass(frozen=True)
class StreamedFit:
    """The minimiser's coefficients (m, k), its outputs on the sample (n, k), and how it was found; float64."""

    coefficients: Tensor
    outputs: Outputs
    remarks: Remarks


def is_streamed(sample_size: int, features: int) -> bool:
    """Whether n m numbers are too many to hold. With m >= n a solution needs the features all at once."""
    return sample_size * features > HELD_FEATURES and features < sample_size


def block_rows(features: int) -> int:
    """Rows whose features exist at a time."""
    least, most = BLOCK_ROWS
    return max(least, min(most, BLOCK_FEATURES // features))


def streamed_operations(sample_size: int, features: int, of_a_row: float) -> float:
    """Floating-point operations of `streamed_solution`; `of_a_row`: to compute the features of one row."""
    gram_rows = min(sample_size, ROWS_PER_FEATURE * features)
    return gram_rows * features**2 + features**3 + READINGS * sample_size * (of_a_row + 4.0 * features)


def streamed_numbers(features: int, sample_size: int, outputs: int) -> int:
    """Float64 numbers that `streamed_solution` holds, the QR of its last resort included."""
    return 4 * features * (features + block_rows(features)) + 4 * sample_size * outputs


def streamed_solution(space: LinearSpace, parameters: Parameters, sample: Sample, penalty: float) -> StreamedFit:
    """argmin_a (1/n) |Phi a - y|^2 + penalty |a|^2 in float64, predictions to 1e-8 of the labels.

    `streamed_ridge`; where the features are too nearly dependent for its float32, an orthogonal triangularisation of
    all rows, whose least squares is that of smallest norm. No randomness.

    Raises:
        NumericalFailure: a feature or a label is not finite.
    """
    with torch.no_grad():
        double = _rows(space, parameters, sample, torch.float64)
        try:
            found = streamed_ridge(_rows(space, parameters, sample, torch.float32), double, sample.size, penalty)
        except NumericalFailure:
            coefficients = _by_triangle(double, sample.size, len(parameters["coefficients"]), penalty)
            outputs = torch.cat([tall_product(block, coefficients) for block, _ in double.blocks(0, sample.size)])
            return StreamedFit(coefficients, outputs, {"solver": "streamed qr"})
    readings = {"readings_float32": found.single_readings, "readings_float64": found.double_readings}
    remarks: Remarks = {"solver": "streamed conjugate gradients", **readings, "error": found.error}
    return StreamedFit(found.coefficients, found.fitted, remarks)


def _rows(space: LinearSpace, parameters: Parameters, sample: Sample, dtype: torch.dtype) -> ComputedRows:
    placed = {name: value.to(dtype) for name, value in parameters.items()}

    def compute(start: int, stop: int) -> tuple[Tensor, Tensor]:
        return space.features(placed, sample.inputs[start:stop].to(dtype)), sample.labels[start:stop].to(dtype)

    return ComputedRows(compute, block_rows(len(parameters["coefficients"])))


def _by_triangle(rows: Rows, sample_size: int, features: int, penalty: float) -> Tensor:
    streamed = StreamedLeastSquares(features)
    waiting: list[tuple[Tensor, Tensor]] = []
    for block in rows.blocks(0, sample_size):
        waiting.append(block)
        # A QR costs as much for the triangle above new rows as for as many rows more.
        if sum(len(part[0]) for part in waiting) >= features:
            streamed.add(*map(torch.cat, zip(*waiting, strict=True)))
            waiting = []
    if waiting:
        streamed.add(*map(torch.cat, zip(*waiting, strict=True)))
    if penalty:
        labels = streamed.triangle()[1]
        root = (sample_size * penalty) ** 0.5 * torch.eye(features).to(labels)
        streamed.add(root, labels.new_zeros(features, labels.shape[1]))
    return streamed.solution()
