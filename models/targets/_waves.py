"""Plane waves cos(w.x + p): their means under each measure and the Barron norm of their ridge representation."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from models.measures import Measure
from models.targets._quadrature import zonal_mean

LONGEST_WAVE_ON_SPHERE = 10_000.0
"""|w|_2 up to which the mean over the sphere is integrated; more nodes than that are not worth a fact."""


def wave_means(
    frequencies: Float[Tensor, "waves d"], phases: Float[Tensor, " waves"], measure: Measure
) -> Float[Tensor, " waves"] | None:
    """E cos(2 pi b.x + p) of each row b, float64; None where the sphere would need too many nodes.

    uniform: cos(p + pi sum b_j) prod sinc(b_j). gaussian: cos(p) e^{-2 pi^2 |b|^2}. sphere: cos(p) E cos(2 pi |b| u_1),
    which is 0F1(d/2; -pi^2 |b|^2).
    """
    if measure == "uniform":
        # The sum is reduced modulo 2 first: large sums keep their phase.
        turns = torch.fmod(frequencies.sum(dim=1), 2.0)
        return torch.cos(math.pi * turns + phases) * torch.sinc(frequencies).prod(dim=1)
    lengths = 2 * math.pi * frequencies.norm(dim=1)
    if measure == "gaussian":
        return torch.cos(phases) * torch.exp(-(lengths**2) / 2)
    if float(lengths.max()) > LONGEST_WAVE_ON_SPHERE:
        return None
    dimension = frequencies.shape[1]
    different, places = lengths.unique(return_inverse=True)
    means = [_spherical_mean(length, dimension) for length in different.tolist()]
    return torch.cos(phases) * torch.tensor(means, dtype=torch.float64)[places]


def _spherical_mean(length: float, dimension: int) -> float:
    return zonal_mean(lambda u: torch.cos(length * u), dimension, sharpness=length)


def curvature_norm(positive: float, negative: float, phase: float, measure: Measure) -> float:
    """int |g''(u)| (|w|_1 + |u|) du over the range of t = w.x, g(t) = cos(t + p): the kinked part of the Barron norm.

    `positive` and `negative` are the sums of the positive entries of w and of the negative ones, so that t lies in
    [-B-, B+] on the cube; on [-1,1]^d it lies in [-|w|_1, |w|_1]. There

        g(t) = g(0) + g'(0) t + int_0^{B+} g''(u) relu(t - u) du + int_0^{B-} g''(-u) relu(-t - u) du

    and relu(±w.x - u) has norm |w|_1 + u. Infinite on R^d, where the wave has infinitely many turns.
    """
    total = positive + negative
    if measure == "gaussian":
        return math.inf if total > 0 else 0.0
    ends = (positive, negative) if measure == "uniform" else (total, total)
    return _absolute_cosine_moment(total, ends[0], phase) + _absolute_cosine_moment(total, ends[1], -phase)


def _absolute_cosine_moment(weight: float, end: float, phase: float) -> float:
    """int_0^end |cos(u + p)| (weight + u) du = int_p^{p+end} |cos v| (weight - p + v) dv."""
    start = math.remainder(phase, math.pi)
    return _primitive(start + end, weight - start) - _primitive(start, weight - start)


def _primitive(v: float, weight: float) -> float:
    """int_0^v |cos s| (weight + s) ds, k the half wave that v lies in."""
    k = math.floor(v / math.pi + 0.5)
    sign = -1.0 if k % 2 else 1.0
    zeroth = 2 * k + sign * math.sin(v)
    first = math.pi * k**2 - 1 + sign * (v * math.sin(v) + math.cos(v))
    return weight * zeroth + first
