"""Templates to answers, with the policy that a browser holds them to."""

from functools import cache
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from api.pages.assets import assets
from api.pages.notation import mathml, typeset

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""No inline script, no inline style, nothing from elsewhere."""

SWAGGER_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""Swagger UI writes style attributes; it is the only page that may."""

NAVIGATION = (
    ("/", "Home"),
    ("/new", "New job"),
    ("/models", "Models"),
    ("/catalogue", "Catalogue"),
    ("/compare", "Compare"),
    ("/docs", "API"),
)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("api.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"mathml": mathml, "typeset": typeset}
    environment.globals |= {
        "asset": assets().url,
        "inlined": assets().text,
        "navigation": NAVIGATION,
        "version": version("riskscope"),
    }
    return environment


def rendered(template: str, **values: Any) -> str:
    """A template's text; every value is escaped."""
    return _environment().get_template(template).render(**values)


def page(template: str, *, here: str, policy: str = CONTENT_SECURITY_POLICY, **values: Any) -> HTMLResponse:
    """A page of the site; `here` is the entry of the navigation that it belongs to."""
    return HTMLResponse(rendered(template, here=here, **values), headers=html_headers(policy))


def html_headers(policy: str) -> dict[str, str]:
    """What every HTML answer is sent with."""
    return {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
