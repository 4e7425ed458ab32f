"""What every bound is: a statement about the population risk that holds with probability 1 - delta."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from models.assumptions import AssumptionStanding
from models.estimates import Estimate, ExtendedFloat
from models.kinds import Kind
from models.learned_model import LearnedModel
from models.randomness import Randomness
from models.samples import Sample

Quantity = Literal["population_risk", "generalization_gap"]
"""What is bounded: R(f^), or R(f^) - R_n(f^). Both for the loss min(|f(x) - y|^2, M), f clipped to the range."""


@dataclass(frozen=True)
class BoundSubject:
    """What a bound may look at.

    `training` is the sample the model was learnt from, `held_out` an independent one, both in label units.
    `loss_cap` M in label units squared: losses are min(|f - y|^2, M), so that they lie in [0, M] whatever y is.
    `scaled_from_sample`: the inputs' scaling was computed from the training rows.
    `input_sup_bound`: a bound of ||x||_inf known before the sample (1 on the cube), or None.
    """

    model: LearnedModel
    training: Sample
    held_out: Sample
    loss_cap: float
    scaled_from_sample: bool
    input_sup_bound: float | None
    randomness: Randomness


class BoundTerm(BaseModel):
    """One summand or factor by name, in the units of the bound."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: ExtendedFloat


class BoundReport(BaseModel):
    """A bound evaluated, or refused with the assumption that failed.

    `vacuous`: the value is not below `trivial_value`, which holds without any theorem.
    `measured`: the bounded quantity as measured, beside it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    quantity: Quantity
    side: Literal["upper", "lower"] = "upper"
    delta: float
    value: ExtendedFloat | None
    terms: tuple[BoundTerm, ...] = ()
    inputs: dict[str, ExtendedFloat] = {}
    trivial_value: ExtendedFloat
    vacuous: bool | None
    assumptions: tuple[AssumptionStanding, ...] = ()
    reference: str
    measured: Estimate | None = None
    refused_because: str | None = None


class Bound(Kind, ABC):
    """An upper bound on the population risk of a learned model or on its generalization gap."""

    @abstractmethod
    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound at failure probability `delta` in (0,1). A failed assumption gives a refusal, not a number."""

    def refused(
        self,
        subject: BoundSubject,
        delta: float,
        quantity: Quantity,
        because: str,
        assumptions: tuple[AssumptionStanding, ...] = (),
    ) -> BoundReport:
        """The report without a value: `because` names the assumption that fails."""
        return BoundReport(
            kind=self.kind,
            quantity=quantity,
            delta=delta,
            value=None,
            trivial_value=subject.loss_cap,
            vacuous=None,
            assumptions=assumptions,
            reference=self.reference,
            refused_because=because,
        )
