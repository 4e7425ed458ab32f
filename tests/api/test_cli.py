"""The console script's own commands; `serve`, `api` and `worker` are tested as processes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from db.engine import Database
from db.key_secret import key_secret
from db.migrate import schema_is_current
from db.repositories.api_keys import ApiKeys
from db.settings import ServiceSettings

Run = Callable[..., Result]


def runner(settings: ServiceSettings) -> Run:
    environment = {
        "RISKSCOPE_DATA_DIRECTORY": str(settings.data_directory),
        "RISKSCOPE_DATABASE_URL": settings.database_url,
    }
    return lambda *arguments: CliRunner().invoke(app, list(arguments), env=environment)


@pytest.fixture
def run(storage_settings: ServiceSettings) -> Run:
    return runner(storage_settings)


def test_migrate_makes_the_schema_current_and_may_be_repeated(unmigrated_settings: ServiceSettings) -> None:
    for _ in range(2):
        assert runner(unmigrated_settings)("migrate").exit_code == 0
    database = Database(unmigrated_settings)
    try:
        assert schema_is_current(database)
    finally:
        database.close()


def test_key_is_printed_once_listed_without_its_secret_and_revoked(
    run: Run, database: Database, storage_settings: ServiceSettings
) -> None:
    made = run("keys", "create", "--name", "ci", "--owner", "team", "--scope", "predict")
    assert made.exit_code == 0, made.output
    key_id, secret = made.stdout.split()
    assert "needs a key" in made.stderr
    with database.reading() as session:
        key = ApiKeys(session).authenticate(secret, key_secret(storage_settings))
        assert key is not None
        assert (key.id, key.owner, list(key.scopes)) == (key_id, "team", ["predict"])
    listed = run("keys", "list")
    assert key_id in listed.output
    assert secret not in listed.output
    assert run("keys", "revoke", key_id).exit_code == 0
    assert run("keys", "list").output == ""
    assert run("keys", "revoke", key_id).exit_code == 1


def test_keys_need_a_migrated_database_and_say_so(unmigrated_settings: ServiceSettings) -> None:
    refused = runner(unmigrated_settings)("keys", "create", "--name", "me")
    assert refused.exit_code == 1
    assert "riskscope migrate" in refused.output


def test_data_directory_that_is_a_file_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {"RISKSCOPE_DATA_DIRECTORY": str(tmp_path / "file"), "RISKSCOPE_DATABASE_URL": ""}
    refused = CliRunner().invoke(app, ["migrate"], env=environment)
    assert refused.exit_code == 1
    assert "data directory" in refused.output


def test_unknown_scope_is_refused_with_the_known_ones(run: Run, database: Database) -> None:
    refused = run("keys", "create", "--name", "x", "--scope", "everything")
    assert refused.exit_code == 2
    assert "everything" in refused.output
    assert "predict" in refused.output


def test_openapi_prints_the_snapshot(run: Run) -> None:
    snapshot = Path(__file__).parents[2] / "docs" / "openapi.json"
    assert run("openapi").output == snapshot.read_text(encoding="utf-8")


def test_backup_and_restore_say_what_they_moved_and_why_they_refuse(
    run: Run, database: Database, storage_settings: ServiceSettings, tmp_path: Path
) -> None:
    key_secret(storage_settings)
    made = run("backup", str(tmp_path / "backup"))
    assert made.exit_code == 0, made.output
    assert "0 jobs, 0 datasets, 0 models" in made.output
    assert (tmp_path / "backup" / "key_secret").read_bytes() == key_secret(storage_settings)
    again = run("backup", str(tmp_path / "backup"))
    assert (again.exit_code, "not an empty directory" in again.output) == (1, True)
    refused = run("restore", str(tmp_path / "backup"))
    assert (refused.exit_code, "tables already" in refused.output) == (1, True)
    nothing = run("restore", str(tmp_path / "elsewhere"))
    assert (nothing.exit_code, "is no backup" in nothing.output) == (1, True)
