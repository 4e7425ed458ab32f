"""Every example of docs/client.md, in its order, and the README's program, against a running service."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.commands.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

embedded_service = runpy.run_path(str(ROOT / "examples" / "demo.py"))["embedded_service"]


def blocks(text: str, language: str) -> list[str]:
    return [code for found, code in FENCES.findall(text) if found == language]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("client")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with embedded_service(folder / "data") as url:
        yield os.environ | {"PATH": path, "RISKSCOPE_URL": url, "RISKSCOPE_API_KEY": "", "HOME": str(folder)}


def run(command: list[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_commands_of_the_guide_do_what_they_say(environment: dict[str, str], tmp_path: Path) -> None:
    script = "set -euo pipefail\n" + "echo ---\n".join(blocks(GUIDE, "sh"))
    grid, table, scripts = run(["bash", "-c", script], environment, tmp_path).split("---\n")
    assert "estimated seconds" in grid
    cells = [line.split() for line in grid.splitlines() if "cosine_ridge" in line]
    assert [cell[3:5] for cell in cells] == [[m, n] for m in ("8", "32") for n in ("64", "256")]
    assert (tmp_path / "cells.csv").read_text().count("\n") == 5
    assert "<!doctype html>" in (tmp_path / "report.html").read_text()
    price, *predictions = re.findall(r"^(?:price|-?\d+\.\d+)$", table, re.MULTILINE)
    assert price == "price"
    assert [float(value) for value in predictions] == pytest.approx([6.3, 12.3], abs=1)
    assert (tmp_path / "prices.onnx").stat().st_size > 0
    event, status = scripts.splitlines()
    assert '"type": "succeeded"' in event
    assert status == "succeeded"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("text", [GUIDE, README], ids=["guide", "readme"])
def test_program_prints_the_advice(environment: dict[str, str], tmp_path: Path, text: str) -> None:
    (program,) = blocks(text, "python")
    printed = run([sys.executable, "-c", program], environment, tmp_path)
    advice = [line.split(maxsplit=2) for line in printed.splitlines() if re.match(r"\d+ \d+ ", line)]
    assert len(advice) == 4
    assert all(len(words[2]) > 20 for words in advice)


def test_every_exit_code_is_explained() -> None:
    explained = re.findall(r"^\| (\d+) \|", GUIDE, re.MULTILINE)
    assert [int(code) for code in explained] == [int(code) for code in ExitCode]
