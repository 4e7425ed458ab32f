"""Predictions under load, over real sockets: refused, late, left behind."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from api.serving.sessions import ServedModel

PREDICT = "/v1/models/plane/predict"
LARGE = json.dumps({"rows": [[1, 2]] * 10_000}).encode()
"""Too large to be computed on the event loop."""


@pytest.fixture
def api_settings(api_settings):
    return api_settings.model_copy(
        update={"prediction_threads": 1, "max_waiting_predictions": 1, "prediction_timeout_seconds": 5.0}
    )


@pytest.fixture
def held(monkeypatch, register_live, address):
    """Runs of more than one row wait for the gate; `began` counts them."""
    register_live()
    gate, began, real = threading.Event(), [], ServedModel.predict

    def waiting(self, rows, check=None):
        if len(rows) > 600:
            began.append(len(rows))
            deadline = time.monotonic() + 20
            while not gate.wait(0.01) and time.monotonic() < deadline:
                if check is not None:
                    check()
        return real(self, rows, check)

    monkeypatch.setattr(ServedModel, "predict", waiting)
    httpx.post(f"http://{address}{PREDICT}", json={"rows": [[1, 2]]}).raise_for_status()
    yield gate, began
    gate.set()


def post(address: str, body: bytes = LARGE, **headers: str) -> httpx.Response:
    return httpx.post(f"http://{address}{PREDICT}", content=body, headers=headers, timeout=30)


def until(fact) -> None:
    deadline = time.monotonic() + 10
    while not fact() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert fact()


def raw_post(address: str, body: bytes) -> socket.socket:
    host, port = address.split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


def test_full_queue_is_429_and_small_predictions_go_on(held, address):
    gate, began = held
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(post, address)
        until(lambda: len(began) == 1)
        waiting = threads.submit(post, address)
        time.sleep(0.3)
        refused = post(address)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["content-type"] == "application/problem+json"
        assert post(address, b'{"rows": [[1, 2]]}').json()["predictions"] == [[21.0]]
        gate.set()
        for answer in (running.result(), waiting.result()):
            assert answer.json()["predictions"] == [[21.0]] * 10_000


def test_client_that_left_the_queue_is_not_computed(held, address, app):
    gate, began = held
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(post, address)
        until(lambda: len(began) == 1)
        leaving = raw_post(address, LARGE)
        time.sleep(0.3)
        leaving.close()
        time.sleep(0.3)
        gate.set()
        assert running.result().status_code == 200
    assert post(address).status_code == 200
    assert len(began) == 2


def test_client_that_leaves_ends_its_computation(held, address):
    _, began = held
    leaving = raw_post(address, LARGE)
    until(lambda: len(began) == 1)
    leaving.close()
    started = time.monotonic()
    # The gate stays shut: only the end of the first run makes room for the second, whose time is then over.
    assert post(address).status_code == 503
    assert len(began) == 2
    assert time.monotonic() - started < 15


def test_prediction_that_takes_too_long_is_503(held, address):
    late = post(address)
    assert late.status_code == 503
    assert late.headers["retry-after"] == "1"
    assert late.json()["status"] == 503


def test_inference_client_may_wait_for_less(held, address):
    tensor = {"name": "inputs", "shape": [40_000, 2], "datatype": "FP64", "data": [1] * 80_000}
    body = {"inputs": [tensor], "parameters": {"timeout": 200_000}}
    started = time.monotonic()
    answer = httpx.post(f"http://{address}/v2/models/plane/infer", json=body, timeout=30)
    assert answer.status_code == 503
    assert time.monotonic() - started < 4


def test_failure_of_authentication_comes_before_the_body(app, address, register_live):
    register_live()
    with httpx.Client(base_url=f"http://{address}") as client:
        made = client.post("/v1/api-keys", json={"name": "reader", "owner": "local", "scopes": ["read"]})
        assert made.status_code == 201, made.json()
        # What was remembered of nobody's key is forgotten after two seconds.
        time.sleep(2.1)
        for path in (PREDICT, "/v2/models/plane/infer"):
            nobody = client.post(path, content=b"{")
            assert nobody.status_code == 401
            assert nobody.headers["www-authenticate"] == "Bearer"
            reader = client.post(path, content=b"{", headers={"Authorization": f"Bearer {made.json()['secret']}"})
            assert reader.status_code == 403
            assert "predict" in reader.json()["error"]
            assert reader.headers["x-request-id"]


def test_other_methods_are_405(address):
    assert httpx.get(f"http://{address}{PREDICT}").status_code == 405


def test_large_predictions_equal_small_ones(address, register_live):
    register_live(matrix=((1.0, 0.5), (10.0, -1.0)))
    rows = np.random.default_rng(0).normal(size=(5000, 2))
    answer = post(address, json.dumps({"rows": rows.tolist()}).encode())
    np.testing.assert_allclose(answer.json()["predictions"], rows @ [[1.0, 0.5], [10.0, -1.0]], rtol=1e-12)
