"""Datasets of one owner."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.identifiers import new_id
from db.repositories.pages import Order, Page, page_by_id
from db.tables import Dataset


class Datasets:
    """Datasets of one owner; another owner's dataset does not exist here."""

    def __init__(self, session: Session, owner: str) -> None:
        self.session = session
        self.owner = owner

    def add(
        self,
        *,
        identifier: str | None = None,
        name: str,
        sha256: str,
        format: str,
        size_bytes: int,
        rows: int,
        columns: list[dict[str, Any]],
        uri: str,
    ) -> Dataset:
        """A new dataset whose canonical file is in the artefact store already."""
        dataset = Dataset(
            id=identifier or new_id("ds"),
            owner=self.owner,
            name=name,
            sha256=sha256,
            format=format,
            size_bytes=size_bytes,
            rows=rows,
            columns=columns,
            uri=uri,
        )
        self.session.add(dataset)
        self.session.flush()
        self.session.refresh(dataset)
        return dataset

    def get(self, dataset_id: str) -> Dataset | None:
        """The dataset, or None."""
        return self.session.scalar(select(Dataset).where(Dataset.id == dataset_id, Dataset.owner == self.owner))

    def hold(self, dataset_id: str) -> Dataset | None:
        """The dataset, kept from being deleted until this transaction ends; or None."""
        query = select(Dataset).where(Dataset.id == dataset_id, Dataset.owner == self.owner)
        return self.session.scalar(query.with_for_update(read=True))

    def take(self, dataset_id: str) -> Dataset | None:
        """The dataset, to be deleted: waits for transactions that hold it; or None."""
        query = select(Dataset).where(Dataset.id == dataset_id, Dataset.owner == self.owner)
        return self.session.scalar(query.with_for_update())

    def with_sha256(self, sha256: str) -> Dataset | None:
        """The dataset of these bytes, or None."""
        return self.session.scalar(select(Dataset).where(Dataset.sha256 == sha256, Dataset.owner == self.owner))

    def page(self, *, limit: int, after: str | None, order: Order) -> Page[Dataset]:
        """Datasets by creation."""
        query = select(Dataset).where(Dataset.owner == self.owner)
        return page_by_id(self.session, query, Dataset.id, limit, after, order)

    def delete(self, dataset: Dataset) -> None:
        """Forget the row; the file is the artefact store's."""
        self.session.delete(dataset)
        self.session.flush()
