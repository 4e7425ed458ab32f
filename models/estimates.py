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


def in_words(estimate: Estimate) -> str:
    """The value to the digit that its error bar leaves, three at most, and the error bar: "0.0041 ± 0.0005"."""
    value, error = estimate.value, estimate.standard_error
    if not math.isfinite(value) or error is None or not math.isfinite(error):
        return f"{value:.3g}"
    digits = 3
    if value != 0 and error > 0:
        digits = min(3, max(1, math.floor(math.log10(abs(value))) - math.floor(math.log10(error)) + 1))
    # Through float, so that 120 is not written 1.2e+02.
    return f"{float(f'{value:.{digits}g}'):g} ± {float(f'{error:.1g}'):g}"
