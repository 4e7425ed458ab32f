"""Experiments (the kinds of job), one a file; a new file here is a new kind everywhere."""

from typing import TYPE_CHECKING

from models.experiments.base import Experiment, ExperimentResult, LearnedModelRecord
from models.kinds import discover, union_of

EXPERIMENTS = discover(__name__, Experiment)

if TYPE_CHECKING:
    AnyExperiment = Experiment
else:
    AnyExperiment = union_of(EXPERIMENTS)

__all__ = [
    "EXPERIMENTS",
    "AnyExperiment",
    "Experiment",
    "ExperimentResult",
    "LearnedModelRecord",
]
