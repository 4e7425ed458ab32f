"""One matrix of features for all widths of a linear space: the widest width's, up to a factor for each width."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from models.arrays import Features, Inputs, Parameters
from models.hypothesis_spaces.base import LinearSpace
from models.linear_grid.rows import HELD_FEATURES, ComputedRows, HeldRows, Rows
from models.samples import Sample

PROBE_ROWS = 64
NESTED = 1e-12
"""Largest difference from the widest width's features, relative to the largest feature."""
STRETCH = 1e3
"""How far outside the probe features are looked at that are silent on it."""
BLOCK_ROWS = 4_096


@dataclass(frozen=True)
class NestedFeatures:
    """The features of width i are `factors[i]` times the first `counts[i]` features of `space` at `parameters`.

    `drawn[i]` are the parameters of width i. Coefficients a of width i stand for factors[i] a in common features.
    """

    space: LinearSpace
    parameters: Parameters
    drawn: tuple[Parameters, ...]
    counts: tuple[int, ...]
    factors: tuple[float, ...]

    @property
    def count(self) -> int:
        """Common features."""
        return max(self.counts)

    def features(self, inputs: Inputs) -> Features:
        """The common features at the inputs, on the parameters' device and in their precision."""
        with torch.no_grad():
            return self.space.features(self.parameters, inputs.to(self.parameters["coefficients"]))

    def rows(self, sample: Sample) -> Rows:
        """The sample's rows: held where they fit, otherwise computed at each reading."""
        like = self.parameters["coefficients"]
        labels = sample.labels.to(like)
        if sample.size * self.count <= HELD_FEATURES:
            return HeldRows(self.features(sample.inputs), labels)
        return ComputedRows(lambda i, j: (self.features(sample.inputs[i:j]), labels[i:j]), BLOCK_ROWS)


def nested_features(spaces: Sequence[LinearSpace], drawn: Sequence[Parameters], probe: Inputs) -> NestedFeatures | None:
    """The common features of spaces with their draws, or None where the `probe` inputs show that they are not nested.

    The factor of a width is measured on the probe.
    """
    counts = [parameters["coefficients"].shape[0] for parameters in drawn]
    widest = counts.index(max(counts))
    # One space alone is its own first features, nested or not.
    if len(spaces) > 1 and any(not space.nested for space in spaces):
        return None
    # Mirrored inputs wake features that are zero on the domain's side.
    points = torch.cat([probe[:PROBE_ROWS], -probe[:PROBE_ROWS]]).to(drawn[widest]["coefficients"])
    widest_pair = spaces[widest], drawn[widest]
    with torch.no_grad():
        factors = []
        for space, parameters, count in zip(spaces, drawn, counts, strict=True):
            own, leading = (one.features(at, points)[:, :count] for one, at in ((space, parameters), widest_pair))
            if not bool(leading.any()):
                # A few relu features may all be silent on the domain; far outside they are not.
                far = STRETCH * points
                own, leading = (one.features(at, far)[:, :count] for one, at in ((space, parameters), widest_pair))
            norm = float((leading**2).sum())
            factor = float((own * leading).sum()) / norm if norm else 0.0
            if not factor or float((own - factor * leading).abs().max()) > NESTED * float(own.abs().max()):
                return None
            factors.append(factor)
    return NestedFeatures(spaces[widest], drawn[widest], tuple(drawn), tuple(counts), tuple(factors))
