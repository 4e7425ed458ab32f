"""The learners whose result in a linear space is a formula, so that a whole grid of them costs little more than one."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.arrays import Parameters
from models.decomposition.nested_features import NestedFeatures
from models.gradient_flow import linear_trajectory
from models.hypothesis_spaces.base import LinearSpace
from models.learners.base import Learner
from models.learners.gradient_descent import GradientDescent
from models.learners.least_squares import LeastSquares
from models.learners.ridge import Ridge
from models.linear_grid.products import symmetric_product
from models.linear_grid.rows import HELD_FEATURES, HeldRows
from models.linear_grid.spectrum import Spectrum, spectrum_of_gram, spectrum_of_rows
from models.samples import Sample


def known_penalty(learner: Learner) -> float | None:
    """The penalty on |a|^2 whose minimiser the learner returns, 0 for least squares; None: it is not known before."""
    if isinstance(learner, Ridge):
        return learner.penalty
    return 0.0 if isinstance(learner, LeastSquares) and learner.precision == "float64" else None


def has_closed_form(learner: Learner) -> bool:
    """Whether the grid finds what the learner returns without running it."""
    iterates = isinstance(learner, GradientDescent) and _is_linear_iteration(learner)
    return iterates or known_penalty(learner) is not None


def descents(
    learner: Learner, common: NestedFeatures, rows: HeldRows, sample_sizes: Sequence[int]
) -> dict[tuple[int, int], Tensor]:
    """Full-batch descent from 0 in common features, after all its steps and after twice as many, (2, m, k), by (index
    of the width, sample size).

    By `models.linear_grid.spectrum`. Cells are left out that have no closed form (a schedule, clipping, early
    stopping, float32, another learner) or whose step size is not stable: the learner itself says what is wrong there.
    """
    if not isinstance(learner, GradientDescent) or not _is_linear_iteration(learner):
        return {}
    found: dict[tuple[int, int], Tensor] = {}
    gram = rows.features.new_zeros(common.count, common.count)
    moments = rows.features.new_zeros(common.count, rows.labels.shape[1])
    used = 0
    for size in sorted(sample_sizes):
        for features, labels in rows.blocks(used, size):
            gram += symmetric_product(features)
            moments += features.T @ labels
        used = size
        for index, (count, factor) in enumerate(zip(common.counts, common.factors, strict=True)):
            if count > size:
                leading = factor * rows.features[:size, :count]
                spectrum = spectrum_of_rows(leading, rows.labels[:size])
            else:
                spectrum = spectrum_of_gram(factor**2 * gram[:count, :count], factor * moments[:count], size)
            iterates = _iterates(learner, spectrum)
            if iterates is not None:
                found[index, size] = factor * iterates
    return found


def _is_linear_iteration(learner: GradientDescent) -> bool:
    plain = learner.schedule == "constant" and learner.gradient_clip is None
    return plain and learner.validation_fraction == 0 and learner.precision == "float64"


def longer_descent(
    space: LinearSpace, learner: Learner, start: Parameters, sample: Sample, step_size: object
) -> Parameters | None:
    """What full-batch descent of this `step_size` reaches in twice the steps, by `models.gradient_flow`.

    None where it has no closed form; without an SVD of the features (n m > HELD_FEATURES) neither.
    """
    if not isinstance(learner, GradientDescent) or not _is_linear_iteration(learner):
        return None
    if not isinstance(step_size, float) or sample.size * len(start["coefficients"]) > HELD_FEATURES:
        return None
    coefficients = start["coefficients"]
    features = space.features(start, sample.inputs.to(coefficients))
    steps, decay = [2 * learner.steps], learner.weight_decay
    path = linear_trajectory(
        features, sample.labels.to(coefficients), coefficients, step_size, steps, weight_decay=decay
    )
    return {**start, "coefficients": path[0]}


def _iterates(learner: GradientDescent, spectrum: Spectrum) -> Tensor | None:
    top = float(spectrum.eigenvalues.max()) if len(spectrum.eigenvalues) else 0.0
    curvature = top + learner.weight_decay / 2
    limit = 1 / curvature if curvature > 0 else 1.0
    step_size = limit / 2 if learner.step_size is None else learner.step_size
    if not step_size < limit or not torch.isfinite(spectrum.driving).all():
        return None
    return spectrum.descent(step_size, [learner.steps, 2 * learner.steps], learner.weight_decay)
