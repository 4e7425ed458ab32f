"""Every operation of the contract has a method, every answer its fields: a new route fails here until it has both."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

import api.client.documents.datasets as datasets
import api.client.documents.decompositions as decompositions
import api.client.documents.inference as inference
import api.client.documents.jobs as jobs
import api.client.documents.learned_models as learned_models
import api.client.documents.platform as platform
import api.client.documents.theory as theory
import api.client.documents.webhooks as webhooks
from api.client import Job, NotFound, RiskscopeClient

CONTRACT = json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in CONTRACT["paths"].items()
    for method, operation in operations.items()
}
PROBLEM = {"title": "Not found", "status": 404, "detail": "It is not there.", "request_id": "r", "errors": []}
ROWS = [[1.0, 2.0]]
SINK = io.BytesIO()


def job_of(client: RiskscopeClient) -> Job:
    links = dict.fromkeys(
        ("self", "events", "result", "cancel", "retry", "report", "decompositions", "webhook_deliveries"), "/"
    )
    document = {"id": "job_1", "object": "job", "kind": "fit", "status": "queued", "links": links}
    return Job(client.jobs._connection, jobs.JobDocument.model_construct(None, **document))


CALLS: dict[str, Callable[[RiskscopeClient], object]] = {
    "GET /livez": lambda client: client.service.is_alive(),
    "GET /readyz": lambda client: client.service.readiness(),
    "GET /version": lambda client: client.service.version(),
    "GET /metrics": lambda client: client.service.metrics(),
    "GET /v1/api-keys": lambda client: list(client.keys.list()),
    "POST /v1/api-keys": lambda client: client.keys.create("me"),
    "DELETE /v1/api-keys/{key_id}": lambda client: client.keys.revoke("key_1"),
    "POST /v1/bounds/evaluate": lambda client: client.bounds.evaluate(delta=0.05),
    "GET /v1/catalogue": lambda client: client.catalogue.families(),
    "GET /v1/catalogue/{family}": lambda client: client.catalogue.kinds("learners"),
    "GET /v1/catalogue/{family}/{kind}": lambda client: client.catalogue.kind("learners", "ridge"),
    "GET /v1/datasets": lambda client: list(client.datasets.list()),
    "POST /v1/datasets": lambda client: client.datasets.upload(b"a,b\n1,2\n", file_name="t.csv"),
    "GET /v1/datasets/{dataset_id}": lambda client: client.datasets.get("ds_1"),
    "DELETE /v1/datasets/{dataset_id}": lambda client: client.datasets.delete("ds_1"),
    "GET /v1/datasets/{dataset_id}/rows": lambda client: client.datasets.rows("ds_1"),
    "GET /v1/decompositions": lambda client: list(client.decompositions.search(job_id="job_1", limit=5)),
    "GET /v1/decompositions/{decomposition_id}": lambda client: client.decompositions.get("dec_1"),
    "GET /v1/jobs": lambda client: list(client.jobs.list(metadata={"team": "a"})),
    "POST /v1/jobs": lambda client: client.submit({"kind": "fit"}),
    "GET /v1/jobs/{job_id}": lambda client: client.jobs.get("job_1"),
    "DELETE /v1/jobs/{job_id}": lambda client: job_of(client).delete(),
    "POST /v1/jobs/{job_id}/cancel": lambda client: job_of(client).cancel(),
    "POST /v1/jobs/{job_id}/retry": lambda client: job_of(client).retry(),
    "GET /v1/jobs/{job_id}/events": lambda client: list(job_of(client).events()),
    "GET /v1/jobs/{job_id}/result": lambda client: job_of(client).result(),
    "GET /v1/jobs/{job_id}/report": lambda client: job_of(client).report(),
    "GET /v1/jobs/{job_id}/predictions": lambda client: job_of(client).predictions(SINK),
    "GET /v1/jobs/{job_id}/webhook_deliveries": lambda client: list(job_of(client).webhook_deliveries()),
    "POST /v1/jobs/{job_id}/webhook_deliveries/{delivery_id}/redeliver": lambda client: job_of(client).redeliver(
        "msg_1"
    ),
    "GET /v1/webhook_secret": lambda client: client.webhooks.secret(),
    "POST /v1/webhook_secret/rotate": lambda client: client.webhooks.rotate_secret(),
    "GET /v1/models": lambda client: list(client.models.list()),
    "GET /v1/models/{name}": lambda client: client.models.get("m"),
    "GET /v1/models/{name}/versions": lambda client: list(client.models.versions("m")),
    "GET /v1/models/{name}/versions/{version}": lambda client: client.models.get("m", 1),
    "DELETE /v1/models/{name}/versions/{version}": lambda client: client.models.delete("m", 1),
    "PUT /v1/models/{name}/aliases/{alias}": lambda client: client.models.set_alias("m", "live", 1),
    "DELETE /v1/models/{name}/aliases/{alias}": lambda client: client.models.delete_alias("m", "live"),
    "POST /v1/models/{name}/predict": lambda client: client.models.predict("m", ROWS),
    "POST /v1/models/{name}/versions/{version}/predict": lambda client: client.models.predict(
        "m", ROWS, version="live"
    ),
    "GET /v1/models/{name}/versions/{version}/export": lambda client: client.models.export(
        "m", io.BytesIO(), version=1
    ),
    "GET /v1/models/{name}/versions/{version}/bounds": lambda client: client.models.bounds("m", 1),
    "GET /v1/models/{name}/versions/{version}/error-decomposition": lambda client: list(
        client.models.decompositions("m", 1)
    ),
    "GET /v2": lambda client: client.inference.server(),
    "GET /v2/health/live": lambda client: client.inference.is_live(),
    "GET /v2/health/ready": lambda client: client.inference.is_ready(),
    "GET /v2/models": lambda client: client.inference.models(),
    "GET /v2/models/stats": lambda client: client.inference.statistics(),
    "GET /v2/models/{name}": lambda client: client.inference.metadata("m"),
    "GET /v2/models/{name}/ready": lambda client: client.inference.warm("m"),
    "GET /v2/models/{name}/stats": lambda client: client.inference.statistics("m"),
    "POST /v2/models/{name}/infer": lambda client: client.inference.infer("m", ROWS),
    "GET /v2/models/{name}/versions/{version}": lambda client: client.inference.metadata("m", 1),
    "GET /v2/models/{name}/versions/{version}/ready": lambda client: client.inference.warm("m", 1),
    "GET /v2/models/{name}/versions/{version}/stats": lambda client: client.inference.statistics("m", 1),
    "POST /v2/models/{name}/versions/{version}/infer": lambda client: client.inference.infer("m", ROWS, version=1),
    "POST /v2/repository/index": lambda client: client.inference.repository(),
}

DOCUMENTS: dict[str, type[BaseModel]] = {
    "JobDocument": jobs.JobDocument,
    "JobError": jobs.JobError,
    "JobProgress": jobs.JobProgress,
    "JobLinks": jobs.JobLinks,
    "WebhookTarget": jobs.WebhookTarget,
    "WebhookDeliveryDocument": webhooks.WebhookDelivery,
    "WebhookSecretDocument": webhooks.WebhookSecret,
    "JobPlan": jobs.JobPlan,
    "QueueState": jobs.QueueState,
    "JobEventDocument": jobs.JobEvent,
    "DatasetDocument": datasets.Dataset,
    "DatasetColumn": datasets.DatasetColumn,
    "DatasetRows": datasets.DatasetRows,
    "DecompositionDocument": decompositions.Decomposition,
    "Estimate": decompositions.Estimate,
    "SquaredNorms": decompositions.SquaredNorms,
    "Risks": decompositions.Risks,
    "RiskTerms": decompositions.RiskTerms,
    "Interval": decompositions.Interval,
    "Prospect": decompositions.Prospect,
    "AdviceDocument": decompositions.Advice,
    "LearnedModelDocument": learned_models.LearnedModel,
    "Column": learned_models.OutputColumn,
    "InputColumnDocument": learned_models.InputColumn,
    "CertificateDocument": learned_models.Certificate,
    "BoundsDocument": learned_models.ModelBounds,
    "AliasDocument": learned_models.Alias,
    "PredictionDocument": learned_models.Prediction,
    "PredictingModel": learned_models.PredictingModel,
    "KindDescription": theory.Kind,
    "Assumption": theory.Assumption,
    "FamilySummary": theory.Family,
    "EvaluatedBounds": theory.EvaluatedBounds,
    "FormulaResult": theory.EvaluatedBound,
    "ApiKeyDocument": platform.ApiKey,
    "CreatedApiKey": platform.CreatedApiKey,
    "ReadinessDocument": platform.Readiness,
    "Check": platform.Check,
    "VersionDocument": platform.Version,
    "ServerMetadata": inference.InferenceServer,
    "ModelMetadata": inference.ModelMetadata,
    "TensorMetadata": inference.TensorMetadata,
    "InferenceAnswerDocument": inference.Inference,
    "AnswerTensor": inference.InferredTensor,
    "RepositoryEntry": inference.RepositoryEntry,
    "ModelStatisticsEntry": inference.ModelStatistics,
    "InferenceStatistics": inference.InferenceStatistics,
    "BatchStatistic": inference.BatchStatistic,
    "DurationStatistic": inference.Duration,
}

WITHOUT_A_TYPE = {"CatalogueDocument", "FamilyDocument", "Liveness", "ModelNames", "Readiness", "StatisticsDocument"}
"""Envelopes whose content the client gives directly."""


def answered(schema: object) -> set[str]:
    """Names of the components that a schema names, itself or through others."""
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schema)))
    inner = [answered(CONTRACT["components"]["schemas"][name]) for name in named]
    return named.union(*inner)


def test_every_route_has_a_method() -> None:
    assert set(CALLS) == set(OPERATIONS)


@pytest.mark.parametrize("operation", CALLS)
def test_method_asks_its_route_in_its_words(operation: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(404, json=PROBLEM)

    client = RiskscopeClient("http://service", "secret", transport=httpx.MockTransport(answer))
    with client, pytest.raises(NotFound) as refused:
        CALLS[operation](client)
    assert (refused.value.detail, refused.value.request_id) == ("It is not there.", "r")
    (request,) = asked
    method, path = operation.split(" ")
    assert request.method == method
    assert re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), request.url.path)
    assert request.headers["Authorization"] == "Bearer secret"
    documented = OPERATIONS[operation].get("parameters", [])
    known = {each["name"] for each in documented if each["in"] == "query"}
    assert {name.partition("[")[0] for name in request.url.params} <= known
    idempotent = "Idempotency-Key" in {each["name"] for each in documented}
    assert ("Idempotency-Key" in request.headers) is idempotent


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_has_the_contracts_fields(name: str) -> None:
    schema = CONTRACT["components"]["schemas"][name]
    fields = DOCUMENTS[name].model_fields
    assert set(fields) == set(schema["properties"])
    # What the service may leave out must not be asked for.
    assert {field for field, info in fields.items() if info.is_required()} <= set(schema.get("required", ())) | {
        field for field, property_ in schema["properties"].items() if "const" in property_
    }


def test_every_answered_document_has_a_type() -> None:
    contents: list[Any] = [
        response.get("content", {}).get("application/json", {})
        for operation in OPERATIONS.values()
        for status, response in operation["responses"].items()
        if status.startswith("2")
    ]
    named = {name for name in answered(contents) if not name.startswith("ListDocument_")}
    assert named - set(DOCUMENTS) - WITHOUT_A_TYPE - {"JobStatus"} == set()
