"""Synthetic targets f*, one a file; a new file here is a new kind everywhere."""

from typing import TYPE_CHECKING

from models.kinds import discover, union_of
from models.targets.base import KnownFacts, Target

TARGETS = discover(__name__, Target)

if TYPE_CHECKING:
    AnyTarget = Target
else:
    AnyTarget = union_of(TARGETS)

__all__ = ["TARGETS", "AnyTarget", "KnownFacts", "Target"]
