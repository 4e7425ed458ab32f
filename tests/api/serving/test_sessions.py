import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from api.serving import sessions
from api.serving.inputs import ModelRows
from api.serving.sessions import SLICE_ROWS, ModelSessions, ServingFailure


@pytest.fixture
def opened(monkeypatch):
    """Counts the openings, and makes them slow enough to meet."""
    count, gate = [], threading.Event()
    real = sessions._session

    def slow(graph):
        count.append(len(graph))
        gate.wait(0.2)
        return real(graph)

    monkeypatch.setattr(sessions, "_session", slow)
    return count


def test_two_requests_open_one_session(services, register, opened):
    model = register()
    found = []
    threads = [threading.Thread(target=lambda: found.append(services.sessions.open(model))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1
    assert len({id(served) for served in found}) == 1
    assert len(found) == 8


def test_failed_opening_reaches_everyone_and_is_tried_again(services, register, opened):
    model = register()
    path = services.store.path(model.files["graph"]["uri"])
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(ServingFailure):
        services.sessions.open(model)
    path.write_bytes(content)
    assert services.sessions.open(model).version == 1


def test_file_that_changed_is_not_served(services, register, client):
    model = register()
    path = services.store.path(model.files["graph"]["uri"])
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ServingFailure, match="digest"):
        services.sessions.open(model)
    answer = client.post("/v1/models/plane/predict", json={"rows": [[1, 2]]})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"


def test_graph_of_another_shape_is_not_served(services, register):
    model = register()
    model.manifest = {**model.manifest, "input_names": ["a", "b", "c"]}
    with pytest.raises(ServingFailure, match="does not run"):
        services.sessions.open(model)


def test_least_recently_used_session_goes_first(services, register):
    first, second, third = register("m"), register("m"), register("m")
    size = services.sessions.open(first).estimated_bytes
    cache = ModelSessions(services.store, max_bytes=2 * size)
    cache.open(first), cache.open(second), cache.open(first), cache.open(third)
    assert cache.opened(second.id) is None
    assert cache.opened(first.id) is not None
    assert len(cache) == 2
    cache.close()
    assert len(cache) == 0


def test_model_beyond_the_budget_is_still_served(services, register):
    cache = ModelSessions(services.store, max_bytes=1)
    model = register()
    assert cache.open(model).predict(ModelRows(np.array([[1.0, 2.0]]))) == pytest.approx(21.0)


def test_slices_give_what_one_run_gives(services, register):
    served = services.sessions.open(register(matrix=((1.0, 2.0), (3.0, 4.0))))
    rows = np.random.default_rng(0).normal(size=(2 * SLICE_ROWS + 7, 2))
    np.testing.assert_allclose(served.predict(ModelRows(rows)), rows @ [[1.0, 2.0], [3.0, 4.0]], rtol=1e-14)


def test_many_threads_predict_with_one_session(services, register):
    served = services.sessions.open(register())
    rows = np.random.default_rng(0).normal(size=(600, 2))

    def right(offset):
        answers = (served.predict(ModelRows(rows + offset))[:, 0] for _ in range(50))
        return all(np.allclose(answer, (rows + offset) @ [1.0, 10.0]) for answer in answers)

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(right, range(6)))
