"""Risks of many two-layer networks and their gradients, by hand."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.batched_training.activation_rules import ACTIVATION_RULES
from models.batched_training.gradients import Block, Gradients, put
from models.batched_training.rows import StackedRows
from models.batched_training.stacking import StackedParameters
from models.hypothesis_spaces.two_layer import TwoLayer


class TwoLayerGradients(Gradients):
    """With z = W x, h = sigma(z), f = alpha A^T h and r = f - y: dR/dA = (2 alpha/n) sum_i h_i r_i^T and
    dR/dW = (2 alpha/n) sum_i (sigma'(z_i) * A r_i) x_i^T, where x ends in the constant 1. For relu and one output,
    a_j dR/da_j = w_j . dR/dw_j, since a sigma(w.x) is homogeneous in both; one pass less.
    """

    def __init__(self, space: TwoLayer, like: StackedParameters) -> None:
        """For networks of `space` in the precision and place of `like`."""
        super().__init__(like["weights"], space.width)
        self._width = space.width
        self._factor = space.factor
        self._relu = space.activation == "relu"
        self._rule = ACTIVATION_RULES[space.activation]
        self._outputs, self._columns = like["coefficients"].shape[1], like["weights"].shape[2]

    def alone(self, networks: int, rows: int) -> bool:
        """Networks that share a sample are one product."""
        return self.products.alone(networks * self._width, rows, self._columns)

    def squares(self, theta: StackedParameters, rows: StackedRows, block: Block) -> Float[Tensor, " b"]:
        """See Gradients."""
        return self._residuals(theta, rows, block)[-1].square().sum(dim=(1, 2)) * self._factor**2

    def _residuals(self, theta: StackedParameters, rows: StackedRows, block: Block) -> tuple[Tensor, Tensor, Tensor]:
        """z (or sigma(z), where z is not kept) and sigma(z), both (b, m, n), and r / alpha, (b, k, n)."""
        inputs, weights = rows.inputs[block.samples, block.rows], theta["weights"][block.networks]
        (samples, size, _), networks = inputs.shape, weights.shape[0]
        stacked = weights.view(samples, -1, self._columns)
        out = self.buffer("z", samples, stacked.shape[1], size)
        z = self.products.forward(stacked, inputs, out, self._relu).view(networks, self._width, size)
        h = z
        if not self._relu:
            spare = self.buffer("h", *z.shape) if self._rule.keeps_preactivations else z
            h = self._rule.apply(z, spare)
        residuals = self.buffer("r", networks, self._outputs, size)
        torch.bmm(theta["coefficients"][block.networks], h, out=residuals)
        # Residuals are carried as r / alpha, so that outputs are scaled nowhere but here.
        self.less_labels(residuals, rows, block, self._factor)
        return z, h, residuals

    def accumulate(self, theta: StackedParameters, rows: StackedRows, block: Block, into: StackedParameters) -> None:
        """See Gradients."""
        z, h, residuals = self._residuals(theta, rows, block)
        first = block.rows.start == 0
        if not (self._relu and self._outputs == 1):
            put(into["coefficients"][block.networks], torch.bmm(residuals, h.mT), first)
        if self._outputs == 1:
            upstream = residuals.expand(z.shape)  # a_j is a factor of the sum over the rows
        else:
            upstream = self.buffer("upstream", *z.shape)
            torch.bmm(theta["coefficients"][block.networks].mT, residuals, out=upstream)
        pulled = self._rule.pull_back(upstream, z, h, z)
        inputs = rows.inputs[block.samples, block.rows]
        sums = self.products.backward(pulled.view(inputs.shape[0], -1, inputs.shape[1]), inputs)
        target = into["weights"][block.networks]
        put(target.view(sums.shape), sums, first)

    def finish(self, theta: StackedParameters, networks: slice, size: int, into: StackedParameters) -> None:
        """See Gradients."""
        weights, coefficients = into["weights"][networks], into["coefficients"][networks]
        weights.mul_(2 * self._factor**2 / size)
        if self._outputs > 1:
            coefficients.mul_(2 * self._factor**2 / size)
            return
        if self._relu:
            moments = torch.mul(weights, theta["weights"][networks], out=self.buffer("moments", *weights.shape))
            torch.sum(moments, dim=2, out=coefficients[:, 0])
        else:
            coefficients.mul_(2 * self._factor**2 / size)
        weights.mul_(theta["coefficients"][networks].mT)
