"""The error split into approximation, estimation and optimization."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from models.estimates import Estimate


class Advice(BaseModel):
    """What to buy next, in a word and a sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    buy: Literal["data", "width", "training", "nothing"]
    because: str


class DecompositionCell(BaseModel):
    """One cell (space, width, sample size) of a grid, averaged over its seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hypothesis_space: dict[str, Any]
    learner: dict[str, Any]
    data: dict[str, Any]
    dimension: int
    width: int
    sample_size: int
    seeds: int
    squared_norms: dict[str, Estimate]
    risks: dict[str, Estimate]
    risk_terms: dict[str, Estimate]
    generalization_gap: Estimate
    advice: Advice
