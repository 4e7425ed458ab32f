"""The console script in a shell: quick, complete, and JSON to the last error."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from api.cli import app

SCRIPT = [sys.executable, "-c", "import sys; sys.argv[0] = 'riskscope'; from api.cli import main; main()"]
COMMANDS = {
    "serve", "api", "worker", "submit", "watch", "jobs", "decompositions", "datasets", "models", "predict", "export",
    "keys", "migrate", "openapi", "backup", "restore",
}  # fmt: skip
RUN_FOR_EVER = {"serve", "api", "worker", "openapi"}
"""Processes, and a command whose output is JSON already."""


def riskscope(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SCRIPT, *arguments], env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )


def completed(words: str, **environment: str) -> list[str]:
    """What bash is told to offer after these words."""
    told = {"_RISKSCOPE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    return riskscope(**told, **environment).stdout.split()


def test_help_names_every_command_and_brings_nothing_heavy() -> None:
    look = "import sys; from api.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    page, _, modules = done.stdout.rstrip("\n").rpartition("\n")
    named = set(re.findall(r"^│ (\w+)", page, re.MULTILINE))
    assert named == COMMANDS
    packages = {name.partition(".")[0] for name in modules.split()}
    heavy = {"torch", "fastapi", "httpx", "pydantic", "sqlalchemy", "numpy", "pyarrow", "celery", "models", "db"}
    assert packages & heavy == set()


def test_bash_completes_commands_options_and_choices() -> None:
    assert set(completed("riskscope ")) == COMMANDS
    assert completed("riskscope jobs re") == ["retry", "result", "report"]
    assert completed("riskscope jobs list --status ca") == ["cancelled"]
    assert "--job-id" in completed("riskscope decompositions --")


def test_completion_is_installed_for_bash(tmp_path: Path) -> None:
    # Nobody asks which shell runs the tests.
    environment = {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = riskscope("--install-completion", "bash", **environment)
    assert done.returncode == 0, done.stderr
    script = tmp_path / ".bash_completions" / "riskscope.sh"
    assert str(script) in (tmp_path / ".bashrc").read_text()
    # The shell itself, with the script before any other `riskscope`.
    shim = tmp_path / "riskscope"
    shim.write_text(f"#!{sys.executable}\nimport sys\nfrom api.cli import main\nmain()\n")
    shim.chmod(0o755)
    asked = f"""
        source {script}
        COMP_WORDS=(riskscope wa); COMP_CWORD=1
        $(complete -p riskscope | sed 's/.*-F \\([^ ]*\\) .*/\\1/') riskscope
        echo "${{COMPREPLY[@]}}"
    """
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    shell = ["bash", "--norc", "-c", asked]
    offered = subprocess.run(shell, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert offered.stdout.split() == ["watch"], offered.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["watch", "--json"], "Missing argument"),
        (["jobs", "list", "--json", "--frobnicate"], "No such option"),
        (["predict", "m", "rows.xls", "--json"], "rows.xls"),
        (["nonsense", "--json"], "No such command"),
    ],
)
def test_wrong_usage_is_json_where_json_is_asked_for(arguments: list[str], words: str) -> None:
    done = riskscope(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    error = json.loads(done.stderr)["error"]
    assert words in error["message"]
    assert error["exit_code"] == 2


def test_every_command_that_prints_takes_json() -> None:
    import typer.main

    def leaves(command: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
        inner = getattr(command, "commands", None)
        if inner is None:
            return {path: command}
        return {key: leaf for name, each in inner.items() for key, leaf in leaves(each, (*path, name)).items()}

    for path, command in leaves(typer.main.get_command(app)).items():
        options = {option for parameter in command.params for option in parameter.opts}  # type: ignore[attr-defined]
        assert ("--json" in options) is (path[0] not in RUN_FOR_EVER), path
