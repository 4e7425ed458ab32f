"""A service from its backup: the same rows, files and keys; what cannot be restored is refused and leaves nothing."""

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from old_schemas import filled, raised
from sqlalchemy import inspect, select, text

import db.backup
from db.artefact_store import ArtefactStore
from db.backup import back_up
from db.base import Base
from db.engine import Database
from db.job_state import JobStatus
from db.key_secret import key_secret
from db.manifest import BackupError, read_manifest
from db.migrate import schema_is_current
from db.repositories.api_keys import ApiKeys
from db.repositories.datasets import Datasets
from db.repositories.job_events import events_after
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.repositories.learned_models import LearnedModels
from db.repositories.workers import Workers
from db.restore import restore
from db.settings import ServiceSettings

Open = Callable[[ServiceSettings], Database]


@dataclass
class Service:
    """A store with one row of each kind, and the ids of its jobs by status."""

    settings: ServiceSettings
    database: Database
    store: ArtefactStore
    jobs: dict[str, str]
    secret: str


def stored(store: ArtefactStore, relative: str, content: bytes) -> dict[str, Any]:
    staged = store.staging_directory() / "file"
    staged.write_bytes(content)
    file = store.adopt(staged, relative)
    return {"uri": file.uri, "sha256": file.sha256, "size_bytes": file.size_bytes}


def add_dataset(service: Service, name: str) -> str:
    file = stored(service.store, f"datasets/{name}.parquet", name.encode())
    with service.database.unit_of_work() as session:
        column = {"name": "x", "type": "number", "nulls": 0, "non_finite": 0}
        described: dict[str, Any] = {"format": "csv", "size_bytes": 1, "rows": 1, "columns": [column]}
        return Datasets(session, "local").add(name=name, sha256=name, uri=file["uri"], **described).id


def accept(session: Any) -> str:
    job = Jobs(session, "local").accept(
        kind="fit", spec={"π": "∞"}, metadata={}, priority=0, dataset_ids=[], max_attempts=1
    )
    return job.id


def claimed(session: Any, job_id: str) -> int:
    claim = JobQueue(session).claim(job_id, "worker-of-the-old-place", 60)
    assert claim is not None
    return claim.attempt


@pytest.fixture
def service(storage_settings: ServiceSettings, database: Database) -> Service:
    store = ArtefactStore(storage_settings.artefact_directory)
    files = {"onnx": stored(store, "jobs/job_1/1/model.onnx", b"graph" * 100_000)}
    predictions = {"predictions": stored(store, "jobs/job_2/1/predictions.parquet", b"rows")}
    stored(store, "jobs/job_3/1/unfinished", b"of a running attempt: no row names it")
    jobs = {}
    with database.unit_of_work() as session:
        jobs = {name: accept(session) for name in ("succeeded", "running", "cancelling", "queued")}
        attempt = claimed(session, jobs["succeeded"])
        JobQueue(session).finish(jobs["succeeded"], attempt, JobStatus.SUCCEEDED, result={"files": predictions})
        claimed(session, jobs["running"])
        for job in ("succeeded", "running"):
            stored(store, f"checkpoints/{jobs[job]}.safetensors", job.encode())
        claimed(session, jobs["cancelling"])
        Jobs(session, "local").request_cancel(jobs["cancelling"])
        described: dict[str, Any] = {"digest": "d", "manifest": {}, "risks": {}, "bounds": [], "dataset_ids": []}
        LearnedModels(session, "local").register(name="m", job_id=jobs["succeeded"], files=files, **described)
        LearnedModels(session, "local").point("m", "live", 1)
        Workers(session).seen("worker-of-the-old-place", "cpu", 1)
        _, secret = ApiKeys(session).create("local", "k", ["read"], key_secret(storage_settings))
    service = Service(storage_settings, database, store, jobs, secret)
    add_dataset(service, "table")
    return service


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, service: Service, tmp_path: Path) -> Iterator[ServiceSettings]:
    """Another empty place for the same kind of database."""
    url = service.settings.database_url
    if not url:
        yield ServiceSettings(data_directory=tmp_path / "elsewhere")
        return
    name = service.database.engine.url.database
    with service.database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}_2"))
    yield ServiceSettings(data_directory=tmp_path / "elsewhere", database_url=f"{url}_2")
    with service.database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}_2 WITH (FORCE)"))


