"""Uniform bound on the generalization gap of a linear space by the norm of its coefficients."""

from typing import Annotated, Literal

import torch
from pydantic import Field

from models.arrays import Features, Inputs
from models.assumptions import Assumption, standing
from models.bounds._uniform_gap import FIXED_LOSS, IID, ONE_OUTPUT, outputs_refusal, uniform_gap
from models.bounds.base import Bound, BoundReport, BoundSubject
from models.complexities.rkhs_ball import rkhs_ball_complexity
from models.hypothesis_spaces.base import LinearSpace
from models.learned_model import LearnedModel

LINEAR = Assumption(name="linear_space", text="f(x) = phi(x).a is linear in the coefficients that were learnt.")
FROZEN = Assumption(
    name="features_fixed_before_sample",
    text="The features phi, and the scaling of the inputs inside them, do not depend on the training sample.",
)


class RkhsBall(Bound):
    """The gap over the ball of the kernel k(x,x') = phi(x).phi(x') that contains the model, chosen after training.

    For frozen random features the kernel is that of the drawn features, so that no approximation of a limiting kernel
    enters. An output offset is one more feature, the constant.
    """

    kind: Literal["rkhs_ball"]
    sign_draws: Annotated[
        int, Field(ge=100, le=100_000, description="Random sign vectors for the complexity; more tighten it.")
    ] = 1000

    statement = (
        "With probability at least 1 - delta, for every f = phi.a of norm ||a||_2 <= Q, Q on the grid sqrt(M) 2^(k/8): "
        "R(f) - R_n(f) <= 4 sqrt(M) (Q/N) E sqrt(xi^T K xi) + M sqrt(2 ln(pairs/(delta w_k))/N) + (R_N(f) - R_n(f)), "
        "K_il = phi(x_i).phi(x_l); loss min(|clip f - y|^2, M), N = n - 2 rows beside the two that set the clipping "
        "range (pairs = n(n-1)), or N = n and pairs = 1 where the range was given"
    )
    assumptions = (IID, FIXED_LOSS, ONE_OUTPUT, LINEAR, FROZEN)
    reference = "bartlett2002rademacher"
    examples = ({"kind": "rkhs_ball"}, {"kind": "rkhs_ball", "sign_draws": 4000})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound on the gap. Randomness: the stream `rkhs_signs` of the subject."""
        several = outputs_refusal(self, subject, delta)
        if several is not None:
            return several
        space = subject.model.space
        if not isinstance(space, LinearSpace):
            reason = f"The space {space.kind!r} of this model is not linear in its trainable parameters."
            return self.refused(subject, delta, "generalization_gap", reason, (standing(LINEAR, "failed", reason),))
        if space.depends_on_sample:
            reason = f"The features of the space {space.kind!r} are built on the training rows."
            refusal = (standing(LINEAR, "checked"), standing(FROZEN, "failed", reason))
            return self.refused(subject, delta, "generalization_gap", reason, refusal)
        if subject.scaled_from_sample:
            reason = (
                "The inputs were standardised by the training rows, so the features depend on the sample; "
                "train with standardise = false to get this bound."
            )
            refusal = (standing(LINEAR, "checked"), standing(FROZEN, "failed", reason))
            return self.refused(subject, delta, "generalization_gap", reason, refusal)

        def complexity(inputs: Inputs, failure_probability: float) -> float:
            randomness = subject.randomness.child("rkhs_signs")
            return rkhs_ball_complexity(
                lambda rows: _features(subject.model, space, rows),
                inputs,
                self.sign_draws,
                failure_probability,
                randomness,
            ).upper

        frozen = standing(FROZEN, "checked", "The features were drawn from the seed alone and not trained.")
        norm = _norm(subject.model)
        return uniform_gap(self, subject, delta, norm, complexity, (standing(LINEAR, "checked"), frozen))


def _offset(model: LearnedModel) -> float:
    return float(model.output_scaling.shift[0])


def _features(model: LearnedModel, space: LinearSpace, inputs: Inputs) -> Features:
    """phi(x_i) of the raw inputs, with the constant feature where the model has an output offset."""
    scaled = model.input_scaling.apply(inputs).to(model.parameters["coefficients"].dtype)
    features = space.features(model.parameters, scaled)
    return features if _offset(model) == 0 else torch.cat([features, torch.ones_like(features[:, :1])], dim=1)


def _norm(model: LearnedModel) -> float:
    """Euclidean norm of the coefficients in label units, the output offset counted as one of them."""
    coefficients = model.parameters["coefficients"].to(torch.float64)[:, 0] * model.output_scaling.scale[0]
    return float(torch.linalg.vector_norm(torch.cat([coefficients, model.output_scaling.shift[:1]])))
