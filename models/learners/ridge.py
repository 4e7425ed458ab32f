"""Ridge regression: the penalised empirical minimiser of a linear space in closed form."""

from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from models.arrays import Features, Labels, Parameters
from models.checkpoints import NO_CHECKPOINTS, Checkpoints
from models.closed_form import refusal_outside_linear_spaces, solved
from models.hypothesis_spaces.base import HypothesisSpace
from models.large_samples import is_streamed, streamed_operations
from models.learners.base import Advance, Details, Fitted, Learner
from models.least_squares import ridge_solution
from models.randomness import Randomness
from models.ridge_path import Criterion, RidgePathPoint, best_penalty, ridge_path
from models.samples import Sample

CANDIDATES = 25
"""Penalties of the path."""

LARGEST_UNASKED_SIDE = 1000
"""A path that nobody asked for costs an eigendecomposition of min(n, m): about a quarter of a second at this side."""


class Ridge(Learner):
    """a^ = argmin_a (1/n) |Phi a - y|^2 + penalty |a|^2.

    Penalty 0 gives the least-squares solution of smallest norm, which interpolates where m >= n. Without a `penalty`
    the one that `criterion` finds best is taken from the path: 25 penalties between 1e-10 and 100 times the
    largest eigenvalue of Phi^T Phi / n, evenly spaced in the logarithm. The start matters only for its frozen features.
    Where n m features are too many to hold and the penalty is named, `models.large_samples` computes them in blocks.
    Solved in float64: float32 carries too few digits of Gram matrices and would be slower by decompositions of Phi.

    `details` names the penalty used, the solver, and the `path`: at each penalty the empirical risk, |a|^2, the
    effective degrees of freedom, and the leave-one-out and generalized cross-validation estimates of the risk, in the
    units of the curve (`models.ridge_path.RidgePathPoint` has the formulas). No path where every feature is 0.
    """

    kind: Literal["ridge"]
    penalty: Annotated[
        float | None, Field(ge=0, le=1e12, description="Penalty on |a|^2; 0: minimum norm; None: by the criterion.")
    ] = None
    criterion: Annotated[Criterion, Field(description="What chooses the penalty where none is given.")] = (
        "leave_one_out"
    )
    path: Annotated[
        bool | None, Field(description="Report the path; None: where it chooses, or the smaller of n and m <= 1,000.")
    ] = None

    statement: ClassVar[str] = "â = argmin_a (1/n)‖Φa − y‖² + λ‖a‖²;  λ → 0: the minimum-norm minimiser"
    formula: ClassVar[str] = (
        r"\begin{split} \hat{a} &= \operatorname*{argmin}\limits_a\, \frac{1}{n} \|\Phi a - y\|^2 + \lambda \|a\|^2 "
        r"\\ &= (\Phi^\top \Phi + n \lambda I)^{-1} \Phi^\top y \quad \text{for } \lambda > 0, \qquad \Phi^+ y \quad "
        r"\text{for } \lambda = 0 \end{split}"
    )
    reference: ClassVar[str] = "hoerl1970ridge"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "ridge"},
        {"kind": "ridge", "penalty": 0.0, "path": False},
        {"kind": "ridge", "criterion": "generalized_cross_validation"},
        {"kind": "ridge", "penalty": 1e-3, "standardise": True},
    )

    def refuses(self, space: HypothesisSpace) -> str | None:
        """Only linear spaces have a closed form."""
        return refusal_outside_linear_spaces(self.kind, space)

    def fit(
        self,
        space: HypothesisSpace,
        sample: Sample,
        randomness: Randomness,
        advance: Advance,
        start: Parameters | None = None,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
    ) -> Fitted:
        """Solve. One step; raises NumericalFailure where a feature is not finite."""
        details: Details = {} if self.penalty is None else {"penalty": self.penalty}

        def solve(features: Features, labels: Labels) -> Tensor:
            path: list[RidgePathPoint] = []
            if self._needs_path(*features.shape):
                path = ridge_path(features, labels, torch.logspace(-10, 2, CANDIDATES).to(features))
            penalty = self.penalty
            if penalty is None:
                penalty = best_penalty(path, self.criterion) if path else 1.0
            solution, details["solver"] = ridge_solution(features, labels, penalty)
            details["penalty"] = penalty
            if path and self.path is not False:
                details["path"] = [point.record() for point in path]
            return solution

        streamed, remark = self._streamed_penalty, details.update
        parameters, point, outputs = solved(
            space, sample, randomness, advance, start, "float64", solve, remark, streamed
        )
        return Fitted(parameters, (point,), details, outputs)

    @property
    def _streamed_penalty(self) -> float | None:
        """The penalty where no path is asked for, which needs all features at once."""
        return None if self.path else self.penalty

    def streams(self, sample_size: int, features: int) -> bool:
        """With a penalty of its own and no path."""
        return self._streamed_penalty is not None and is_streamed(sample_size, features)

    def _needs_path(self, sample_size: int, width: int) -> bool:
        if self.penalty is None or self.path is not None:
            return self.penalty is None or bool(self.path)
        return min(sample_size, width) <= LARGEST_UNASKED_SIDE

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Features, Gram matrix and factorisation; about ten times that with the path."""
        width = space.feature_count(input_dimension)
        if self.streams(sample_size, width):
            return streamed_operations(sample_size, width, space.flops_per_row(input_dimension, output_dimension))
        small, large = sorted((sample_size, width))
        solve = 2.0 * large * small**2 + small**3
        if self._needs_path(sample_size, width):
            solve += 12.0 * small**3 + 4.0 * large * small**2 + 4.0 * CANDIDATES * sample_size * small
        return solve + sample_size * space.flops_per_row(input_dimension, output_dimension)
