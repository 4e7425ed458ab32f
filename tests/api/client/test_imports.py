"""What importing the client brings in."""

import json
import subprocess
import sys

LOOK = """
import json, sys
before = set(sys.modules)
import api.client
new = set(sys.modules) - before
print(json.dumps(sorted(new)))
"""


def imported() -> set[str]:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout))


def test_client_brings_nothing_of_the_service() -> None:
    modules = imported()
    ours = {name for name in modules if name.partition(".")[0] in ("api", "worker", "models", "db")}
    assert "api.client" in ours
    assert {name for name in ours if name != "api" and not name.startswith("api.client")} == set()
    packages = {name.partition(".")[0] for name in modules}
    heavy = {"torch", "fastapi", "starlette", "sqlalchemy", "numpy", "pandas", "polars", "pyarrow", "onnxruntime"}
    assert packages & heavy == set()
    assert {"httpx", "pydantic"} <= packages
