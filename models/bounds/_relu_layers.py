"""A learned model as a layered ReLU network of the raw inputs, scalings folded into its weights."""

import torch

from models.assumptions import Assumption, AssumptionStanding, standing
from models.bounds._uniform_gap import class_refusal
from models.bounds.base import Bound, BoundReport, BoundSubject
from models.complexities.path_norm_ball import PathNormed
from models.complexities.relu_networks import ReluLayers
from models.hypothesis_spaces.deep import Deep
from models.learned_model import LearnedModel

LAYERED = Assumption(
    name="layered_relu", text="f is a layered network whose hidden activations are max(0, t): two layers or more."
)


def relu_layers(model: LearnedModel) -> ReluLayers | None:
    """The first output of x -> unscale( f( scale(x) ) ) as a network of x, before clipping; None where f is none.

    Scalings learnt from the sample are weights like any other, so that the statement holds although they depend on it.
    """
    parameters = {name: value.to(torch.float64) for name, value in model.parameters.items()}
    if isinstance(model.space, PathNormed):
        weights = model.space.path_norm_weights(parameters)
        if weights is None:
            return None
        inner, biases, outer = [weights.inner], [weights.biases], weights.outer[:, 0]
    elif isinstance(model.space, Deep):
        inner = [parameters["input_weights"], *parameters["hidden_weights"]]
        biases = [parameters["input_biases"], *parameters["hidden_biases"]]
        outer = parameters["coefficients"][:, 0]
    else:
        return None
    first = inner[0] / model.input_scaling.scale
    return ReluLayers(
        weights=(first, *inner[1:]),
        biases=(biases[0] - first @ model.input_scaling.shift, *biases[1:]),
        outer=outer * model.output_scaling.scale[0],
        offset=float(model.output_scaling.shift[0]),
    )


def layered(
    bound: Bound, subject: BoundSubject, delta: float
) -> tuple[ReluLayers, tuple[AssumptionStanding, ...]] | BoundReport:
    """The layers with the standing of the assumption, or the refusal."""
    several = class_refusal(bound, subject, delta)
    if several is not None:
        return several
    layers = relu_layers(subject.model)
    if layers is None:
        reason = (
            f"The space {subject.model.space.kind!r} of this model is no layered network with activation max(0, t)."
        )
        return bound.refused(subject, delta, "generalization_gap", reason, (standing(LAYERED, "failed", reason),))
    return layers, (standing(LAYERED, "checked"),)
