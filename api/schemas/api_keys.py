"""API keys as JSON."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.lists import ListDocument
from db.tables import ApiKey

ScopeName = Literal["read", "submit", "predict", "admin"]


class ApiKeyRequest(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200, description="What the key is for.")]
    owner: Annotated[
        str | None,
        Field(min_length=1, max_length=200, description="Whose rows it sees; null: those of the key that asks."),
    ] = None
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=8)] = ["read", "submit", "predict"]


class ApiKeyDocument(BaseModel):
    """A live key without its secret."""

    id: str
    object: Literal["api_key"] = "api_key"
    name: str
    owner: str
    scopes: list[ScopeName]
    created_at: datetime


class CreatedApiKey(ApiKeyDocument):
    """A new key with its secret."""

    secret: str | None = Field(
        description="Shown in this answer only; it is not kept, so that a replayed answer has null in its place."
    )


ApiKeyList = ListDocument[ApiKeyDocument]


def api_key_document(key: ApiKey) -> ApiKeyDocument:
    """A row as its document."""
    return ApiKeyDocument.model_validate(key, from_attributes=True)