def rows(database: Database) -> dict[str, list[Any]]:
    """Every row of every table, but those of workers."""
    with database.reading() as session:
        return {
            table.name: sorted(map(repr, session.execute(select(table)))) for table in Base.metadata.sorted_tables
        } | {"workers": []}


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


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


def test_place_that_is_not_empty_is_refused_and_left_as_it_is(
    service: Service, elsewhere: ServiceSettings, tmp_path: Path
) -> None:
    back_up(service.settings, tmp_path / "backup")
    before = rows(service.database)
    with pytest.raises(BackupError, match="tables already"):
        restore(service.settings, tmp_path / "backup")
    assert rows(service.database) == before
    (elsewhere.artefact_directory / "datasets").mkdir(parents=True)
    with pytest.raises(BackupError, match="files of a service"):
        restore(elsewhere, tmp_path / "backup")
    with pytest.raises(BackupError, match="exists already"):
        back_up(service.settings, tmp_path / "backup")


def test_damaged_truncated_or_newer_backup_is_refused_before_anything_is_written(
    service: Service, elsewhere: ServiceSettings, tmp_path: Path, open_database: Open
) -> None:
    whole = tmp_path / "backup"
    manifest = back_up(service.settings, whole)
    for name in manifest.files:
        broken = tmp_path / "broken"
        shutil.copytree(whole, broken)
        content = (broken / name).read_bytes()
        (broken / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(BackupError, match="damaged"):
            restore(elsewhere, broken)
        (broken / name).unlink()
        with pytest.raises(BackupError, match="lacks"):
            restore(elsewhere, broken)
        shutil.rmtree(broken)
    newer = (whole / "manifest.json").read_text().replace(manifest.schema_revision, "9999")
    for text_, reason in ((newer, "newer"), ("{}", "manifest"), (newer.replace("key_secret", "../x"), "manifest")):
        (whole / "manifest.json").write_text(text_)
        with pytest.raises(BackupError, match=reason):
            restore(elsewhere, whole)
    (whole / "manifest.json").unlink()
    with pytest.raises(BackupError, match="no backup"):
        restore(elsewhere, whole)
    assert not elsewhere.data_directory.exists()
    found = Database(elsewhere)
    assert inspect(found.engine).get_table_names() == []
    found.close()


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


def test_failed_load_leaves_no_files(
    service: Service, elsewhere: ServiceSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(service.settings, tmp_path / "backup")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("db.restore.load", fail)
    with pytest.raises(OSError, match="No space"):
        restore(elsewhere, tmp_path / "backup")
    monkeypatch.undo()
    assert contents(elsewhere.data_directory) == {}
    restore(elsewhere, tmp_path / "backup")


def test_other_kind_of_database_is_refused(service: Service, tmp_path: Path) -> None:
    manifest = back_up(service.settings, tmp_path / "backup")
    other = "sqlite" if manifest.database == "postgresql" else "postgresql"
    path = tmp_path / "backup" / "manifest.json"
    path.write_text(path.read_text().replace(f'"database": "{manifest.database}"', f'"database": "{other}"'))
    place = ServiceSettings(
        data_directory=tmp_path / "there",
        database_url="" if manifest.database == "sqlite" else service.settings.database_url,
    )
    with pytest.raises(BackupError, match="RISKSCOPE_DATABASE_URL"):
        restore(place, tmp_path / "backup")


def test_missing_program_is_named_and_no_backup_stays(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if service.database.is_sqlite:
        assert "database.sqlite3" in back_up(service.settings, tmp_path / "backup").files
        return
    with pytest.raises(BackupError, match="pg_dump"):
        back_up(service.settings, tmp_path / "backup")
    assert list((tmp_path / "backup").iterdir()) == []
