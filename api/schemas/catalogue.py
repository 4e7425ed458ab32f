"""The catalogue as JSON."""

from typing import Literal

from pydantic import BaseModel

from api.theory import KindDescription


class FamilySummary(BaseModel):
    """A family and the names of its kinds."""

    family: str
    kinds: list[str]


class CatalogueDocument(BaseModel):
    """Every family."""

    object: Literal["catalogue"] = "catalogue"
    data: list[FamilySummary]


class FamilyDocument(BaseModel):
    """Every kind of a family, described."""

    object: Literal["list"] = "list"
    family: str
    data: list[KindDescription]
