"""Least squares: the empirical minimiser of a linear space, the one of smallest norm where there are many."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from models.arrays import Features, Labels, Parameters
from models.checkpoints import NO_CHECKPOINTS, Checkpoints
from models.closed_form import refusal_outside_linear_spaces, solved
from models.hypothesis_spaces.base import HypothesisSpace
from models.large_samples import is_streamed, streamed_operations
from models.learners.base import Advance, Details, Fitted, Learner
from models.least_squares import minimum_norm_solution
from models.optimisation import Precision
from models.randomness import Randomness
from models.samples import Sample


class LeastSquares(Learner):
    """a^ = Phi^+ y: of all minimisers of (1/n) |Phi a - y|^2 the one of smallest |a|, gradient descent's limit from 0.

    Where m >= n and the rows of Phi are independent it interpolates the sample. Singular values below
    max(n, m) eps s_max count as 0. `details`: the solver, the rank, and the condition number s_max / s_rank of what
    was inverted; the risk of the minimiser is as large as that allows near m = n. Where n m features are too many to
    hold, `models.large_samples` computes them in blocks, and `details` names the readings. The start matters only for
    its frozen features.
    """

    kind: Literal["least_squares"]
    precision: Annotated[Precision, Field(description="Arithmetic of the decomposition.")] = "float64"

    statement: ClassVar[str] = "â = Φ⁺y = argmin { ‖a‖ : a ∈ argmin (1/n)‖Φa − y‖² }"
    formula: ClassVar[str] = (
        r"\hat{a} = \Phi^+ y = \operatorname*{argmin}\limits_a \left\{\|a\|_2 \;:\; \|\Phi a - y\|^2 = \min\limits_b "
        r"\|\Phi b - y\|^2\right\}"
    )
    reference: ClassVar[str] = "penrose1956best"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "least_squares"},
        {"kind": "least_squares", "standardise": True},
        {"kind": "least_squares", "precision": "float32"},
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
        details: Details = {"solver": "svd"}

        def solve(features: Features, labels: Labels) -> Tensor:
            solution = minimum_norm_solution(features, labels)
            details.update(rank=solution.rank, condition_number=solution.condition_number)
            return solution.coefficients

        penalty = 0.0 if self.precision == "float64" else None
        parameters, point, outputs = solved(
            space, sample, randomness, advance, start, self.precision, solve, details.update, penalty
        )
        return Fitted(parameters, (point,), details, outputs)

    def streams(self, sample_size: int, features: int) -> bool:
        """In float64."""
        return self.precision == "float64" and is_streamed(sample_size, features)

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Features, and a singular value decomposition: about 6 l s^2 + 20 s^3 for sides s <= l."""
        width = space.feature_count(input_dimension)
        if self.streams(sample_size, width):
            return streamed_operations(sample_size, width, space.flops_per_row(input_dimension, output_dimension))
        small, large = sorted((sample_size, width))
        factor = 6.0 * large * small**2 + 20.0 * small**3
        return factor + sample_size * space.flops_per_row(input_dimension, output_dimension)
