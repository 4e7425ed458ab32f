"""What a path's words mean is remembered for less than a second, and not past a change in this process."""

import asyncio
import threading
import time

import httpx
import pytest

from api.errors import NotFound
from api.serving import directory as directory_module
from api.serving.directory import TRUST_SECONDS, ModelDirectory
from db.repositories.learned_models import LearnedModels


def point(services, version, alias="production"):
    """Moves an alias as another process does: the directory is not told."""
    with services.database.unit_of_work() as session:
        LearnedModels(session, "local").point("plane", alias, version)


def find(directory, version):
    async def ask():
        return await directory.find("local", "plane", version)

    return asyncio.run(ask())


def test_alias_moved_by_another_process_counts_within_a_second(client, register, services):
    register(), register(shift=100.0)
    point(services, 1)
    path = "/v1/models/plane/versions/production/predict"
    assert client.post(path, json={"rows": [[1, 2]]}).json()["model"]["version"] == 1
    for version in (2, 1, 2):
        point(services, version)
        moved_at = time.monotonic()
        while client.post(path, json={"rows": [[1, 2]]}).json()["model"]["version"] != version:
            assert time.monotonic() - moved_at < 1.0


def test_new_version_and_gone_alias_count_within_a_second(client, register, services):
    register(), point(services, 1)
    assert client.post("/v1/models/plane/predict", json={"rows": [[1, 2]]}).status_code == 200
    path = "/v1/models/plane/versions/production/predict"
    assert client.post(path, json={"rows": [[1, 2]]}).status_code == 200
    with services.database.unit_of_work() as session:
        LearnedModels(session, "local").unpoint("plane", "production")
    time.sleep(TRUST_SECONDS + 0.3)
    assert client.post(path, json={"rows": [[1, 2]]}).status_code == 404


def test_alias_counts_within_a_second_in_every_process(client, register, services, api_settings, other_process):
    register(), register(shift=100.0)
    point(services, 1)
    path = "/v1/models/plane/versions/production/predict"
    assert other_process.post(path, json={"rows": [[1, 2]]}).json()["model"]["version"] == 1
    for version in (2, 1):
        assert client.put("/v1/models/plane/aliases/production", json={"version": version}).status_code == 200
        moved_at = time.monotonic()
        assert client.post(path, json={"rows": [[1, 2]]}).json()["model"]["version"] == version
        while other_process.post(path, json={"rows": [[1, 2]]}).json()["model"]["version"] != version:
            assert time.monotonic() - moved_at < 1.0
        for _ in range(5):
            assert other_process.post(path, json={"rows": [[1, 2]]}).json()["model"]["version"] == version


def test_remembered_answers_cost_no_query(services, register, monkeypatch):
    register()
    directory = ModelDirectory(services.database, services.sessions)
    served = find(directory, None)
    monkeypatch.setattr(directory_module, "learned_model", None)
    assert directory.remembered("local", "plane", None) is served
    assert directory.remembered("stranger", "plane", None) is None
    assert directory.remembered("local", "plane", "1") is None


def test_answer_on_its_way_when_an_alias_moves_is_not_kept(services, register, monkeypatch):
    register(), register()
    point(services, 1)
    directory = ModelDirectory(services.database, services.sessions)
    real, reached, go_on = directory_module.learned_model, threading.Event(), threading.Event()

    def slow(*args):
        model = real(*args)
        reached.set()
        go_on.wait(10)
        return model

    async def scenario():
        monkeypatch.setattr(directory_module, "learned_model", slow)
        before = asyncio.create_task(directory.find("local", "plane", "production"))
        while not reached.is_set():
            await asyncio.sleep(0.01)
        monkeypatch.setattr(directory_module, "learned_model", real)
        point(services, 2)
        directory.forget("local", "plane")
        after = await directory.find("local", "plane", "production")
        go_on.set()
        return (await before).version, after.version, directory.remembered("local", "plane", "production").version

    assert asyncio.run(scenario()) == (1, 2, 2)


def test_requests_that_meet_share_one_look_up(services, register, monkeypatch):
    register()
    directory = ModelDirectory(services.database, services.sessions)
    real, looked = directory_module.learned_model, []

    def counted(*args):
        looked.append(args)
        time.sleep(0.05)
        return real(*args)

    monkeypatch.setattr(directory_module, "learned_model", counted)

    async def scenario():
        tasks = [asyncio.create_task(directory.find("local", "plane", None)) for _ in range(10)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        return await asyncio.gather(*tasks[1:])

    assert len({id(served) for served in asyncio.run(scenario())}) == 1
    assert len(looked) == 1


def test_absence_is_not_remembered(services, register):
    directory = ModelDirectory(services.database, services.sessions)
    with pytest.raises(NotFound):
        find(directory, None)
    register()
    assert find(directory, None).version == 1


def test_second_process_is_another_process(other_process):
    assert isinstance(other_process, httpx.Client)
    assert other_process.get("/v2/health/ready").json() == {"ready": True}
