"""What every synthetic target is: a known f* and what is known of it under each input measure."""

from abc import ABC, abstractmethod

from pydantic import BaseModel, ConfigDict

from models.arrays import Inputs, Labels
from models.estimates import ExtendedFloat
from models.kinds import Kind
from models.measures import Measure


class KnownFacts(BaseModel):
    """What the theory knows of f* in dimension d under the measure mu; None where it knows nothing.

    The norms are those of f* on a domain X: [0,1]^d for the uniform measure, [-1,1]^d (which contains the sphere) or
    the sphere itself for the sphere, R^d for the Gaussian measure.

    `barron_norm_bound`: an upper bound of ||f*||_B with l1 weights, bias weight counted; infinite outside the space.
    `spectral_bound`: an upper bound of C_f = inf int ||w||_1^2 |f^(w)| dw over the f(x) = int f^(w) e^{i w.x} dw that
    equal f* on X; infinite where f* is not C^2.
    `mean`, `l2_norm_squared`: E f* and E f*^2 under mu, in closed form or as a one-dimensional integral to 1e-10.
    `in_barron_space`: whether f* is in the Barron space on X.
    `rkhs_norms`: by kernel of `kernel_ridge` at its default bandwidth: "gaussian" exact, infinite outside the space;
    "arc_cosine" an upper bound. A kernel of which nothing is known is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    barron_norm_bound: ExtendedFloat | None = None
    spectral_bound: ExtendedFloat | None = None
    mean: float | None = None
    l2_norm_squared: float | None = None
    in_barron_space: bool | None = None
    rkhs_norms: dict[str, ExtendedFloat] = {}


class Target(Kind, ABC):
    """f*: R^d -> R, a deterministic function of its specification."""

    @abstractmethod
    def evaluate(self, inputs: Inputs) -> Labels:
        """f*(x_i), shape (n, 1), in the inputs' precision."""

    @abstractmethod
    def known(self, dimension: int, measure: Measure = "uniform") -> KnownFacts:
        """What is known of f* in dimension d under `measure`."""

    def check_dimension(self, dimension: int) -> str | None:
        """Why f* is not defined in this dimension, or None."""
        return None

    def check_measure(self, measure: Measure) -> str | None:
        """Why f* cannot be learnt under this measure, or None."""
        return None
