"""The stock Triton client over a real socket, unmodified."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

MATRIX = ((1.0, -1.0), (10.0, 0.5))


@pytest.fixture
def client(address) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(address, concurrency=8) as client:
        yield client


@pytest.fixture
def plane(register_live) -> Callable[..., Any]:
    """Registers the next version of the model `plane`."""
    return lambda **changes: register_live(matrix=MATRIX, **changes)


def tensors(rows: np.ndarray, datatype: str, binary: bool) -> list[triton.InferInput]:
    tensor = triton.InferInput("inputs", list(rows.shape), datatype)
    tensor.set_data_from_numpy(rows, binary_data=binary)
    return [tensor]


def test_server_and_model_are_live_and_ready(client, plane):
    plane(), plane()
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("plane")
    assert client.is_model_ready("plane", "1")
    assert not client.is_model_ready("plane", "3")
    assert not client.is_model_ready("nothing")


def test_metadata_names_what_infer_takes(client, plane):
    plane()
    assert client.get_server_metadata()["name"] == "riskscope"
    metadata = client.get_model_metadata("plane", "1")
    assert [(tensor["name"], tensor["datatype"], tensor["shape"]) for tensor in metadata["inputs"]] == [
        ("inputs", "FP64", [-1, 2])
    ]
    assert metadata["outputs"][0]["shape"] == [-1, 2]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize(("datatype", "dtype"), [("FP32", np.float32), ("FP64", np.float64)])
def test_infer_gives_the_graphs_numbers(client, plane, binary_in, binary_out, datatype, dtype):
    plane(shift=3.0)
    rows = np.random.default_rng(0).normal(size=(7, 2)).astype(dtype)
    wanted = [triton.InferRequestedOutput("outputs", binary_data=binary_out)]
    answer = client.infer("plane", tensors(rows, datatype, binary_in), outputs=wanted, request_id="q7")
    assert answer.get_response()["id"] == "q7"
    assert answer.get_response()["model_version"] == "1"
    assert answer.as_numpy("outputs").dtype == dtype
    np.testing.assert_allclose(answer.as_numpy("outputs"), rows @ np.array(MATRIX) + 3.0, rtol=1e-5)


def test_client_that_names_no_output_asks_for_raw_bytes(client, plane):
    plane()
    answer = client.infer("plane", tensors(np.array([[1.0, 2.0]]), "FP64", True))
    assert answer.get_output("outputs")["parameters"]["binary_data_size"] == 16
    assert answer.as_numpy("outputs").tolist() == [[21.0, 0.0]]


@pytest.mark.parametrize("request_algorithm", [None, "gzip", "deflate"])
@pytest.mark.parametrize("response_algorithm", [None, "gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_compression_both_ways(client, plane, request_algorithm, response_algorithm, binary):
    plane()
    rows = np.tile([[1.0, 2.0]], (500, 1))
    answer = client.infer(
        "plane",
        tensors(rows, "FP64", binary),
        outputs=[triton.InferRequestedOutput("outputs", binary_data=binary)],
        request_compression_algorithm=request_algorithm,
        response_compression_algorithm=response_algorithm,
    )
    np.testing.assert_array_equal(answer.as_numpy("outputs"), np.tile([[21.0, 0.0]], (500, 1)))


def test_classes_are_the_largest_outputs(client, plane):
    plane()
    wanted = [triton.InferRequestedOutput("outputs", class_count=2)]
    answer = client.infer("plane", tensors(np.array([[1.0, 2.0], [-1.0, 0.0]]), "FP64", True), outputs=wanted)
    assert answer.as_numpy("outputs").tolist() == [[b"21.0:0:y0", b"0.0:1:y1"], [b"1.0:1:y1", b"-1.0:0:y0"]]


@pytest.mark.parametrize(
    ("model", "shape", "datatype", "status", "says"),
    [
        ("nothing", (1, 2), np.float64, "404", "nothing"),
        ("plane", (1, 3), np.float64, "400", r"\[N, 2\]"),
        ("plane", (1, 2), np.float16, "400", "datatype"),
    ],
)
def test_errors_are_read_by_the_client(client, plane, model, shape, datatype, status, says):
    plane()
    name = {np.float64: "FP64", np.float16: "FP16"}[datatype]
    with pytest.raises(InferenceServerException, match=says) as refusal:
        client.infer(model, tensors(np.ones(shape, dtype=datatype), name, True))
    assert refusal.value.status() == status


def test_version_and_alias_answer(client, plane, address):
    plane(), plane(shift=100.0)
    rows = tensors(np.array([[1.0, 2.0]]), "FP64", True)
    found = [client.infer("plane", rows, model_version=version).as_numpy("outputs")[0, 0] for version in ("1", "2", "")]
    assert found == [21.0, 121.0, 121.0]


def test_concurrent_clients_get_their_own_answers(client, plane):
    plane()
    client.is_model_ready("plane")

    def right(number: int) -> bool:
        rows = np.full((1 + number % 5, 2), float(number))
        pending = client.async_infer("plane", tensors(rows, "FP64", number % 2 == 0), request_id=str(number))
        answer = pending.get_result()
        values = answer.as_numpy("outputs")
        return answer.get_response()["id"] == str(number) and np.array_equal(values[:, 0], 11.0 * rows[:, 0])

    assert all(right(number) for number in range(100))


def test_threads_with_clients_of_their_own_get_their_own_answers(plane, address):
    plane()

    def asked(number: int) -> float:
        with triton.InferenceServerClient(address) as mine:
            return mine.infer("plane", tensors(np.full((1, 2), float(number)), "FP64", True)).as_numpy("outputs")[0, 0]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(asked, range(40))) == [11.0 * number for number in range(40)]


def test_repository_index_tells_what_is_warm(client, plane):
    plane(), plane()
    client.is_model_ready("plane", "2")
    states = {entry["version"]: entry["state"] for entry in client.get_model_repository_index()}
    assert states == {"1": "UNAVAILABLE", "2": "READY"}


def test_statistics_count_rows_requests_and_refusals(client, plane):
    plane()
    for rows in (1, 1, 40):
        client.infer("plane", tensors(np.ones((rows, 2)), "FP64", True))
    with pytest.raises(InferenceServerException):
        client.infer("plane", tensors(np.ones((1, 3)), "FP64", True))
    (entry,) = client.get_inference_statistics("plane")["model_stats"]
    assert entry["inference_count"] == 42
    assert entry["execution_count"] == 3
    assert entry["inference_stats"]["success"]["count"] == 3
    assert entry["inference_stats"]["fail"]["count"] == 1
    assert {batch["batch_size"]: batch["compute_infer"]["count"] for batch in entry["batch_stats"]} == {1: 2, 64: 1}
    assert entry["inference_stats"]["compute_infer"]["ns"] > 0
    assert abs(entry["last_inference"] / 1000 - time.time()) < 60
    assert client.get_inference_statistics()["model_stats"] == [entry]
    assert client.get_inference_statistics("plane", "1")["model_stats"] == [entry]
