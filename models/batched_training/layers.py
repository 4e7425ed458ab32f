"""Layers of many networks: each network's own matrix with its own activations, neurons before rows."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.batched_training.gradients import Block, Gradients, put
from models.batched_training.rows import StackedRows
from models.batched_training.stacking import StackedParameters

aten = torch.ops.aten


class LayerGradients(Gradients):
    """What deep and residual networks share: their first layer, their outputs, and the products between.

    Thin products are written so that the long side comes last: MKL is several times slower with few columns.
    """

    def __init__(self, like: StackedParameters, activations: int) -> None:
        """For networks with this many `activations` for each row, in the precision and place of `like`."""
        super().__init__(like["input_weights"], activations)
        _, self._first_width, self._columns = like["input_weights"].shape

    def alone(self, networks: int, rows: int) -> bool:
        """The first layers of networks that share a sample are one product, which is a small part of the work."""
        return False

    def first_layer(
        self, theta: StackedParameters, rows: StackedRows, block: Block, relu: bool
    ) -> Float[Tensor, "b w n"]:
        """V x~_i, or max(0, V x~_i)."""
        inputs = rows.inputs[block.samples, block.rows]
        stacked = theta["input_weights"].view(inputs.shape[0], -1, self._columns)
        out = self.buffer("first", inputs.shape[0], stacked.shape[1], inputs.shape[1])
        return self.products.forward(stacked, inputs, out, relu).view(-1, self._first_width, inputs.shape[1])

    def put_first_layer(
        self, upstream: Float[Tensor, "b w n"], rows: StackedRows, block: Block, into: StackedParameters
    ) -> None:
        """The gradient of the first layer's weights, from that of its result."""
        inputs = rows.inputs[block.samples, block.rows]
        sums = self.products.backward(upstream.view(inputs.shape[0], -1, inputs.shape[1]), inputs)
        put(into["input_weights"].view(sums.shape), sums, block.rows.start == 0)

    def residuals(
        self, theta: StackedParameters, last: Float[Tensor, "b w n"], rows: StackedRows, block: Block
    ) -> Float[Tensor, "b k n"]:
        """A^T h_i - y_i."""
        return self.less_labels(self.product("r", theta["coefficients"].mT, last), rows, block)

    def put_coefficients(
        self, residuals: Float[Tensor, "b k n"], last: Float[Tensor, "b w n"], block: Block, into: StackedParameters
    ) -> None:
        """The gradient of A."""
        put(into["coefficients"], torch.bmm(residuals, last.mT).mT, block.rows.start == 0)

    def below_outputs(self, theta: StackedParameters, residuals: Float[Tensor, "b k n"]) -> Float[Tensor, "b w n"]:
        """A r_i."""
        coefficients = theta["coefficients"]
        if residuals.shape[1] > 1:
            return self.product("below", coefficients, residuals)
        out = self.buffer("below", coefficients.shape[0], coefficients.shape[1], residuals.shape[2])
        return torch.mul(coefficients, residuals, out=out)

    def product(
        self, name: str, weights: Float[Tensor, "b o i"], layer: Float[Tensor, "b i n"]
    ) -> Float[Tensor, "b o n"]:
        """W h, to the buffer `name`."""
        return torch.bmm(weights, layer, out=self.buffer(name, layer.shape[0], weights.shape[1], layer.shape[2]))


def relu_pulled(upstream: Tensor, activations: Tensor) -> Tensor:
    """sigma'(z) * upstream in place, where `activations` are sigma(z) = max(0, z)."""
    return aten.threshold_backward.grad_input(upstream, activations, 0, grad_input=upstream)
