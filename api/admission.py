"""What is checked before a job is queued: that everything it names is there, that it fits, and what it will cost."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api.errors import TooManyRequests, Unprocessable, field_problem
from api.schemas.jobs import JobPlan, QueueState
from api.settings import ApiSettings
from api.theory import Experiment, Plan, TableShape, check_models, plan_job, specification_json, table_shape
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
            f"/spec{plan.parameters_field}",
            f"A model would have {plan.parameters} parameters; at most {settings.max_job_parameters} may be.",
        )
    if plan.peak_memory_bytes > settings.max_job_memory_bytes:
        raise _too_much_memory(plan, settings.max_job_memory_bytes)
    costs = plan.model_dump(exclude={"memory", "parameters_field"})
    document = JobPlan(kind=experiment.kind, queue=QueueState(depth=count_queued(session)), **costs)
    return Admission(document, experiment.dataset_ids() | behind_models)


def _too_much_memory(plan: Plan, allowed: int) -> Unprocessable:
    """The refusal, which names the largest part of the memory and what makes it smaller."""
    detail = f"The job would need {_bytes(plan.peak_memory_bytes)} of memory; at most {allowed} bytes are allowed."
    if not plan.memory:
        return field_problem("/spec", detail)
    largest = max(plan.memory, key=lambda part: part.size_bytes)
    detail += f" The largest part, {_bytes(largest.size_bytes)}, holds {largest.holds}: {largest.remedy}."
    return field_problem(f"/spec{largest.field}", detail)


def _bytes(count: int) -> str:
    """In the largest unit of powers of a thousand that leaves 1 or more, to three digits."""
    size, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.3g} {units[0]}"


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
