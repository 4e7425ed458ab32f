"""docs/how_to/add_a_kind.md works as it stands: in a copy of the tree its file passes the tests of its family."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "how_to" / "add_a_kind.md").read_text(encoding="utf-8")
(CODE,) = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
COMMANDS = "".join(re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL))
(PLACE,) = re.findall(r"The file `(.*?)`", GUIDE)


def test_guide_adds_a_kind(tmp_path: Path) -> None:
    for name in ("models", "tests", "db", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    assert not (tmp_path / PLACE).exists()
    (tmp_path / PLACE).write_text(CODE, encoding="utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/bash", "-e", "-c", COMMANDS],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert re.findall(r"(\d+) passed", done.stdout), done.stdout
    assert done.stdout.splitlines()[-1].startswith("f*(x) = |s - b|")


def test_guide_keeps_the_style_of_the_project() -> None:
    for arguments in (["check", "--quiet"], ["format", "--check", "--quiet"]):
        command = [Path(sys.executable).parent / "ruff", *arguments, "--stdin-filename", PLACE, "-"]
        done = subprocess.run(command, cwd=ROOT, input=CODE, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
