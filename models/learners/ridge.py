"""Ridge regression: the penalised empirical minimiser of a linear space in closed form."""

from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from models.arrays import Parameters
from models.gradient_flow import largest_eigenvalue
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Advance, Fitted, Learner, LearningCurvePoint
from models.least_squares import leave_one_out_penalty, ridge_solution
from models.optimisation import empirical_risk, starting_parameters
from models.randomness import Randomness
from models.samples import Sample

CANDIDATES = 25


class Ridge(Learner):
    """a^ = argmin_a (1/n) |Phi a - y|^2 + penalty |a|^2.

    Penalty 0 gives the least-squares solution of smallest norm, which interpolates where m >= n. Without a `penalty`
    the one of smallest leave-one-out risk is taken from 25 candidates between 1e-10 and 100 times the largest
    eigenvalue of Phi^T Phi / n. `details` names the penalty used. The start matters only for its frozen features.
    """

    kind: Literal["ridge"]
    penalty: Annotated[
        float | None, Field(ge=0, le=1e12, description="Penalty on |a|^2; 0: minimum norm; None: leave-one-out.")
    ] = None

    statement: ClassVar[str] = "â = argmin_a (1/n)‖Φa − y‖² + λ‖a‖²;  λ → 0: the minimum-norm minimiser"
    reference: ClassVar[str] = "hoerl1970ridge"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "ridge"},
        {"kind": "ridge", "penalty": 0.0},
        {"kind": "ridge", "penalty": 1e-3, "standardise": True},
    )

    def refuses(self, space: HypothesisSpace) -> str | None:
        """Only linear spaces have a closed form."""
        if space.linear:
            return None
        return f"ridge solves linear spaces in closed form; {space.kind} is not linear in its parameters."

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
            penalty = self._chosen_penalty(features, sample.labels) if self.penalty is None else self.penalty
            parameters["coefficients"], solver = ridge_solution(features, sample.labels, penalty)
            risk = float(empirical_risk(features @ parameters["coefficients"], sample.labels))
        advance(1, 1)
        return Fitted(parameters, (LearningCurvePoint(1, risk),), {"penalty": penalty, "solver": solver})

    def _chosen_penalty(self, features: torch.Tensor, labels: torch.Tensor) -> float:
        top = largest_eigenvalue(features)
        if top == 0.0:
            return 1.0
        return leave_one_out_penalty(features, labels, top * torch.logspace(-10, 2, CANDIDATES).to(features))

    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Features, Gram matrix and factorisation; about ten times that with the choice of the penalty."""
        width = space.feature_count(input_dimension)
        small, large = sorted((sample_size, width))
        solve = 2.0 * large * small**2 + small**3
        if self.penalty is None:
            solve += 12.0 * small**3 + 2.0 * large * small**2 + 4.0 * CANDIDATES * sample_size * small
        return solve + sample_size * space.flops_per_row(input_dimension, output_dimension)
