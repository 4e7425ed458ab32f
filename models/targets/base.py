"""What every synthetic target is: a known f* on [0,1]^d under the uniform measure."""

from abc import ABC, abstractmethod

from pydantic import BaseModel, ConfigDict

from models.arrays import Inputs, Labels
from models.estimates import ExtendedFloat
from models.kinds import Kind


class KnownFacts(BaseModel):
    """What the theory knows of f* in dimension d; None where it knows nothing.

    `barron_norm_bound`: an upper bound of ||f*||_B with l1 weights, bias weight counted.
    `spectral_bound`: C_f = int ||w||_1^2 |f^(w)| dw with f(x) = int f^(w) e^{i w.x} dw.
    `mean`, `l2_norm_squared`: E f* and E f*^2 under the uniform measure on [0,1]^d.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    barron_norm_bound: ExtendedFloat | None = None
    spectral_bound: ExtendedFloat | None = None
    mean: float | None = None
    l2_norm_squared: float | None = None
    in_barron_space: bool | None = None


class Target(Kind, ABC):
    """f*: [0,1]^d -> R, a deterministic function of its specification."""

    @abstractmethod
    def evaluate(self, inputs: Inputs) -> Labels:
        """f*(x_i), shape (n, 1), in the inputs' precision."""

    @abstractmethod
    def known(self, dimension: int) -> KnownFacts:
        """What is known of f* on [0,1]^d."""

    def check_dimension(self, dimension: int) -> str | None:
        """Why f* is not defined in this dimension, or None."""
        return None
