"""The calculator of bounds: no model, no sample, nothing stored."""

from fastapi import APIRouter

from api.dependencies import Reader
from api.schemas.bounds import EvaluatedBounds, evaluated_bounds
from api.theory import BoundInputs, evaluate_formulas

router = APIRouter(prefix="/v1/bounds", tags=["bounds"])


@router.post("/evaluate", summary="Evaluate bounds from numbers")
def evaluate_bounds(principal: Reader, inputs: BoundInputs) -> EvaluatedBounds:
    """Every formula whose inputs are given, or those named in `formulas`, with all their terms."""
    return evaluated_bounds(evaluate_formulas(inputs), inputs.delta)
