"""A learned model: the hypothesis in the data's own units, scaling and clipping included."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Inputs, Outputs, Parameters
from models.hypothesis_spaces.base import HypothesisSpace
from models.scaling import AffineScaling


@dataclass(frozen=True)
class OutputRange:
    """The interval [lower, upper] of each output, to which predictions are clipped."""

    lower: Float[Tensor, " k"]
    upper: Float[Tensor, " k"]


@dataclass(frozen=True)
class LearnedModel:
    """x -> clip( unscale( f( scale(x); theta ) ) ): what is measured, certified, exported and served is this map.

    `output_range` None: not clipped.
    """

    space: HypothesisSpace
    parameters: Parameters
    input_scaling: AffineScaling
    output_scaling: AffineScaling
    output_range: OutputRange | None = None

    def __call__(self, inputs: Inputs) -> Outputs:
        """Predictions in label units, computed in the parameters' precision, returned in the inputs'."""
        precision = next(iter(self.parameters.values())).dtype
        scaled = self.input_scaling.apply(inputs).to(precision)
        return self.finished(self.space.evaluate(self.parameters, scaled).to(inputs.dtype))

    def finished(self, outputs: Outputs) -> Outputs:
        """Of f(scale(x_i); theta), in scaled units: the predictions, unscaled and clipped."""
        outputs = self.output_scaling.invert(outputs)
        if self.output_range is None:
            return outputs
        return torch.clamp(outputs, self.output_range.lower.to(outputs), self.output_range.upper.to(outputs))
