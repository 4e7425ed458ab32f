"""The hypotheses of a statement, and whether this run checked them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Standing = Literal["checked", "declared", "unchecked", "failed"]
"""checked: verified on this input; declared: the client vouches for it; unchecked: could be false; failed: is false."""


class Assumption(BaseModel):
    """One hypothesis of a statement in the field's words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    text: str


class AssumptionStanding(BaseModel):
    """An assumption as it stands for one computation; `because` says what was looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    text: str
    standing: Standing
    because: str = ""


def standing(assumption: Assumption, value: Standing, because: str = "") -> AssumptionStanding:
    """Record how `assumption` stands."""
    return AssumptionStanding(name=assumption.name, text=assumption.text, standing=value, because=because)
