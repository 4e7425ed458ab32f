"""Risks of many two-layer networks and their gradients, by hand."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.batched_training.activation_rules import ACTIVATION_RULES
from models.batched_training.products import Products
from models.batched_training.rows import StackedRows, equal_share
from models.batched_training.stacking import StackedParameters
from models.hypothesis_spaces.two_layer import TwoLayer

BLOCK_ELEMENTS = {"cpu": 2**21, "cuda": 2**28}
"""Activations held at a time: a part of the last cache, so that calls are few, or of an accelerator's memory."""


@dataclass(frozen=True)
class _Block:
    """Networks first:last, which see `samples` in equal shares, on a range of rows."""

    networks: slice
    samples: slice
    rows: slice


class TwoLayerGradients:
    """Of (1/n) sum_i |f_b(x_i) - y_i|^2 for B networks of one space, B/G of them in turn on each of G samples.

    With z = W x, h = sigma(z), f = alpha A^T h and r = f - y: dR/dA = (2 alpha/n) sum_i h_i r_i^T and
    dR/dW = (2 alpha/n) sum_i (sigma'(z_i) * A r_i) x_i^T, where x ends in the constant 1. For relu and one output,
    a_j dR/da_j = w_j . dR/dw_j, since a sigma(w.x) is homogeneous in both; one pass less.

    Blocks of networks, or of rows where one network is large, keep the activations in cache. Buffers are kept.
    """

    def __init__(self, space: TwoLayer, like: StackedParameters) -> None:
        """For networks of `space` in the precision and place of `like`."""
        self._width = space.width
        self._factor = space.factor
        self._relu = space.activation == "relu"
        self._rule = ACTIVATION_RULES[space.activation]
        self._outputs, self._columns = like.coefficients.shape[1], like.weights.shape[2]
        self._products = Products(like.weights.dtype, like.weights.device)
        self._block_elements = BLOCK_ELEMENTS.get(like.weights.device.type, BLOCK_ELEMENTS["cuda"])
        self._like = like.weights
        self._buffers: dict[str, Tensor] = {}
        self._views: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    @torch.no_grad()
    def risks(self, theta: StackedParameters, rows: StackedRows) -> Float[Tensor, " b"]:
        """R of each network on its sample."""
        total = self._like.new_zeros(theta.networks)
        labels = self._labels(rows)
        for block in self._blocks(theta.networks, rows):
            residuals = self._residuals(theta, rows, labels, block)[-1]
            total[block.networks] += residuals.square().sum(dim=(1, 2))
        return total * (self._factor**2 / rows.size)

    @torch.no_grad()
    def write(self, theta: StackedParameters, rows: StackedRows, into: StackedParameters) -> None:
        """The gradients at `theta`, to `into`."""
        labels = self._labels(rows)
        for block in self._blocks(theta.networks, rows):
            self._accumulate(theta, rows, labels, block, into)
            if block.rows.stop == rows.size:
                self._finish(theta, block.networks, rows.size, into)

    def _labels(self, rows: StackedRows) -> Float[Tensor, "g k n"]:
        # Residuals are carried as r / alpha, so that outputs are scaled nowhere but here.
        labels = rows.labels.transpose(1, 2)
        return labels if self._factor == 1 else labels / self._factor

    def _blocks(self, networks: int, rows: StackedRows) -> Iterator[_Block]:
        share = equal_share(networks, rows.samples)
        fit = self._block_elements // (self._width * rows.size)
        alone = self._products.one_sample_at_a_time(max(1, min(fit, share)) * self._width, rows.size, self._columns)
        if fit >= share and not alone:
            together = fit // share
            for first in range(0, rows.samples, together):
                last = min(first + together, rows.samples)
                yield _Block(slice(first * share, last * share), slice(first, last), slice(0, rows.size))
            return
        at_once = max(1, min(fit, share))
        few = rows.size if fit else max(1, self._block_elements // self._width)
        for sample in range(rows.samples):
            for first in range(0, share, at_once):
                last = min(first + at_once, share)
                chosen = slice(sample * share + first, sample * share + last)
                for row in range(0, rows.size, few):
                    yield _Block(chosen, slice(sample, sample + 1), slice(row, min(row + few, rows.size)))

    def _buffer(self, name: str, *shape: int) -> Tensor:
        # A view costs as much as a small operation, so that those of every shape are kept.
        if (name, shape) not in self._views:
            size = torch.Size(shape).numel()
            if name not in self._buffers or self._buffers[name].numel() < size:
                self._buffers[name] = self._like.new_empty(size)
                self._views = {key: view for key, view in self._views.items() if key[0] != name}
            self._views[name, shape] = self._buffers[name][:size].view(shape)
        return self._views[name, shape]

    def _residuals(
        self, theta: StackedParameters, rows: StackedRows, labels: Tensor, block: _Block
    ) -> tuple[Tensor, Tensor, Tensor]:
        """z (or sigma(z), where z is not kept) and sigma(z), both (b, m, n), and r / alpha, (b, k, n)."""
        inputs, weights = rows.inputs[block.samples, block.rows], theta.weights[block.networks]
        (samples, size, _), networks = inputs.shape, weights.shape[0]
        stacked = weights.view(samples, -1, self._columns)
        out = self._buffer("z", samples, stacked.shape[1], size)
        z = self._products.forward(stacked, inputs, out, self._relu).view(networks, self._width, size)
        h = z
        if not self._relu:
            spare = self._buffer("h", *z.shape) if self._rule.keeps_preactivations else z
            h = self._rule.apply(z, spare)
        residuals = self._buffer("r", networks, self._outputs, size)
        torch.bmm(theta.coefficients[block.networks], h, out=residuals)
        residuals.view(samples, -1, self._outputs, size).sub_(labels[block.samples, None, :, block.rows])
        return z, h, residuals

    def _accumulate(
        self, theta: StackedParameters, rows: StackedRows, labels: Tensor, block: _Block, into: StackedParameters
    ) -> None:
        z, h, residuals = self._residuals(theta, rows, labels, block)
        first = block.rows.start == 0
        if not (self._relu and self._outputs == 1):
            _put(into.coefficients[block.networks], torch.bmm(residuals, h.transpose(1, 2)), first)
        if self._outputs == 1:
            upstream = residuals.expand(z.shape)  # a_j is a factor of the sum over the rows
        else:
            upstream = self._buffer("upstream", *z.shape)
            torch.bmm(theta.coefficients[block.networks].transpose(1, 2), residuals, out=upstream)
        pulled = self._rule.pull_back(upstream, z, h, z)
        inputs = rows.inputs[block.samples, block.rows]
        sums = self._products.backward(pulled.view(inputs.shape[0], -1, inputs.shape[1]), inputs)
        target = into.weights[block.networks]
        _put(target.view(sums.shape), sums, first)

    def _finish(self, theta: StackedParameters, networks: slice, size: int, into: StackedParameters) -> None:
        weights, coefficients = into.weights[networks], into.coefficients[networks]
        weights.mul_(2 * self._factor**2 / size)
        if self._outputs > 1:
            coefficients.mul_(2 * self._factor**2 / size)
            return
        if self._relu:
            moments = torch.mul(weights, theta.weights[networks], out=self._buffer("moments", *weights.shape))
            torch.sum(moments, dim=2, out=coefficients[:, 0])
        else:
            coefficients.mul_(2 * self._factor**2 / size)
        weights.mul_(theta.coefficients[networks].transpose(1, 2))


def _put(target: Tensor, values: Tensor, first: bool) -> None:
    if first:
        target.copy_(values)
    else:
        target.add_(values)
