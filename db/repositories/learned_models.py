"""Learned models by name, version and alias."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.identifiers import new_id
from db.repositories.pages import Order, Page, page_by_id
from db.tables import LearnedModel, ModelAlias


class LearnedModels:
    """Learned models of one owner; another owner's model does not exist here."""

    def __init__(self, session: Session, owner: str) -> None:
        self.session = session
        self.owner = owner

    def register(
        self,
        *,
        name: str,
        job_id: str | None,
        digest: str,
        manifest: dict[str, Any],
        risks: dict[str, Any],
        bounds: list[dict[str, Any]],
        files: dict[str, dict[str, Any]],
        dataset_ids: list[str],
    ) -> LearnedModel:
        """The next version of `name`.

        Raises SQLAlchemy's IntegrityError where two registrations of a name met: run the transaction again.
        """
        newest = self.session.scalar(
            select(func.max(LearnedModel.version)).where(LearnedModel.owner == self.owner, LearnedModel.name == name)
        )
        model = LearnedModel(
            id=new_id("mdl"),
            owner=self.owner,
            name=name,
            version=(newest or 0) + 1,
            job_id=job_id,
            digest=digest,
            manifest=manifest,
            risks=risks,
            bounds=bounds,
            files=files,
            dataset_ids=dataset_ids,
        )
        self.session.add(model)
        self.session.flush()
        return model

    def get(self, model_id: str) -> LearnedModel | None:
        """By id, or None."""
        return self.session.scalar(
            select(LearnedModel).where(LearnedModel.id == model_id, LearnedModel.owner == self.owner)
        )

    def resolve(self, name: str, version: str | None) -> LearnedModel | None:
        """By name and version number, alias, or None for the newest; None where there is none."""
        query = select(LearnedModel).where(LearnedModel.owner == self.owner, LearnedModel.name == name)
        if version is None:
            return self.session.scalar(query.order_by(LearnedModel.version.desc()).limit(1))
        if version.isdecimal():
            # A version has at most nine digits: more would not fit the column, and is no version.
            return self.session.scalar(query.where(LearnedModel.version == int(version))) if len(version) < 10 else None
        alias = self.session.get(ModelAlias, (self.owner, name, version))
        return None if alias is None else self.session.scalar(query.where(LearnedModel.version == alias.version))

    def newest_page(self, *, limit: int, after: str | None, order: Order) -> Page[LearnedModel]:
        """The newest version of each name, by creation."""
        newest = (
            select(LearnedModel.name, func.max(LearnedModel.version).label("version"))
            .where(LearnedModel.owner == self.owner)
            .group_by(LearnedModel.name)
            .subquery()
        )
        query = (
            select(LearnedModel)
            .join(newest, (LearnedModel.name == newest.c.name) & (LearnedModel.version == newest.c.version))
            .where(LearnedModel.owner == self.owner)
        )
        return page_by_id(self.session, query, LearnedModel.id, limit, after, order)

    def versions_page(self, name: str, *, limit: int, after: str | None, order: Order) -> Page[LearnedModel]:
        """Every version of a name, by creation."""
        query = select(LearnedModel).where(LearnedModel.owner == self.owner, LearnedModel.name == name)
        return page_by_id(self.session, query, LearnedModel.id, limit, after, order)

    def every_version_page(self, *, name: str | None, limit: int, after: str | None) -> Page[LearnedModel]:
        """Every version of every name, or of one, the oldest first."""
        query = select(LearnedModel).where(LearnedModel.owner == self.owner)
        if name is not None:
            query = query.where(LearnedModel.name == name)
        return page_by_id(self.session, query, LearnedModel.id, limit, after, "asc")

    def aliases(self, name: str) -> Sequence[ModelAlias]:
        """Aliases of a name, alphabetically."""
        query = select(ModelAlias).where(ModelAlias.owner == self.owner, ModelAlias.name == name)
        return list(self.session.scalars(query.order_by(ModelAlias.alias)))

    def point(self, name: str, alias: str, version: int) -> None:
        """Create or move an alias; the version must exist."""
        self.session.merge(ModelAlias(owner=self.owner, name=name, alias=alias, version=version))
        self.session.flush()

    def unpoint(self, name: str, alias: str) -> bool:
        """Remove an alias; False where there is none."""
        found = self.session.get(ModelAlias, (self.owner, name, alias))
        if found is not None:
            self.session.delete(found)
            self.session.flush()
        return found is not None

    def replace_bounds(self, model_id: str, bounds: list[dict[str, Any]]) -> None:
        """Store newly evaluated bounds, replacing those of the same kinds."""
        model = self.get(model_id)
        if model is not None:
            kinds = {bound["kind"] for bound in bounds}
            model.bounds = [bound for bound in model.bounds if bound["kind"] not in kinds] + bounds
            self.session.flush()

    def delete(self, model: LearnedModel) -> None:
        """Forget a version; the caller checked that no alias points at it."""
        self.session.delete(model)
        self.session.flush()


def files_of_job(session: Session, job_id: str) -> list[str]:
    """URIs of every file of the models that a job registered; whoever their owner is."""
    rows = session.scalars(select(LearnedModel.files).where(LearnedModel.job_id == job_id))
    return [file["uri"] for files in rows for file in files.values()]
