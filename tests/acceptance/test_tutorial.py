"""docs/tutorial.md from top to bottom: its commands, and what they print."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from browsing import embedded_service

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|text)\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_commands_print_what_the_tutorial_says(tmp_path: Path) -> None:
    script = "set -euo pipefail\n" + "echo ---\n".join(code for language, code in BLOCKS if language == "sh")
    shown = [text for language, text in BLOCKS if language == "text"]
    assert len(shown) == 3
    with embedded_service(tmp_path / "data") as url:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            env=os.environ | {"PATH": path, "RISKSCOPE_URL": url, "RISKSCOPE_API_KEY": ""},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = [part for part in done.stdout.split("---\n") if part.strip()]
    for wanted, found in zip(shown, printed, strict=True):
        # The words are equal; a rounded number may differ by one in its last digit on another processor.
        assert NUMBER.sub("#", found) == NUMBER.sub("#", wanted)
        for expected, number in zip(NUMBER.findall(wanted), NUMBER.findall(found), strict=True):
            unit = 10.0 ** -len(expected.partition(".")[2])
            assert float(number) == pytest.approx(float(expected), rel=0.02, abs=1.01 * unit), (expected, number)
