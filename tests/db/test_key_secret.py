"""The server's secret: made once, whoever comes first, readable by its owner only."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from db.key_secret import key_digest, key_secret
from db.settings import ServiceSettings


def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    settings = ServiceSettings(data_directory=tmp_path / "data")
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: key_secret(settings), range(32)))
    assert len(found) == 1
    assert [len(secret) for secret in found] == [32]
    (file,) = (tmp_path / "data").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_setting_comes_before_the_file_and_must_be_long(tmp_path: Path) -> None:
    settings = ServiceSettings(data_directory=tmp_path, key_secret=SecretStr("s" * 32))
    assert key_secret(settings) == b"s" * 32
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValidationError):
        ServiceSettings(key_secret=SecretStr("short"))


def test_digest_is_hmac_sha256_of_rfc_4231() -> None:
    assert key_digest("what do ya want for nothing?", b"Jefe") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
