"""Hypothesis spaces, one a file; a new file here is a new kind everywhere."""

from typing import TYPE_CHECKING

from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.kinds import discover, union_of

HYPOTHESIS_SPACES = discover(__name__, HypothesisSpace)

if TYPE_CHECKING:
    AnyHypothesisSpace = HypothesisSpace
else:
    AnyHypothesisSpace = union_of(HYPOTHESIS_SPACES)

__all__ = ["HYPOTHESIS_SPACES", "AnyHypothesisSpace", "HypothesisSpace", "LinearSpace"]
