"""The house stays in order: arrows, sizes, no unsafe loading, deployment files that are valid."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "worker", "models", "db")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_no_file_is_over_the_hard_cap() -> None:
    long = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: lines for path, lines in long.items() if lines > 400 and "migrations" not in path.parts} == {}


def test_every_module_says_what_it_is() -> None:
    silent = [
        path for path in SOURCES if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree(path))
    ]
    assert silent == []


UNSAFE_MODULES = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "imp"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__", "import_module", "spec_from_file_location", "read_pickle"}
UNSAFE_METHODS = {"torch.load", "torch.jit.load", "torch.package", "yaml.load", "yaml.unsafe_load"}
IMPORTS_BY_NAME = {ROOT / "models" / "kinds.py"}
"""A family's own files, found on disk beside it; no name of a client's is ever imported."""

RUN_BY_PEOPLE = [path for folder in ("benchmarks", "examples") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_nothing_is_unpickled_or_evaluated() -> None:
    found = []
    for path in [*SOURCES, *RUN_BY_PEOPLE]:
        for node in ast.walk(tree(path)):
            names: set[str] = set()
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names} & UNSAFE_MODULES
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").split(".")[0]} & UNSAFE_MODULES
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                bare = called in UNSAFE_CALLS or called.split(".")[-1] in UNSAFE_CALLS - {"compile"}
                names = {called} if bare or called in UNSAFE_METHODS else set()
                if path in IMPORTS_BY_NAME:
                    names -= {"importlib.import_module"}
                pickled = [keyword for keyword in node.keywords if keyword.arg == "allow_pickle"]
                names |= {ast.unparse(keyword) for keyword in pickled if ast.unparse(keyword.value) != "False"}
            found += [(path, name) for name in names]
    assert found == []


@pytest.mark.parametrize("family", ["targets", "hypothesis_spaces", "learners", "bounds", "experiments"])
def test_kinds_of_one_family_do_not_know_each_other(family: str) -> None:
    folder = ROOT / "models" / family
    kinds = [path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "base")]
    for path in folder.glob("*.py"):
        if path.stem.startswith("_") or path.stem == "base":
            continue
        imported = set(re.findall(rf"from models\.{family}\.(\w+) import", path.read_text(encoding="utf-8")))
        assert not imported & (set(kinds) - {kind for kind in kinds if kind.startswith("_")}), path


def test_outside_models_no_concrete_kind_is_named() -> None:
    spaces = {path.stem for path in (ROOT / "models" / "hypothesis_spaces").glob("*.py")} - {"__init__", "base"}
    learners = {path.stem for path in (ROOT / "models" / "learners").glob("*.py")} - {"__init__", "base"}
    bounds = {path.stem for path in (ROOT / "models" / "bounds").glob("*.py")} - {"__init__", "base"}
    kinds = {kind for kind in spaces | learners | bounds if not kind.startswith("_")}
    found = []
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] == "models":
            continue
        strings = {node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant)}
        found += [(path, kind) for kind in kinds & {value for value in strings if isinstance(value, str)}]
    assert found == []


def test_compose_file_fits_the_compose_specification() -> None:
    command = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    outcome = subprocess.run([*command, str(ROOT / "docker-compose.yml")], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_compose_publishes_only_the_api() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"api"}
    assert set(services) == {"postgres", "redis", "migrate", "api", "worker", "worker-gpu"}
    assert services["worker-gpu"]["profiles"] == ["gpu"]
    for name in ("migrate", "api", "worker", "worker-gpu"):
        assert services[name]["read_only"] is True
        for condition in services[name]["depends_on"].values():
            assert condition["condition"] in ("service_healthy", "service_completed_successfully")


def test_containers_run_as_an_ordinary_user_without_privileges() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    for name in ("migrate", "api", "worker", "worker-gpu"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
        assert services[name].get("privileged") is None
        assert services[name].get("user", "riskscope") not in ("root", "0")
    final_stage = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[-1]
    (user,) = re.findall(r"^USER (\S+)$", final_stage, re.MULTILINE)
    assert re.search(rf"useradd --uid [1-9]\d+ .*{user}\b", final_stage)
    assert services["api"]["ports"][0].startswith("127.0.0.1:")
    assert services["api"]["environment"]["RISKSCOPE_REQUESTS_PER_SECOND"]


def test_no_secret_stands_in_the_compose_file() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    secrets = {
        (name, variable): value
        for name, service in services.items()
        for variable, value in service.get("environment", {}).items()
        if variable.endswith(("PASSWORD", "KEY", "AUTH", "DATABASE_URL", "BROKER_URL"))
    }
    assert len(secrets) >= 10
    assert {place for place, value in secrets.items() if re.search(r"\$\{RISKSCOPE_\w+:\?set", value) is None} == set()


def test_only_the_customers_names_stand_at_the_top() -> None:
    git = shutil.which("git")
    assert git is not None
    tracked = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {line.split("/")[0] for line in tracked.splitlines()}
    allowed = {"api", "worker", "models", "db", "tests", "docker-compose.yml", "Dockerfile", "pyproject.toml"}
    allowed |= {"README.md", "docs", "benchmarks", "examples", "Makefile", "constraints.txt"}
    extra = {name for name in top if not name.startswith(".")} - allowed
    assert extra <= {"ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"}
