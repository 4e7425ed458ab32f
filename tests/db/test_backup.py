"""A service from its backup: the same rows, files and keys; older schemas, and what happens meanwhile."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from old_schemas import filled, raised
from saved_service import Service, add_dataset, claimed, contents, rows
from sqlalchemy import text

import db.backup
from db.artefact_store import ArtefactStore
from db.backup import back_up
from db.engine import Database
from db.key_secret import key_secret
from db.manifest import read_manifest
from db.migrate import schema_is_current
from db.repositories.api_keys import ApiKeys
from db.repositories.datasets import Datasets
from db.repositories.job_events import events_after
from db.repositories.jobs import Jobs
from db.repositories.workers import Workers
from db.restore import restore
from db.settings import ServiceSettings

Open = Callable[[ServiceSettings], Database]


def test_restored_service_has_the_same_rows_files_and_keys(
    service: Service, elsewhere: ServiceSettings, tmp_path: Path, open_database: Open
) -> None:
    before = rows(service.database)
    manifest = back_up(service.settings, tmp_path / "backup")
    assert (manifest.missing, manifest.damaged, manifest.key_secret) == ([], [], "file")
    assert manifest.rows["jobs"] == 4
    # Nothing that no row names, but the checkpoint of a job that goes on.
    assert sum("artefacts/" in name for name in manifest.files) == 4
    assert restore(elsewhere, tmp_path / "backup") == manifest
    found = open_database(elsewhere)
    after = rows(found)
    assert {name for name in before if before[name] != after[name]} == {"jobs", "job_events"}
    assert contents(elsewhere.artefact_directory) == {
        name: content
        for name, content in contents(service.store.root).items()
        if name not in ("jobs/job_3/1/unfinished", f"checkpoints/{service.jobs['succeeded']}.safetensors")
    }
    with found.reading() as session:
        key = ApiKeys(session).authenticate(service.secret, key_secret(elsewhere))
        assert key is not None
        assert key.owner == "local"


def test_running_jobs_are_queued_again_and_lose_no_attempt(
    service: Service, elsewhere: ServiceSettings, tmp_path: Path, open_database: Open
) -> None:
    back_up(service.settings, tmp_path / "backup")
    restore(elsewhere, tmp_path / "backup")
    found = open_database(elsewhere)
    with found.unit_of_work() as session:
        jobs = Jobs(session, "local")
        status = {name: jobs.get(job_id).status for name, job_id in service.jobs.items()}
        assert status == {"succeeded": "succeeded", "running": "queued", "cancelling": "cancelled", "queued": "queued"}
        last = events_after(session, service.jobs["running"], 0)[-1]
        assert (last.type, last.data["handed_back"]) == ("queued", "the service was restored from a backup")
        # Its one attempt was the interrupted one; it may have another.
        assert claimed(session, service.jobs["running"]) == 2
        assert Workers(session).fresh(3600) == 0
    with service.database.reading() as session:
        assert Jobs(session, "local").get(service.jobs["running"]).status == "running"


def test_backup_while_datasets_come_and_go_names_no_file_that_is_not_there(
    service: Service, elsewhere: ServiceSettings, tmp_path: Path, open_database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted between the dump and the copy, which is made certain; and others at any moment."""
    doomed = add_dataset(service, "doomed")
    taken = []

    def contents_then_deletion(connection: Any) -> Any:
        found = original(connection)
        if not taken:
            delete_dataset(service, doomed)
        taken.append(found)
        return found

    original = db.backup._contents
    monkeypatch.setattr(db.backup, "_contents", contents_then_deletion)
    done = threading.Event()

    def come_and_go() -> None:
        number = 0
        while not done.is_set():
            number += 1
            identifier = add_dataset(service, f"passing-{number}")
            if number % 2:
                delete_dataset(service, identifier)

    traffic = threading.Thread(target=come_and_go)
    traffic.start()
    try:
        manifest = back_up(service.settings, tmp_path / "backup")
    finally:
        done.set()
        traffic.join()
    assert manifest.missing == []
    assert len(taken) >= 2
    restore(elsewhere, tmp_path / "backup")
    with open_database(elsewhere).reading() as session:
        uris = list(session.scalars(text("SELECT uri FROM datasets")))
    store = ArtefactStore(elsewhere.artefact_directory)
    assert len(uris) == manifest.rows["datasets"] >= 1
    assert [uri for uri in uris if not store.path(uri).is_file()] == []


def delete_dataset(service: Service, identifier: str) -> None:
    with service.database.unit_of_work() as session:
        datasets = Datasets(session, "local")
        dataset = datasets.take(identifier)
        datasets.delete(dataset)
        uri = dataset.uri
    service.store.remove(uri)


def test_files_lost_or_changed_before_are_reported_and_the_rest_is_saved(service: Service, tmp_path: Path) -> None:
    service.store.path("artefact:datasets/table.parquet").unlink()
    service.store.path("artefact:jobs/job_1/1/model.onnx").write_bytes(b"changed")
    manifest = back_up(service.settings, tmp_path / "backup")
    assert manifest.missing == ["artefact:datasets/table.parquet"]
    assert manifest.damaged == ["artefact:jobs/job_1/1/model.onnx"]
    assert manifest == read_manifest(tmp_path / "backup")


def test_backup_of_an_older_schema_is_restored_at_the_newest(
    tmp_path: Path,
) -> None:
    """On SQLite: what an older schema is to the backup does not hang on the database."""
    settings = ServiceSettings(data_directory=tmp_path / "old")
    old = Database(settings)
    raised(old, "0001")
    filled(old)
    old.close()
    manifest = back_up(settings, tmp_path / "backup")
    assert (manifest.schema_revision, manifest.rows["jobs"]) == ("0001", 1)
    assert manifest.missing == ["artefact:datasets/table.parquet"]
    elsewhere = ServiceSettings(data_directory=tmp_path / "elsewhere")
    restore(elsewhere, tmp_path / "backup")
    restored = Database(elsewhere)
    try:
        assert schema_is_current(restored)
        with restored.reading() as session:
            assert Jobs(session, "local").get("jobs.id") is not None
    finally:
        restored.close()
