"""What every experiment (job kind) is: a specification that plans itself, runs, and answers with a result."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from models.bounds.base import BoundReport
from models.decomposition.terms import DecompositionCell
from models.kinds import Kind
from models.plan import Plan, TableShape
from models.run_context import RunContext


class LearnedModelRecord(BaseModel):
    """A model that an experiment registers. `files` are paths saved through the context, by role."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    digest: str
    manifest: dict[str, Any]
    files: dict[str, str]
    risks: dict[str, Any]
    bounds: tuple[BoundReport, ...] = ()
    dataset_ids: tuple[str, ...] = ()


class ExperimentResult(BaseModel):
    """What a job leaves behind: the summary (JSON for people and programs), rows for the tables, learned models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: dict[str, Any]
    decompositions: tuple[DecompositionCell, ...] = ()
    learned_models: tuple[LearnedModelRecord, ...] = ()
    evaluated_bounds: dict[str, tuple[BoundReport, ...]] = {}
    """Bounds computed for models that existed before, by model id; they replace the model's stored bounds."""
    files: dict[str, str] = {}
    """Files to be downloaded, saved through the context: paths by what they are."""


class Experiment(Kind, ABC):
    """One kind of job."""

    def dataset_ids(self) -> frozenset[str]:
        """Datasets that the specification names."""
        return frozenset()

    def model_ids(self) -> frozenset[str]:
        """Learned models that the specification names."""
        return frozenset()

    def check_models(self, tables: Mapping[str, TableShape], manifests: Mapping[str, Mapping[str, Any]]) -> None:
        """Whether the named models, by their manifests, go with the named datasets; most experiments do not care.

        Raises:
            InvalidData: they do not.
        """
        return

    def grid_cells(self) -> int:
        """How many cells its grid has; 1 without a grid. Known before anything is planned."""
        return 1

    @abstractmethod
    def plan(self, tables: Mapping[str, TableShape]) -> Plan:
        """The cost, from the shapes of the named datasets.

        Raises:
            InvalidData: the specification cannot be run on these tables (a missing column, too few rows).
        """

    @abstractmethod
    def run(self, context: RunContext) -> ExperimentResult:
        """Compute. Deterministic in the specification: same seed, same numbers.

        Raises:
            ModelsError: any of its tree; the job fails with its code and message.
        """
