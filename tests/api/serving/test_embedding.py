"""Every example of docs/embedding.md is run as it stands there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

GUIDE = Path(__file__).parents[3] / "docs" / "embedding.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
PREDICTIONS = [[21.0], [43.0]]


@pytest.fixture
def url(register_live, address) -> str:
    """Where the model `plane` and its alias are served."""
    register_live()
    httpx.put(f"http://{address}/v1/models/plane/aliases/production", json={"version": 1}).raise_for_status()
    return f"http://{address}"


def command(language: str, code: str) -> list[str]:
    program = {"sh": "bash", "python": sys.executable, "javascript": "node"}[language]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed here")
    if language == "javascript":
        return [program, "--input-type=module", "--eval", code]
    return [program, "-c", code]


@pytest.mark.parametrize(("language", "code"), BLOCKS, ids=[f"{n}-{block[0]}" for n, block in enumerate(BLOCKS)])
def test_example_prints_the_predictions(url, language, code):
    environment = os.environ | {"URL": url}
    done = subprocess.run(
        command(language, code), env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    if "text/csv" in code:
        assert done.stdout.split() == ["y0", "21.0", "43.0"]
        return
    found = json.loads(done.stdout)
    assert (found["predictions"] if isinstance(found, dict) else found) == PREDICTIONS


def test_every_way_is_shown():
    assert [language for language, _ in BLOCKS] == ["sh", "sh", "python", "javascript", "python", "python"]
