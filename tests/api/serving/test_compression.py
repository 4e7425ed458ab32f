import gzip
import zlib

import orjson
import pytest

from api.errors import Malformed, TooLarge, UnsupportedMediaType
from api.serving.compression import accepted_encoding, compressed, decompressed

PREDICT = "/v1/models/plane/predict"
ROWS = orjson.dumps({"rows": [[1, 2]] * 400})


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_is_compressed_comes_back(encoding):
    assert decompressed(compressed(ROWS, encoding), encoding, len(ROWS)) == ROWS


def test_plain_bodies_are_left_alone():
    assert decompressed(ROWS, "identity", 1) == decompressed(ROWS, "", 1) == ROWS


def test_bomb_is_refused_before_it_unfolds():
    bomb = gzip.compress(bytes(50 * 2**20))
    with pytest.raises(TooLarge, match="1000 bytes"):
        decompressed(bomb, "gzip", 1000)


@pytest.mark.parametrize(
    ("body", "encoding", "refusal"),
    [
        (b"plain", "gzip", Malformed),
        (gzip.compress(ROWS)[:-3], "gzip", Malformed),
        (gzip.compress(ROWS) + b"more", "gzip", Malformed),
        (gzip.compress(ROWS), "deflate", Malformed),
        (zlib.compress(ROWS), "gzip", Malformed),
        (ROWS, "br", UnsupportedMediaType),
        (gzip.compress(gzip.compress(ROWS)), "gzip, gzip", UnsupportedMediaType),
    ],
    # The bytes hold the time.
    ids=["plain", "truncated", "trailing", "gzip-as-deflate", "zlib-as-gzip", "unknown", "twice"],
)
def test_what_is_not_of_its_encoding_is_refused(body, encoding, refusal):
    with pytest.raises(refusal):
        decompressed(body, encoding, 10**6)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("deflate, gzip", "gzip"),
        ("gzip;q=0.1, deflate;q=0.5", "deflate"),
        ("gzip;q=0", None),
        ("gzip;q=x", None),
    ],
)
def test_encoding_is_what_the_client_prefers(accept, chosen):
    assert accepted_encoding(accept) == chosen


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_both_ways_over_http(client, register, encoding):
    register()
    headers = {"Content-Encoding": encoding, "Accept-Encoding": encoding}
    answer = client.post(PREDICT, content=compressed(ROWS, encoding), headers=headers)
    assert answer.headers["content-encoding"] == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.json()["predictions"] == [[21.0]] * 400


def test_short_answers_are_not_worth_it(client, register):
    register()
    answer = client.post(PREDICT, json={"rows": [[1, 2]]}, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


def test_bomb_is_413_over_http(client, register, api_settings):
    register()
    bomb = gzip.compress(bytes(10 * api_settings.max_body_bytes))
    answer = client.post(PREDICT, content=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert str(api_settings.max_body_bytes) in answer.json()["error"]
