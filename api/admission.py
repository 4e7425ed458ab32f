"""What is checked before a job is queued: that everything it names is there, that it fits, and what it will cost."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api.errors import TooManyRequests, field_problem
from api.schemas.jobs import JobPlan, QueueState
from api.settings import ApiSettings
from api.theory import Experiment, TableShape, check_models, plan_job, specification_json, table_shape
from db.repositories.datasets import Datasets
from db.repositories.jobs import count_queued
from db.repositories.learned_models import LearnedModels


@dataclass(frozen=True)
class Admission:
    """A job that may be queued. `dataset_ids`: those it names, and those its named models were learnt from."""

    plan: JobPlan
    dataset_ids: frozenset[str]


def admit(session: Session, owner: str, experiment: Experiment, settings: ApiSettings) -> Admission:
    """Check a job in the transaction that will queue it; the datasets it uses are held until that ends.

    Raises:
        Unprocessable: a dataset or model is not there, the tables do not serve it, or the job is above a cap: cells,
            parameters, memory.
    """
    cells = experiment.grid_cells()
    if cells > settings.max_grid_cells:
        raise field_problem("/spec", f"The grid has {cells} cells; at most {settings.max_grid_cells} are allowed.")
    datasets = Datasets(session, owner)
    tables: dict[str, TableShape] = {}
    for dataset_id in sorted(experiment.dataset_ids()):
        row = datasets.hold(dataset_id)
        if row is None:
            raise field_problem(_place_of(dataset_id, experiment), f"There is no dataset {dataset_id!r}.")
        tables[dataset_id] = table_shape(row.rows, row.columns)
    behind_models: set[str] = set()
    manifests: dict[str, dict[str, Any]] = {}
    for model_id in sorted(experiment.model_ids()):
        model = LearnedModels(session, owner).get(model_id)
        if model is None:
            raise field_problem("/spec/model_id", f"There is no learned model {model_id!r}.")
        manifests[model_id] = model.manifest
        for dataset_id in sorted(model.dataset_ids):
            if datasets.hold(dataset_id) is None:
                raise field_problem("/spec/model_id", f"The model's dataset {dataset_id!r} was deleted.")
            behind_models.add(dataset_id)
    check_models(experiment, tables, manifests)
    plan = plan_job(experiment, tables)
    if plan.parameters > settings.max_job_parameters:
        raise field_problem(
            "/spec", f"A model would have {plan.parameters} parameters; at most {settings.max_job_parameters} may be."
        )
    if plan.peak_memory_bytes > settings.max_job_memory_bytes:
        raise field_problem(
            "/spec",
            f"The job would need {plan.peak_memory_bytes} bytes of memory; "
            f"at most {settings.max_job_memory_bytes} are allowed.",
        )
    document = JobPlan(kind=experiment.kind, queue=QueueState(depth=count_queued(session)), **plan.model_dump())
    return Admission(document, experiment.dataset_ids() | behind_models)


def check_queue(session: Session, owner: str, settings: ApiSettings) -> None:
    """Look for room in the queue, in the transaction that will take it.

    Raises:
        TooManyRequests: the queue is full, of this owner's jobs or of all.
    """
    if count_queued(session, owner) >= settings.max_queued_jobs_per_owner:
        raise TooManyRequests(f"{settings.max_queued_jobs_per_owner} jobs of this owner wait, the most allowed.")
    if count_queued(session) >= settings.max_queued_jobs:
        raise TooManyRequests(f"The queue is full: {settings.max_queued_jobs} jobs wait.")


def _place_of(dataset_id: str, experiment: Experiment) -> str:
    """The pointer of the field that names a dataset."""
    named_directly = specification_json(experiment).get("dataset_id") == dataset_id
    return "/spec/dataset_id" if named_directly else "/spec/data/dataset_id"
