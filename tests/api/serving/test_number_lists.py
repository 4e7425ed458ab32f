"""The compiled reader of lists of numbers against Python's own float and json."""

import json
import math
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.serving import json_arrays, number_lists
from api.serving.inference_request import read_request
from api.serving.inputs import InputColumn, InputSchema
from api.serving.json_arrays import inference_document, table_of_rows
from api.serving.number_lists import NumberReader, number_reader

SOURCE = Path(number_lists.__file__).with_suffix(".c")
AB = InputSchema((InputColumn("a"), InputColumn("b")))


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """The installed one, else one compiled here."""
    installed, compiler = number_reader(), shutil.which("gcc") or shutil.which("clang")
    if installed is not None:
        return installed
    if compiler is None:
        pytest.skip("no compiler, and the installation had none")
    library = tmp_path_factory.mktemp("built") / "_number_lists.so"
    subprocess.run([compiler, "-O3", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    return NumberReader(library)


@pytest.fixture
def for_every_size(monkeypatch, reader):
    """Bodies of a few bytes go the way of large ones."""
    monkeypatch.setattr(json_arrays, "LARGE_BYTES", 0)
    monkeypatch.setattr(json_arrays, "number_reader", lambda: reader)


def read(reader, texts):
    text = ("[" + ",".join(texts) + "]").encode()
    found = reader.read(text, 0)
    assert found is not None
    assert (found.rows, found.end, len(found.values)) == (0, len(text), len(texts))
    return found.values


def assert_as_python(reader, texts):
    expected = np.array([float(text) for text in texts])
    assert read(reader, texts).tobytes() == expected.tobytes()


def test_every_double_comes_back_to_the_bit(reader):
    drawn = np.random.default_rng(0).integers(0, 2**64, 200_000, dtype=np.uint64).view(np.float64)
    drawn = drawn[np.isfinite(drawn)]
    assert_as_python(reader, [repr(value) for value in drawn.tolist()])
    subnormal = np.random.default_rng(1).integers(0, 2**53, 50_000, dtype=np.uint64).view(np.float64)
    assert_as_python(reader, [repr(value) for value in subnormal.tolist()])


def test_nineteen_digits_are_rounded_as_python_rounds_them(reader):
    random = np.random.default_rng(2)
    digits = random.integers(1, 10**19, 200_000, dtype=np.uint64).tolist()
    powers = random.integers(-350, 289, 200_000).tolist()
    assert_as_python(reader, [f"{w}e{q}" for w, q in zip(digits, powers, strict=True)])
    assert_as_python(reader, [f"{str(w)[:5]}.{str(w)[5:]}E+{abs(q)}" for w, q in zip(digits, powers, strict=True)
                              if abs(q) < 285])  # fmt: skip


def test_halves_go_to_the_even_double(reader):
    random = np.random.default_rng(3)
    texts = []
    for odd in (2 * random.integers(2**52, 2**53, 20_000) + 1).tolist():
        # Half an ulp above a double, and its neighbours in the last digit.
        for value in (Fraction(odd) * 2, Fraction(odd) * 4, Fraction(odd), Fraction(odd, 2), Fraction(odd, 4)):
            text = str(int(value * 100)).rjust(3, "0")
            texts += [f"{text[:-2]}.{text[-2:]}", f"{int(text) - 1}e-2", f"{int(text) + 1}e-2"]
    texts = [text for text in texts if len(re.sub(r"e.*|\.", "", text)) <= 19]
    assert len(texts) > 200_000
    assert_as_python(reader, texts)


@pytest.mark.parametrize(
    "text",
    [
        "0", "-0.0", "0.0", "0e5", "-0E-400", "9007199254740993", "9999999999999999999", "1e22", "1e23", "8.5e-324",
        "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072011e-308",
        "2.2250738585072014e-308", "1.7976931348623157e308", "179769313486231580e291", "1e-400", "123456789e-99999999",
        "0.0000000000000000000000000000001234567890123456789", "-1.5", "12345678.12345678", "0.1234567", "1.00000000",
    ],
)  # fmt: skip
def test_limits(reader, text):
    assert_as_python(reader, [text])
    assert_as_python(reader, ["1", text, "2.5"])


def test_integer_minus_zero_is_zero(reader):
    assert math.copysign(1, read(reader, ["-0"])[0]) == 1


@pytest.mark.parametrize("text", ["1e309", "1.7976931348623159e308", "-1e400", "1e99999999999999999999"])
def test_infinite_numbers_are_left(reader, text):
    assert reader.read(f"[{text}]".encode(), 0) is None


TEXTS = st.text(st.sampled_from("[[]],,..--++eE 0123456789\n"), max_size=40)


@given(text=TEXTS | st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers()).map(json.dumps))
@example("[1.]")
@example("[.5]")
@example("[01]")
@example("[-]")
@example("[1e]")
@example("[1e+]")
@example("[+1]")
@example("[1,]")
@example("[1 2]")
@example("[1")
@example("[[1,2],[3]]")
@example("[[1],2]")
@example("[1,[2]]")
@example("[[]]")
@example("[ [ 1 , 2 ] ,\n[ 3 , 4 ] ]")
def test_what_is_read_is_what_json_reads(reader, text):
    found = reader.read(text.encode(), 0)
    if found is not None:
        document = json.loads(text[: found.end])
        flat = [value for row in document for value in row] if found.rows else document
        assert found.values.tobytes() == np.array(flat, dtype=np.float64).tobytes()
        assert not found.rows or {len(row) for row in document} == {len(flat) // found.rows}
        assert not found.rows or len(document) == found.rows
        return
    try:
        document = json.loads(text)
    except ValueError:
        return
    # Left: what is no list, or empty, ragged or deeper, or has a number of too many digits or too large.
    plain = type(document) is list and document and (
        all(type(value) in (int, float) for value in document)
        or (all(type(row) is list and row for row in document) and len({len(row) for row in document}) == 1
            and all(type(value) in (int, float) for row in document for value in row))
    )  # fmt: skip
    long = any(len(re.sub(r"[.\-]|[eE].*", "", token).lstrip("0")) > 19 for token in re.split(r"[\[\], \n]", text))
    assert not plain or long or not np.isfinite(np.array(document, dtype=np.float64)).all()


def test_text_that_ends_early_is_left(reader):
    whole = b'{"rows": [[1.5, 12345678.5], [3e2, 4]]}'
    for length in range(9, whole.index(b"}")):
        assert reader.read(whole[:length], 9) is None
    assert reader.read(b"", 0) is None
    assert reader.read(b"[1]", 3) is None


@pytest.mark.usefixtures("for_every_size")
@pytest.mark.parametrize(
    "body",
    [
        '{"rows": [[1, 2], [3, 4]]}',
        ' \n{ "rows"\t:\r[ [1,2] , [3,4.0]\n] } ',
        '{"rows": [[1, 2], [3, 40e-1]]}',
    ],
)
def test_tables_are_read_whatever_the_space(body):
    assert table_of_rows(body.encode(), 2).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert table_of_rows(body.encode(), 4) is None
    assert table_of_rows(body.encode() + b"x", 2) is None
    assert table_of_rows(body.encode() + b"}", 2) is None


@pytest.mark.usefixtures("for_every_size")
def test_simdjson_reads_what_the_compiled_reader_leaves():
    long = "0.12345678901234567890123"
    assert table_of_rows(f'{{"rows": [[1, {long}]]}}'.encode(), 2).tolist() == [[1.0, float(long)]]


TENSOR = '"name": "inputs", "shape": [2, 2], "datatype": "FP64"'
DOCUMENTS = [
    '{"inputs": [{TENSOR, "data": [1, 2, 3, 4]}]}',
    '{"inputs": [{"data" : [[1, 2], [3, 4]], TENSOR}], "id": "x"}',
    '{"inputs": [{TENSOR, "data": [1, 2], "data": [1, 2, 3, 4]}]}',
    '{"inputs": [{TENSOR, "data": [1, 2, 3, 4], "data": [1]}]}',
    '{"inputs": [{TENSOR, "data": [1, 2, 3, 4], "data": null}]}',
    r'{"id": "\"data\": [1, 2, 3, 4]", "inputs": [{TENSOR, "data": [1, 2, 3, 5]}]}',
    r'{"x\"data": [1, 2, 3, 4], "inputs": [{TENSOR, "data": [1, 2, 3, 5]}]}',
    '{"data": [1, 2, 3, 4], "inputs": [{TENSOR}]}',
    '{"parameters": {"data": [1, 2, 3, 4]}, "inputs": [{TENSOR, "data": [1, 2, 3, 5]}]}',
    '{"inputs": [{TENSOR, "parameters": {"data": [1, 2, 3, 4]}, "data": [1, 2, 3, 5]}]}',
    '{"inputs": [{TENSOR, "data": [1, 2, 3]}]}',
    '{"inputs": [{TENSOR, "data": [[1, 2, 3, 4]]}]}',
    '{"inputs": [{TENSOR, "data": [[1], [2], [3], [4]]}]}',
    '{"inputs": [{TENSOR, "data": [1, 2, null, 4]}]}',
    '{"inputs": [{TENSOR, "data": [1, 2, 3, 4]}, {TENSOR, "data": [1, 2, 3, 4]}]}',
    '{"inputs": [{TENSOR, "data": [1, 2, 3, 4]}], "inputs": []}',
    '{"inputs": [{TENSOR, "data": [1, 2, 3, 4]}, 3]}',
    '{"inputs": {TENSOR, "data": [1, 2, 3, 4]}}',
    '{"inputs": [{TENSOR, "data": [1, 2, 3, 4]}]',
    '[{"data": [1, 2, 3, 4]}]',
    '{"inputs": [{TENSOR, "data": [1.5, 2, 3, 4]}]}'.replace("TENSOR", TENSOR.replace("FP64", "INT32")),
    '{"inputs": [{TENSOR, "data": [1, 2, 3, 4]}]}'.replace("TENSOR", TENSOR.replace("FP64", "INT64")),
    '{"inputs": [{TENSOR, "data": [0.1, 1e39, 3, 4]}]}'.replace("TENSOR", TENSOR.replace("FP64", "FP32")),
    '{"inputs": [{TENSOR, "data": [0.1, 2, 3, 4]}]}'.replace("TENSOR", TENSOR.replace("FP64", "FP32")),
    '{"inputs": [{TENSOR, "data": [0.1, 2, 3, 4]}]}'.replace("TENSOR", TENSOR.replace('"FP64"', "[64]")),
]
DOCUMENTS = [document.replace("TENSOR", TENSOR) for document in DOCUMENTS]


def outcome(body):
    try:
        request = read_request(body.encode(), None, AB, 100)
    except Exception as refused:
        return type(refused), str(refused)
    return request.id, request.datatype, request.rows.numbers.tobytes(), request.rows.numbers.shape


@pytest.mark.parametrize("body", DOCUMENTS)
def test_inference_requests_are_read_or_refused_as_by_the_careful_reader(body, reader, monkeypatch):
    monkeypatch.setattr(json_arrays, "LARGE_BYTES", 0)
    monkeypatch.setattr(json_arrays, "number_reader", lambda: reader)
    found = outcome(body)
    monkeypatch.setattr("api.serving.inference_request.inference_document", lambda _: None)
    assert found == outcome(body)


@pytest.mark.usefixtures("for_every_size")
def test_word_in_place_of_the_numbers_cannot_be_given(monkeypatch):
    monkeypatch.setattr(json_arrays.secrets, "token_hex", lambda _: "word")
    assert inference_document(DOCUMENTS[0].encode())["inputs"][0]["data"].tolist() == [1.0, 2.0, 3.0, 4.0]
    # Had it been guessed, two tensors would have it.
    twice = DOCUMENTS[0].replace("}]", '}, {"data": "word"}]')
    assert inference_document(twice.encode()) is None


@pytest.mark.parametrize("built", [True, False])
def test_large_bodies_are_the_same_table_with_and_without_the_compiled_reader(built, reader, monkeypatch):
    monkeypatch.setattr(json_arrays, "number_reader", lambda: reader if built else None)
    rows = np.random.default_rng(4).normal(size=(300, 20)) * 10.0 ** np.random.default_rng(5).integers(-9, 9, (300, 1))
    body = orjson.dumps({"rows": rows.tolist()})
    assert len(body) > json_arrays.LARGE_BYTES
    assert table_of_rows(body, 20).tobytes() == rows.tobytes()
    tensor = {"name": "inputs", "shape": [300, 20], "datatype": "FP64"}
    for data in (rows.tolist(), rows.ravel().tolist()):
        document = inference_document(orjson.dumps({"inputs": [{**tensor, "data": data}]}))
        assert document["inputs"][0]["data"].tobytes() == rows.tobytes()


def test_installation_without_the_library_has_no_reader(monkeypatch, tmp_path):
    monkeypatch.setattr(number_lists, "__file__", str(tmp_path / "number_lists.py"))
    number_reader.cache_clear()
    try:
        assert number_reader() is None
    finally:
        number_reader.cache_clear()
