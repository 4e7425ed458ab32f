"""Learners, one a file; a new file here is a new kind everywhere."""

from typing import TYPE_CHECKING

from models.kinds import discover, union_of
from models.learners.base import Advance, Fitted, Learner, LearningCurvePoint

LEARNERS = discover(__name__, Learner)

if TYPE_CHECKING:
    AnyLearner = Learner
else:
    AnyLearner = union_of(LEARNERS)

__all__ = ["LEARNERS", "Advance", "AnyLearner", "Fitted", "Learner", "LearningCurvePoint"]
