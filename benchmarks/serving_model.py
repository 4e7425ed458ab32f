"""The model of the serving benchmarks, stored as a worker stores it, and the API process that serves it."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from db.artefact_store import ArtefactStore
from db.engine import Database
from db.migrate import migrate
from db.repositories.learned_models import LearnedModels
from db.settings import ServiceSettings
from models import artefacts
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel
from models.randomness import Randomness
from models.scaling import identity_scaling

DIMENSION, WIDTH = 100, 1024


def exported_model(
    name: str, dimension: int = DIMENSION, width: int = WIDTH, shift: float = 0.0
) -> artefacts.ExportedModel:
    """A two-layer ReLU network with drawn weights; `shift` is added to its output."""
    space = TwoLayer(kind="two_layer", width=width)
    parameters = space.draw(dimension, 1, Randomness(0), torch.float64)
    parameters["coefficients"].copy_(torch.linspace(-1, 1, width).reshape(width, 1))
    model = LearnedModel(space, parameters, identity_scaling(dimension), identity_scaling(1))
    model.output_scaling.shift.add_(shift)
    names = [f"x{place}" for place in range(dimension)]
    return artefacts.export(model, name=name, encoding=names, output_names=["y"], provenance={})


def register(database: Database, store: ArtefactStore, name: str, exported: artefacts.ExportedModel) -> int:
    """The next version of `name`; its number."""
    with database.unit_of_work() as session:
        models = LearnedModels(session, "local")
        newest = models.resolve(name, None)
        version = 1 if newest is None else newest.version + 1
        files = {}
        for role, content in {"graph": exported.graph, "weights": exported.weights}.items():
            staged = store.staging_directory() / role
            staged.write_bytes(content)
            stored = store.adopt(staged, f"models/{name}/{version}/{role}")
            files[role] = {"uri": stored.uri, "sha256": stored.sha256, "size_bytes": stored.size_bytes}
        models.register(
            name=name,
            job_id=None,
            digest=exported.digest,
            manifest=exported.manifest,
            risks={},
            bounds=[],
            files=files,
            dataset_ids=[],
        )
    return version


@contextlib.contextmanager
def stored(directory: Path) -> Iterator[tuple[Database, ArtefactStore]]:
    """A migrated database and a store in `directory`."""
    settings = ServiceSettings(data_directory=directory)
    database = Database(settings)
    migrate(database)
    try:
        yield database, ArtefactStore(settings.artefact_directory)
    finally:
        database.close()


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def api_process(directory: Path, port: int, **settings: str) -> subprocess.Popen[bytes]:
    """`python -m api` over the directory, as it runs in production but for larger bodies."""
    environment = os.environ | {
        "RISKSCOPE_DATA_DIRECTORY": str(directory),
        "RISKSCOPE_PORT": str(port),
        "RISKSCOPE_BROKER_URL": "memory://",
        "RISKSCOPE_MAX_BODY_BYTES": str(64 * 2**20),
        **settings,
    }
    log = (directory / "api.log").open("wb")
    return subprocess.Popen([sys.executable, "-m", "api"], env=environment, stdout=log, stderr=log)
