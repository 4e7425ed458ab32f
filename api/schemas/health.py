"""Probes as JSON."""

from typing import Literal

from pydantic import BaseModel


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Check(BaseModel):
    """One thing that a ready service needs."""

    ok: bool
    detail: str


class ReadinessDocument(BaseModel):
    """Every check by name; ready means that all of them pass."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, Check]


class VersionDocument(BaseModel):
    """What runs here."""

    name: Literal["riskscope"] = "riskscope"
    version: str
    api: Literal["v1"] = "v1"
