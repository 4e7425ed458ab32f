"""Learned models: looked at, asked for predictions, exported, given aliases."""

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from api.client.connection import Connection, place
from api.client.documents.decompositions import Decomposition
from api.client.documents.learned_models import Alias, LearnedModel, ModelBounds, Prediction
from api.client.downloads import Destination, download
from api.client.tables import Table, encoded, request_content

Version: TypeAlias = int | str
"""A number or an alias."""

Order: TypeAlias = Literal["asc", "desc"]


class LearnedModels:
    """The models of one owner."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: str, version: Version | None = None) -> LearnedModel:
        """A version; the newest where none is named."""
        return LearnedModel.model_validate(self._connection.get(_place(name, version)))

    def versions(self, name: str, *, order: Order = "desc") -> Iterator[LearnedModel]:
        """Every version, the newest first."""
        pages = self._connection.pages(place("/v1/models/{}/versions", name), {"order": order})
        return (LearnedModel.model_validate(item) for item in pages)

    def delete(self, name: str, version: Version) -> None:
        """A version and its files; Conflict while an alias points at it."""
        self._connection.send("DELETE", _place(name, version))

    def predict(self, name: str, table: Table, *, version: Version | None = None) -> Prediction:
        """One prediction for each row, by the newest version where none is named.

        `table`: rows in the model's order of inputs, columns by name, records, a 2-d array, a frame, or the path of a
        CSV, JSON, Parquet, Arrow or NPY file. None and NaN are missing values.

        Raises:
            Unprocessable: a row or a column does not fit; the words name it.
        """
        content = request_content(table)
        content["headers"] = {"Accept": "application/json", **content.get("headers", {})}
        return Prediction.model_validate(
            self._connection.post(_place(name, version, "predict"), repeatable=True, **content)
        )

    def predict_bytes(
        self, name: str, content: bytes, media_type: str, *, accept: str = "text/csv", version: Version | None = None
    ) -> bytes:
        """A table as it is, of any media type that the service reads, and the answer in any that it writes."""
        options = encoded(content, media_type)
        options["headers"] |= {"Accept": accept}
        return self._connection.send("POST", _place(name, version, "predict"), repeatable=True, **options).content

    def export(
        self,
        name: str,
        to: Destination,
        *,
        version: Version | None = None,
        format: Literal["onnx", "safetensors"] = "onnx",
    ) -> None:
        """Write the very file that is served; checked against its digest. The newest version where none is named.

        The ONNX graph takes raw rows and answers in label units; safetensors hold the parameters.
        """
        known = self.get(name).version if version is None else version
        download(self._connection, _place(name, known, "export"), to, {"format": format})

    def bounds(self, name: str, version: Version) -> ModelBounds:
        """Every bound that was evaluated for a version."""
        return ModelBounds.model_validate(self._connection.get(_place(name, version, "bounds")))

    def decompositions(self, name: str, version: Version, *, order: Order = "asc") -> Iterator[Decomposition]:
        """The cells of the job that made a version; NotFound where it made none."""
        pages = self._connection.pages(_place(name, version, "error-decomposition"), {"order": order})
        return (Decomposition.model_validate(item) for item in pages)

    def set_alias(self, name: str, alias: str, version: int) -> Alias:
        """Create or move it."""
        path = place("/v1/models/{}/aliases/{}", name, alias)
        return Alias.model_validate(self._connection.send("PUT", path, json={"version": version}).json())

    def delete_alias(self, name: str, alias: str) -> None:
        """The version stays."""
        self._connection.send("DELETE", place("/v1/models/{}/aliases/{}", name, alias))

    def list(self, *, order: Order = "desc") -> Iterator[LearnedModel]:
        """The newest version of each name, by creation."""
        pages = self._connection.pages("/v1/models", {"order": order})
        return (LearnedModel.model_validate(item) for item in pages)


def _place(name: str, version: Version | None, *parts: Any) -> str:
    here = place("/v1/models/{}", name) if version is None else place("/v1/models/{}/versions/{}", name, version)
    return "/".join((here, *parts))
