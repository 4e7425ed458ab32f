"""Models that are linear in frozen features: f(x) = phi(x).a, the output offset as one more feature."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Features, Inputs
from models.assumptions import Assumption, AssumptionStanding, standing
from models.bounds._uniform_gap import class_refusal
from models.bounds.base import Bound, BoundReport, BoundSubject, Quantity
from models.hypothesis_spaces.base import LinearSpace
from models.learned_model import LearnedModel

LINEAR = Assumption(name="linear_space", text="f(x) = phi(x).a is linear in the coefficients that were learnt.")
FROZEN = Assumption(
    name="features_fixed_before_sample",
    text="The features phi, and the scaling of the inputs inside them, do not depend on the training sample.",
)


def linear_refusal(bound: Bound, subject: BoundSubject, delta: float, quantity: Quantity) -> BoundReport | None:
    """The refusal, naming the assumption, where f is no such model of one output; else None."""
    several = class_refusal(bound, subject, delta, quantity)
    if several is not None:
        return several
    space = subject.model.space
    if not isinstance(space, LinearSpace):
        because = f"The space {space.kind!r} of this model is not linear in its trainable parameters."
        return bound.refused(subject, delta, quantity, because, (standing(LINEAR, "failed", because),))
    reason: str | None = None
    if space.depends_on_sample:
        reason = f"The features of the space {space.kind!r} are built on the training rows."
    elif subject.scaled_from_sample:
        reason = (
            "The inputs were standardised by the training rows, so the features depend on the sample; "
            "train with standardise = false to get this bound."
        )
    elif subject.levels_from_sample:
        reason = "The features are drawn for as many inputs as the training rows show levels, so they depend on them."
    if reason is None:
        return None
    standings = (standing(LINEAR, "checked"), standing(FROZEN, "failed", reason))
    return bound.refused(subject, delta, quantity, reason, standings)


def frozen_standings() -> tuple[AssumptionStanding, ...]:
    """How the two assumptions stand where `linear_refusal` gave none."""
    because = "The features were drawn from the seed alone and not trained."
    return standing(LINEAR, "checked"), standing(FROZEN, "checked", because)


def _offset(model: LearnedModel) -> float:
    return float(model.output_scaling.shift[0])


def features_of(model: LearnedModel, inputs: Inputs) -> Features:
    """phi(x_i) of the raw inputs, with the constant feature where the model has an output offset."""
    if not isinstance(model.space, LinearSpace):
        raise TypeError("the space is not linear")
    scaled = model.input_scaling.apply(inputs).to(model.parameters["coefficients"].dtype)
    features = model.space.features(model.parameters, scaled)
    return features if _offset(model) == 0 else torch.cat([features, torch.ones_like(features[:, :1])], dim=1)


def coefficients_of(model: LearnedModel) -> Float[Tensor, " m"]:
    """a in label units, the output offset the last of them where there is one; float64."""
    coefficients = model.parameters["coefficients"].to(torch.float64)[:, 0] * model.output_scaling.scale[0]
    return coefficients if _offset(model) == 0 else torch.cat([coefficients, model.output_scaling.shift[:1]])
