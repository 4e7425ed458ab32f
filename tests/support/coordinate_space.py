"""The linear space whose decompositions are known in closed form."""

from typing import ClassVar, Literal

import torch

from models.hypothesis_spaces.base import LinearSpace


class FirstCoordinates(LinearSpace):
    """f(x) = sum_{j < p} a_j x_j."""

    kind: Literal["first_coordinates"] = "first_coordinates"
    width: int
    random: ClassVar[bool] = False

    def with_width(self, width):
        return FirstCoordinates(width=width)

    def draw(self, input_dimension, output_dimension, randomness, dtype):
        return {"coefficients": torch.zeros(self.width, output_dimension, dtype=dtype)}

    def features(self, parameters, inputs):
        return inputs[:, : self.width]

    def onnx(self, graph, inputs, parameters):
        raise NotImplementedError

    def parameter_count(self, input_dimension, output_dimension):
        return self.width * output_dimension

    def flops_per_row(self, input_dimension, output_dimension):
        return 2.0 * self.width * output_dimension
