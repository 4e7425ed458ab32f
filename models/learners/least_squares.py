"""Least squares: the empirical minimiser of a linear space, the one of smallest norm where there are many."""

from typing import Any, ClassVar, Literal

import torch

from models.arrays import Parameters
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Advance, Fitted, Learner, LearningCurvePoint
from models.least_squares import minimum_norm_solution
from models.optimisation import empirical_risk, starting_parameters
from models.randomness import Randomness
from models.samples import Sample


class LeastSquares(Learner):
    """a^ = Phi^+ y: of all minimisers of (1/n) |Phi a - y|^2 the one of smallest |a|, gradient descent's limit from 0.

    Where m >= n and the rows of Phi are independent it interpolates the sample. Singular values below
    max(n, m) eps s_max count as 0. `details`: the solver, the rank, and the condition number s_max / s_rank of what
    was inverted; the risk of the minimiser is as large as that allows near m = n. The start matters only for its
    frozen features.
    """

    kind: Literal["least_squares"]

    statement: ClassVar[str] = "â = Φ⁺y = argmin { ‖a‖ : a ∈ argmin (1/n)‖Φa − y‖² }"
    reference: ClassVar[str] = "penrose1956best"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "least_squares"},
        {"kind": "least_squares", "standardise": True},
    )

    def refuses(self, space: HypothesisSpace) -> str | None:
        """Only linear spaces have a closed form."""
        if space.linear:
            return None
        return f"least_squares solves linear spaces in closed form; {space.kind} is not linear in its parameters."

    def fit(
        self,
        space: HypothesisSpace,
        sample: Sample,
        randomness: Randomness,
        advance: Advance,
        start: Parameters | None = None,
    ) -> Fitted:
        """Solve. One step; raises NumericalFailure where a feature is not finite."""
        if not isinstance(space, LinearSpace):
            raise TypeError(self.refuses(space))
        advance(0, 1)
        parameters = starting_parameters(space, sample, randomness, start)
        with torch.no_grad():
            features = space.features(parameters, sample.inputs)
            solved = minimum_norm_solution(features, sample.labels)
            parameters["coefficients"] = solved.coefficients
            risk = float(empirical_risk(features @ solved.coefficients, sample.labels))
        advance(1, 1)
        details: dict[str, float | int | str] = {
            "solver": "svd",
            "rank": solved.rank,
            "condition_number": solved.condition_number,
        }
        return Fitted(parameters, (LearningCurvePoint(1, risk),), details)

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Features, and a singular value decomposition: about 6 l s^2 + 20 s^3 for sides s <= l."""
        width = space.feature_count(input_dimension)
        small, large = sorted((sample_size, width))
        factor = 6.0 * large * small**2 + 20.0 * small**3
        return factor + sample_size * space.flops_per_row(input_dimension, output_dimension)
