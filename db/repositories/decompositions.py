"""Error decompositions: stored with their job, searched by what they are of."""

from collections.abc import Iterable
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.identifiers import new_id
from db.repositories.pages import Order, Page, page_by_id
from db.tables import Decomposition


def as_float(value: float | str) -> float:
    """A number of the extended real line as JSON writes it."""
    return float(value)


class Decompositions:
    """Decompositions of one owner."""

    def __init__(self, session: Session, owner: str) -> None:
        self.session = session
        self.owner = owner

    def add_all(self, job_id: str, cells: Iterable[dict[str, Any]]) -> None:
        """Store the cells of a job's grid, as the JSON of models' DecompositionCell, in their order."""
        for cell in cells:
            data = cell["data"]
            terms = cell["risk_terms"]
            self.session.add(
                Decomposition(
                    id=new_id("dec"),
                    job_id=job_id,
                    owner=self.owner,
                    hypothesis_space=cell["hypothesis_space"]["kind"],
                    target=data.get("target", {}).get("kind"),
                    dataset_id=data.get("dataset_id"),
                    dimension=cell["dimension"],
                    width=cell["width"],
                    sample_size=cell["sample_size"],
                    seeds=cell["seeds"],
                    trained_risk=as_float(cell["risks"]["trained"]["value"]),
                    approximation=as_float(terms["approximation"]["value"]),
                    estimation=as_float(terms["estimation"]["value"]),
                    optimization=as_float(terms["optimization"]["value"]),
                    cell=cell,
                )
            )
        self.session.flush()

    def get(self, decomposition_id: str) -> Decomposition | None:
        """By id, or None."""
        return self.session.scalar(
            select(Decomposition).where(Decomposition.id == decomposition_id, Decomposition.owner == self.owner)
        )

    def page(
        self,
        *,
        limit: int,
        after: str | None,
        order: Order,
        order_by: Literal["created_at"] = "created_at",
        job_id: str | None = None,
        hypothesis_space: str | None = None,
        target: str | None = None,
        dataset_id: str | None = None,
        dimension: int | None = None,
        width: int | None = None,
        sample_size: int | None = None,
        min_sample_size: int | None = None,
        max_sample_size: int | None = None,
    ) -> Page[Decomposition]:
        """Cells by creation, filtered."""
        query = select(Decomposition).where(Decomposition.owner == self.owner)
        equal = {
            Decomposition.job_id: job_id,
            Decomposition.hypothesis_space: hypothesis_space,
            Decomposition.target: target,
            Decomposition.dataset_id: dataset_id,
            Decomposition.dimension: dimension,
            Decomposition.width: width,
            Decomposition.sample_size: sample_size,
        }
        for column, value in equal.items():
            if value is not None:
                query = query.where(column == value)
        if min_sample_size is not None:
            query = query.where(Decomposition.sample_size >= min_sample_size)
        if max_sample_size is not None:
            query = query.where(Decomposition.sample_size <= max_sample_size)
        return page_by_id(self.session, query, Decomposition.id, limit, after, order)
