"""The contract's snapshot: `riskscope openapi > docs/openapi.json` renews it, and the diff is reviewed."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.main import create_app
from api.openapi import document_text, openapi_document
from api.settings import ApiSettings

SNAPSHOT = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document(create_app(ApiSettings()))


def test_snapshot_is_the_document(document: dict[str, Any]) -> None:
    assert json.loads(SNAPSHOT.read_text(encoding="utf-8")) == document, (
        "The contract changed: if that is meant, run 'riskscope openapi > docs/openapi.json' and commit it."
    )
    assert SNAPSHOT.read_text(encoding="utf-8") == document_text(document)


def test_every_operation_has_a_summary_a_unique_name_and_the_problem(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        assert operation["summary"]
        assert operation["tags"]
        content = operation["responses"]["default"]["content"]
        assert content["application/problem+json"]["schema"]["$ref"].endswith("/ProblemDocument")
        assert "422" not in operation["responses"]


def test_everything_but_the_probes_wants_a_key(document: dict[str, Any]) -> None:
    probes = ("/livez", "/readyz", "/version", "/metrics", "/v2", "/v2/health/live", "/v2/health/ready")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("security" in operation) or path in probes, path


def test_every_kind_of_job_is_in_the_document(document: dict[str, Any]) -> None:
    spec = document["components"]["schemas"]["JobSubmission"]["properties"]["spec"]
    assert {"fit", "decompose_error", "evaluate_bounds"} <= set(spec["discriminator"]["mapping"])
