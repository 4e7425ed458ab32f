"""The OpenAPI document: what FastAPI derives, with problem+json as every operation's error.

`riskscope openapi > docs/openapi.json` renews the snapshot that a change of the contract shows in.
"""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.errors import PROBLEM_MEDIA_TYPE, ProblemDocument

_REFERENCE = "#/components/schemas/{model}"


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The document, built once."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    schemas = document["components"]["schemas"]
    problem = ProblemDocument.model_json_schema(ref_template=_REFERENCE)
    schemas.update(problem.pop("$defs", {}))
    schemas["ProblemDocument"] = problem
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    default = {
        "description": "An error, as RFC 9457 says.",
        "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="ProblemDocument")}}},
    }
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = default
    app.openapi_schema = document
    return document


def document_text(document: dict[str, Any]) -> str:
    """As the snapshot stores it."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
