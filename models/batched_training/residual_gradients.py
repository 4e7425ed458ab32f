"""Risks of many residual networks and their gradients, by hand."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.batched_training.gradients import Block, put
from models.batched_training.layers import LayerGradients, relu_pulled
from models.batched_training.rows import StackedRows
from models.batched_training.stacking import StackedParameters
from models.hypothesis_spaces.residual import Residual


class ResidualGradients(LayerGradients):
    """With h_l = relu(W_l z_l), z_{l+1} = z_l + (1/L) U_l h_l, f = A^T z_L and r = f - y, sums over the rows:

    dR/dA = (2/n) sum z_L r^T; with q_L = A r, p_l = (1/L) sigma'(W_l z_l) * U_l^T q_{l+1} and
    q_l = q_{l+1} + W_l^T p_l, dR/dU_l = (2/(n L)) sum q_{l+1} h_l^T, dR/dW_l = (2/n) sum p_l z_l^T and
    dR/dV = (2/n) sum q_0 x~^T.
    """

    def __init__(self, space: Residual, like: StackedParameters) -> None:
        """For networks of `space` in the precision and place of `like`."""
        states = like["coefficients"].shape[1]
        # States and activations of every layer, and the gradients of one.
        super().__init__(like, (space.depth + 2) * (states + space.width))
        self._depth = space.depth

    def squares(self, theta: StackedParameters, rows: StackedRows, block: Block) -> Float[Tensor, " b"]:
        """See Gradients."""
        theta = theta.part(block.networks)
        last = self._flow(theta, rows, block)[0][-1]
        return self.residuals(theta, last, rows, block).square().sum(dim=(1, 2))

    def _flow(self, theta: StackedParameters, rows: StackedRows, block: Block) -> tuple[list[Tensor], list[Tensor]]:
        """z_0, .., z_L, and h_0, .., h_{L-1}."""
        states, layers = [self.first_layer(theta, rows, block, relu=False)], list[Tensor]()
        for index in range(self._depth):
            layers.append(self.product(f"h{index}", theta["inner_weights"][:, index], states[-1]).relu_())
            out = self.buffer(f"z{index + 1}", *states[0].shape)
            outer = theta["outer_weights"][:, index]
            states.append(torch.baddbmm(states[-1], outer, layers[-1], alpha=1 / self._depth, out=out))
        return states, layers

    def accumulate(self, theta: StackedParameters, rows: StackedRows, block: Block, into: StackedParameters) -> None:
        """See Gradients."""
        theta, into, first = theta.part(block.networks), into.part(block.networks), block.rows.start == 0
        states, layers = self._flow(theta, rows, block)
        residuals = self.residuals(theta, states[-1], rows, block)
        self.put_coefficients(residuals, states[-1], block, into)
        upstream = self.below_outputs(theta, residuals)
        for index in reversed(range(self._depth)):
            # z_{l+1} is not needed any more, and carries q_{l+1} / L.
            share = torch.mul(upstream, 1 / self._depth, out=states[index + 1])
            put(into["outer_weights"][:, index], torch.bmm(share, layers[index].mT), first)
            pulled = relu_pulled(self.product("p", theta["outer_weights"][:, index].mT, share), layers[index])
            put(into["inner_weights"][:, index], torch.bmm(states[index], pulled.mT).mT, first)
            upstream.baddbmm_(theta["inner_weights"][:, index].mT, pulled)
        self.put_first_layer(upstream, rows, block, into)
