"""What the theory promises of errors as m or n grows, for the spaces and targets of which it says something."""

import math

from pydantic import BaseModel, ConfigDict

from models.bounds.random_feature_approximation import kernel_of_limit
from models.hypothesis_spaces.base import HypothesisSpace
from models.hypothesis_spaces.piecewise_linear import PiecewiseLinear
from models.hypothesis_spaces.polynomial import Polynomial
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.problems import SyntheticProblem
from models.targets.base import KnownFacts


class TheoreticalRate(BaseModel):
    """An error <= C x^exponent with C free of x: it falls at least so fast, perhaps faster.

    x is the width m for the approximation error, for all m; for the estimation error it is n, for n large against m.
    `because`: the theorem and what it needs of f*. `reference`: a key of references.bib.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    exponent: float
    because: str
    reference: str


def theoretical_rate(space: HypothesisSpace, problem: SyntheticProblem) -> TheoreticalRate | None:
    """The rate of `space` for the target of `problem`, or None where none of these theorems applies."""
    known = problem.known_facts()
    for theorem in (_barron, _random_features, _mesh, _polynomials):
        rate = theorem(space, problem, known)
        if rate is not None:
            return rate
    return None


def theoretical_estimation_rate(space: HypothesisSpace) -> TheoreticalRate | None:
    """The rate in n of E R(f~) - R(f_m) for the minimizer f~ of R_n over all of `space`; None outside linear spaces.

    With Gaussian features it is exactly (sigma^2 + |f* - f_m|^2) m/(n - m - 1) for m < n - 1.
    """
    if not space.linear:
        return None
    because = "least squares in a linear space: (sigma^2 + |f* - f_m|^2) m/n to first order, for n large against m"
    return TheoreticalRate(exponent=-1.0, because=because, reference="belkin2020two")


def _barron(space: HypothesisSpace, problem: SyntheticProblem, known: KnownFacts) -> TheoreticalRate | None:
    """Maurey's argument: m draws from the representation of f* err by ||f*||_B^2 / m in the mean, so some do."""
    if not (isinstance(space, TwoLayer) and space.activation == "relu" and known.in_barron_space):
        return None
    because = "f* is in the Barron space: the error is at most ||f*||_B^2 / m in every dimension"
    return TheoreticalRate(exponent=-1.0, because=because, reference="e2022barron")


def _random_features(space: HypothesisSpace, problem: SyntheticProblem, known: KnownFacts) -> TheoreticalRate | None:
    """In the mean over the features: the mean of m draws of a(w) phi(x; w) errs by (E a^2 phi^2 - E f*^2)/m."""
    if not isinstance(space, RandomFeatures):
        return None
    kernel = kernel_of_limit(space, problem.dimension)
    if kernel is None or known.rkhs_norms.get(kernel, math.inf) == math.inf:
        return None
    because = f"f* is in the space of the {kernel} kernel: the mean error over the features is at most c ||f*||_k^2 / m"
    return TheoreticalRate(exponent=-1.0, because=because, reference="rahimi2008random")


def _mesh(space: HypothesisSpace, problem: SyntheticProblem, known: KnownFacts) -> TheoreticalRate | None:
    """Multilinear interpolation errs by at most h^2/8 sum_i sup |d_i^2 f*|, and m = (1/h + 1)^d."""
    if not (isinstance(space, PiecewiseLinear) and _smooth_on_the_box(space.box, problem, known)):
        return None
    because = "f* has two bounded derivatives: interpolation errs by O(h^2) = O(m^(-2/d)); no mesh does better for all"
    return TheoreticalRate(exponent=-4.0 / problem.dimension, because=because, reference="devore1998nonlinear")


def _polynomials(space: HypothesisSpace, problem: SyntheticProblem, known: KnownFacts) -> TheoreticalRate | None:
    """Jackson: with two continuous derivatives the best polynomial of degree p errs by O(p^-2), and m ~ p^d / d!."""
    if not (isinstance(space, Polynomial) and _smooth_on_the_box(space.box, problem, known)):
        return None
    because = "f* has two continuous derivatives: degree p errs by O(p^-2) = O(m^(-2/d)); faster for smoother targets"
    return TheoreticalRate(exponent=-4.0 / problem.dimension, because=because, reference="trefethen2013approximation")


def _smooth_on_the_box(box: tuple[float, float], problem: SyntheticProblem, known: KnownFacts) -> bool:
    """A finite C_f bounds every second derivative on the domain, which must lie in the box."""
    smooth = known.spectral_bound is not None and known.spectral_bound < math.inf
    return smooth and problem.measure == "uniform" and box[0] <= 0 and box[1] >= 1
