"""Large bodies of predictions over real sockets: whole, in pieces, behind one another, refused, left off."""

import json
import socket
import time

import httpx
import numpy as np
import pytest

from api import large_bodies as module
from api.large_bodies import IncomingBody

PREDICT = "/v1/models/plane/predict"


@pytest.fixture
def api_settings(api_settings):
    return api_settings.model_copy(update={"max_body_bytes": 2**20})


@pytest.fixture
def incoming(monkeypatch, register_live):
    """Bodies that came straight from the socket."""
    register_live()
    begun, init = [], IncomingBody.__init__

    def noted(self, http, length):
        init(self, http, length)
        begun.append(self)

    monkeypatch.setattr(IncomingBody, "__init__", noted)
    return begun


def body(rows: int, first: int = 0) -> bytes:
    return json.dumps({"rows": [[first + row, 2.5] for row in range(rows)]}).encode()


def predictions(rows: int, first: int = 0) -> list[list[float]]:
    return [[first + row + 25.0] for row in range(rows)]


def head(length: int, path: str = PREDICT, more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {length}\r\n\r\n".encode()


def connect(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answer(connection: socket.socket) -> tuple[int, dict]:
    """Status and document of one answer, and no byte more."""
    file = connection.makefile("rb", buffering=0)
    status, length = int(file.readline().split()[1]), 0
    while (line := file.readline().strip().lower()) != b"":
        if line.startswith(b"content-length:"):
            length = int(line[15:])
    content = b""
    while len(content) < length:
        content += file.read(length - len(content))
    return status, json.loads(content)


def test_bodies_of_every_length_are_read_whole(incoming, address):
    with httpx.Client(base_url=f"http://{address}", timeout=30) as client:
        for rows in (1, 5000, 6000, 40_000, 1, 40_000):
            found = client.post(PREDICT, content=body(rows))
            assert found.json()["predictions"] == predictions(rows)
    large = sum(len(body(rows)) >= module.LEAST_BYTES for rows in (1, 5000, 6000, 40_000, 1, 40_000))
    assert len(incoming) == large == 3


def test_both_protocols_take_them(incoming, address):
    rows = np.random.default_rng(0).normal(size=(40_000, 2))
    raw = rows.astype("<f8").tobytes()
    tensor = {"name": "inputs", "shape": [40_000, 2], "datatype": "FP64"}
    header = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": len(raw)}}]}).encode()
    binary = httpx.post(
        f"http://{address}/v2/models/plane/versions/1/infer",
        content=header + raw,
        headers={"Inference-Header-Content-Length": str(len(header))},
        timeout=30,
    )
    assert binary.json()["outputs"][0]["data"] == pytest.approx((rows @ [1.0, 10.0]).tolist(), rel=1e-12)
    assert len(incoming) == 1


@pytest.mark.parametrize("cut", [0, 1, 17, 60_000, 70_000, -1])
def test_body_may_come_in_pieces_and_a_request_behind_it(incoming, address, cut):
    whole, behind = body(8000), body(3, first=7)
    sent = head(len(whole)) + whole
    cut = len(head(len(whole))) + cut if cut >= 0 else len(sent) - 1
    with connect(address) as connection:
        connection.sendall(sent[:cut])
        time.sleep(0.1)
        # The next request comes with the last bytes of this one.
        connection.sendall(sent[cut:] + head(len(behind)) + behind)
        assert answer(connection) == (200, _document(predictions(8000)))
        assert answer(connection) == (200, _document(predictions(3, first=7)))
        connection.sendall(sent)
        assert answer(connection) == (200, _document(predictions(8000)))
    assert len(incoming) == 2


def _document(found: list[list[float]]) -> dict:
    return {"predictions": found, "outputs": ["y0"], "model": {"name": "plane", "version": 1}}


def test_large_request_behind_another_is_answered_in_turn(incoming, address):
    small, whole = body(2), body(8000)
    with connect(address) as connection:
        connection.sendall(head(len(small)) + small + head(len(whole)) + whole + head(len(small)) + small)
        for rows in (2, 8000, 2):
            assert answer(connection) == (200, _document(predictions(rows)))


def test_client_that_asks_whether_to_go_on_is_told(incoming, address):
    whole = body(8000)
    with connect(address) as connection:
        connection.sendall(head(len(whole), more="Expect: 100-continue\r\n"))
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(whole)
        assert answer(connection)[0] == 200


def test_chunked_bodies_come_as_before(incoming, address):
    whole = body(8000)
    pieces = (whole[start : start + 50_000] for start in range(0, len(whole), 50_000))
    found = httpx.post(f"http://{address}{PREDICT}", content=pieces, timeout=30)
    assert found.json()["predictions"] == predictions(8000)
    assert incoming == []


def test_other_routes_and_bodies_above_the_cap_come_as_before(incoming, address):
    with httpx.Client(base_url=f"http://{address}", timeout=30) as client:
        assert client.post("/v1/jobs", json={"spec": {"kind": "x" * 100_000}}).status_code == 422
        with connect(address) as connection:
            connection.sendall(head(2**20 + 1))
            status, problem = answer(connection)
        assert status == 413
        assert str(2**20) in problem["detail"]
    assert incoming == []


def test_answer_before_the_body_frees_its_memory_and_the_connection_goes_on(incoming, address):
    whole, small = body(40_000), body(1)
    with connect(address) as connection:
        connection.sendall(head(len(whole), "/v1/models/absent/predict", "Authorization: Bearer x\r\n") + whole[:1000])
        status, _ = answer(connection)
        assert status == 401
        (body_of_nobody,) = incoming
        connection.sendall(whole[1000:] + head(len(small)) + small)
        assert answer(connection)[0] == 200
    assert len(body_of_nobody.buffer) == 2**16 < len(whole)


def test_client_that_leaves_in_the_middle_is_forgotten(incoming, address, app):
    whole = body(8000)
    with connect(address) as connection:
        connection.sendall(head(len(whole)) + whole[:5000])
        time.sleep(0.2)
    deadline = time.monotonic() + 10
    while incoming[0]._http.parser is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert incoming[0]._http.cycle.disconnected
    assert httpx.post(f"http://{address}{PREDICT}", content=body(1)).status_code == 200
