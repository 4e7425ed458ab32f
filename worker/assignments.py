"""From a claim to an assignment: where the named datasets and models lie in the store."""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from db.artefact_store import ArtefactStore
from db.repositories.datasets import Datasets
from db.repositories.job_queue import Claim
from db.repositories.learned_models import LearnedModels
from db.repositories.shards import Shards
from worker.protocol import GRAPH_ROLE, WEIGHTS_ROLE, Assignment, ModelFiles, ShardPlace

_IDENTIFIER = re.compile(r"(ds|mdl)_[0-9a-z]{1,40}")


def assignment_of(session: Session, store: ArtefactStore, claim: Claim) -> Assignment:
    """Everything the run may read.

    Which ids a specification names is told by their form alone, so that no kind is known here; with a model come the
    datasets that it was learnt from. What is not there, or is another owner's, is left out: the run then fails with
    the field that names it.
    """
    names, place = set(_identifiers(claim.spec)), claim.shard
    datasets = Datasets(session, claim.owner)
    registry = LearnedModels(session, claim.owner)
    found_models = {name: registry.get(name) for name in sorted(names) if name.startswith("mdl_")}
    behind_models = {dataset_id for row in found_models.values() if row is not None for dataset_id in row.dataset_ids}
    wanted = {name for name in names if name.startswith("ds_")} | behind_models
    found_datasets = {name: datasets.get(name) for name in sorted(wanted)}
    return Assignment(
        job_id=claim.job_id,
        attempt=claim.attempt,
        request_id=claim.request_id,
        spec=claim.spec,
        directory=store.attempt_directory(claim.job_id, claim.attempt),
        datasets={name: store.path(row.uri) for name, row in found_datasets.items() if row is not None},
        learned_models={
            name: ModelFiles(
                manifest=row.manifest,
                weights=store.path(row.files[WEIGHTS_ROLE]["uri"]),
                graph=store.path(row.files[GRAPH_ROLE]["uri"]) if GRAPH_ROLE in row.files else None,
            )
            for name, row in found_models.items()
            if row is not None and WEIGHTS_ROLE in row.files
        },
        checkpoint=store.checkpoint(claim.job_id) if place is None else None,
        shard=None if place is None else ShardPlace(name=place.name, index=place.index, count=place.count),
        of_job=None if place is None else place.parent_id,
        rounds={
            name: [store.path(uri) for uri in files]
            for name, files in Shards(session, claim.job_id if place is None else place.parent_id)
            .finished_rounds()
            .items()
        },
    )


def _identifiers(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if _IDENTIFIER.fullmatch(value):
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _identifiers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _identifiers(item)
