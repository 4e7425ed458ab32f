"""A finished job as one HTML file: style, scripts and data inside, nothing asked from anywhere."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import HTMLResponse

from api.pages.assets import assets
from api.pages.bundle import bundled
from api.pages.rendering import html_headers, rendered


def report(job: Mapping[str, Any], result: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> HTMLResponse:
    """The documents of /v1, drawn by the modules of the job's page; the policy names every script by its hash."""
    scripts = [
        assets().text("vendor/d3.min.js"),
        assets().text("vendor/plot.umd.min.js"),
        bundled("js/pages/report.js"),
    ]
    style = assets().text("css/site.css")
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src " + " ".join(map(_hash, scripts)),
            "style-src " + _hash(style),
            "img-src data: blob:",
            "base-uri 'none'",
        )
    )
    text = rendered(
        "report.html",
        policy=policy,
        style=style,
        scripts=scripts,
        job=job,
        data=_inert({"job": job, "result": result, "cells": cells}),
    )
    return HTMLResponse(text, headers=html_headers(policy + "; frame-ancestors 'none'"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inert(value: Any) -> str:
    """JSON that no parser of HTML mistakes for a tag."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False).replace("<", "\\u003c")
