"""Numbers that carry their error bar and their method; infinity is a legal answer."""

import math
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

Method = Literal["closed_form", "monte_carlo", "best_of_restarts", "extrapolated"]


def _read_extended(value: Any) -> Any:
    if isinstance(value, str) and value in ("inf", "-inf"):
        return float(value)
    return value


def _write_extended(value: float) -> float | str:
    if math.isnan(value):
        raise ValueError("not a number is never an answer")
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


ExtendedFloat = Annotated[
    float,
    BeforeValidator(_read_extended),
    PlainSerializer(_write_extended, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf"]}]}),
]
"""A float of the extended real line; JSON says "inf" where the number is infinite, and never null."""


class Estimate(BaseModel):
    """A value, its standard error (0 for a closed form; None where one draw gives none), and how it was obtained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: ExtendedFloat
    standard_error: ExtendedFloat | None = None
    method: Method


def closed_form(value: float) -> Estimate:
    """An exact value."""
    return Estimate(value=value, standard_error=0.0, method="closed_form")


def mean_estimate(values: torch.Tensor, method: Method = "monte_carlo") -> Estimate:
    """Mean of i.i.d. `values` (any shape) with the standard error s / sqrt(N), s the unbiased deviation.

    One value alone has no standard error: None.
    """
    flat = values.detach().to(torch.float64).reshape(-1)
    error = float(flat.std(unbiased=True)) / math.sqrt(flat.numel()) if flat.numel() > 1 else None
    return Estimate(value=float(flat.mean()), standard_error=error, method=method)
