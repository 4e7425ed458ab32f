"""What a succeeded job leaves behind, stored in the one transaction that ends its claim."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from db.artefact_store import ArtefactStore
from db.job_state import JobStatus
from db.repositories.decompositions import Decompositions
from db.repositories.job_queue import Claim, JobQueue
from db.repositories.learned_models import LearnedModels
from worker.protocol import RESULT


class ClaimLostError(Exception):
    """The claim was lost: roll back."""


class JobResult:
    """The result file of an attempt, with its models' files described.

    It was validated where it was written, by the very code that would validate it here; importing that code, and
    torch with it, would treble the worker's memory.

    Raises, when made:
        ValueError: the file is not the JSON of an ExperimentResult, or names a file outside the attempt.
        OSError: a file is missing.
    """

    def __init__(self, store: ArtefactStore, directory: Path) -> None:
        content = json.loads((directory / RESULT).read_bytes())
        try:
            self.summary: dict[str, Any] = content["summary"]
            self.decompositions: list[dict[str, Any]] = content["decompositions"]
            self.evaluated_bounds: dict[str, list[dict[str, Any]]] = content["evaluated_bounds"]
            # Absent in what was written before there were any.
            found = content.get("files", {})
            self.files = {what: _described(store, directory, path) for what, path in found.items()}
            self.models = [
                model | {"files": {role: _described(store, directory, path) for role, path in model["files"].items()}}
                for model in content["learned_models"]
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the result of an experiment: {error!r}") from error

    def store(self, session: Session, claim: Claim) -> list[dict[str, Any]]:
        """Write everything, models first because the row names their ids; the models as the job shows them.

        Raises:
            ClaimLostError: the claim was lost; the caller's transaction must roll back.
            IntegrityError: another job registered the same version of a name; run the transaction again.
        """
        registry = LearnedModels(session, claim.owner)
        registered: list[dict[str, Any]] = []
        for model in self.models:
            row = registry.register(job_id=claim.job_id, **model)
            registered.append({"id": row.id, "name": row.name, "version": row.version})
        for model_id, bounds in self.evaluated_bounds.items():
            registry.replace_bounds(model_id, bounds)
        Decompositions(session, claim.owner).add_all(claim.job_id, self.decompositions)
        held = JobQueue(session).finish(
            claim.job_id,
            claim.attempt,
            JobStatus.SUCCEEDED,
            result={**self.summary, "models": registered, **({"files": self.files} if self.files else {})},
            model_ids=[str(model["id"]) for model in registered],
        )
        if not held:
            raise ClaimLostError
        return registered


def _described(store: ArtefactStore, directory: Path, path: str) -> dict[str, Any]:
    file = (directory / path).resolve()
    if not file.is_relative_to(directory.resolve()):
        raise ValueError(f"a file must be of its attempt: {path!r}")
    stored = store.describe(directory / path)
    return {"uri": stored.uri, "sha256": stored.sha256, "size_bytes": stored.size_bytes}
