"""What cannot be backed up or restored is refused, says why, and leaves nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saved_service import Service, contents, rows
from sqlalchemy import inspect

from db.backup import back_up
from db.engine import Database
from db.manifest import BackupError
from db.restore import restore
from db.settings import ServiceSettings

Open = Callable[[ServiceSettings], Database]


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
