"""Risks of many fully connected ReLU networks and their gradients, by hand."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.batched_training.gradients import Block, put
from models.batched_training.layers import LayerGradients, relu_pulled
from models.batched_training.rows import StackedRows
from models.batched_training.stacking import StackedParameters
from models.hypothesis_spaces.deep import Deep


class DeepGradients(LayerGradients):
    """With h_l = relu(z_l), z_l = W_l h_{l-1} + c_l, f = A^T h_L and r = f - y, sums over the rows:

    dR/dA = (2/n) sum h_L r^T; with g_L = sigma'(z_L) * A r and g_{l-1} = sigma'(z_{l-1}) * W_l^T g_l,
    dR/dW_l = (2/n) sum g_l h_{l-1}^T and dR/dc_l = (2/n) sum g_l, where h_0 = x ends in the constant 1.
    """

    def __init__(self, space: Deep, like: StackedParameters) -> None:
        """For networks of `space` in the precision and place of `like`."""
        # Activations of every layer, and the gradients of two.
        super().__init__(like, (space.depth + 2) * space.width)
        self._hidden = space.depth - 1

    def squares(self, theta: StackedParameters, rows: StackedRows, block: Block) -> Float[Tensor, " b"]:
        """See Gradients."""
        theta = theta.part(block.networks)
        last = self._layers(theta, rows, block)[-1]
        return self.residuals(theta, last, rows, block).square().sum(dim=(1, 2))

    def _layers(self, theta: StackedParameters, rows: StackedRows, block: Block) -> list[Tensor]:
        """h_1, .., h_L."""
        layers = [self.first_layer(theta, rows, block, relu=True)]
        for index in range(self._hidden):
            weights, biases = theta["hidden_weights"][:, index], theta["hidden_biases"][:, index, :, None]
            out = self.buffer(f"h{index + 2}", *layers[0].shape)
            layers.append(torch.baddbmm(biases, weights, layers[-1], out=out).relu_())
        return layers

    def accumulate(self, theta: StackedParameters, rows: StackedRows, block: Block, into: StackedParameters) -> None:
        """See Gradients."""
        theta, into, first = theta.part(block.networks), into.part(block.networks), block.rows.start == 0
        layers = self._layers(theta, rows, block)
        residuals = self.residuals(theta, layers[-1], rows, block)
        self.put_coefficients(residuals, layers[-1], block, into)
        pulled = relu_pulled(self.below_outputs(theta, residuals), layers[-1])
        for index in reversed(range(self._hidden)):
            below = layers[index]
            put(into["hidden_weights"][:, index], self.products.backward(pulled, below.mT), first)
            put(into["hidden_biases"][:, index], pulled.sum(dim=2), first)
            # Two buffers in turn: a product may not overwrite its factor.
            name = f"g{index % 2}"
            pulled = relu_pulled(self.product(name, theta["hidden_weights"][:, index].mT, pulled), below)
        self.put_first_layer(pulled, rows, block, into)
