"""The catalogue: every kind that a job may name, with its statement, assumptions and parameters."""

from fastapi import APIRouter

from api.dependencies import Reader
from api.errors import NotFound
from api.schemas.catalogue import CatalogueDocument, FamilyDocument, FamilySummary
from api.theory import KindDescription, describe_family, describe_kind, families

router = APIRouter(prefix="/v1/catalogue", tags=["catalogue"])


@router.get("", summary="Families and their kinds")
def list_families(principal: Reader) -> CatalogueDocument:
    """Targets, hypothesis spaces, learners, bounds and experiments by name."""
    summaries = []
    for family in families():
        kinds = [description.kind for description in describe_family(family) or []]
        summaries.append(FamilySummary(family=family, kinds=kinds))
    return CatalogueDocument(data=summaries)


@router.get("/{family}", summary="Every kind of a family")
def get_family(principal: Reader, family: str) -> FamilyDocument:
    """With the JSON Schema of the parameters."""
    described = describe_family(family)
    if described is None:
        raise NotFound(f"There is no such family; there are {', '.join(families())}.")
    return FamilyDocument(family=family, data=described)


@router.get("/{family}/{kind}", summary="One kind")
def get_kind(principal: Reader, family: str, kind: str) -> KindDescription:
    """Statement, assumptions, reference, examples, and the JSON Schema of the parameters."""
    described = describe_kind(family, kind)
    if described is None:
        raise NotFound("There is no such kind.")
    return described
