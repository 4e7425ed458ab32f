"""Generalization bounds, one a file; a new file here is a new kind everywhere."""

from typing import TYPE_CHECKING

from models.bounds._ball_directions import MOST_FITTED
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.kinds import discover, union_of

BOUNDS = discover(__name__, Bound)

if TYPE_CHECKING:
    AnyBound = Bound
else:
    AnyBound = union_of(BOUNDS)

__all__ = ["BOUNDS", "MOST_FITTED", "AnyBound", "Bound", "BoundReport", "BoundSubject", "BoundTerm"]
