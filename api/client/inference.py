"""The Open Inference Protocol (v2) in JSON; for binary tensors there is tritonclient."""

from collections.abc import Sequence
from typing import Any, Literal

from api.client.connection import Connection, place
from api.client.documents.inference import Inference, InferenceServer, ModelMetadata, ModelStatistics, RepositoryEntry
from api.client.learned_models import Version

_NOT_READY = frozenset({503})


class InferenceProtocol:
    """Models as tensors in, tensors out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def server(self) -> InferenceServer:
        """Name, version and extensions."""
        return InferenceServer.model_validate(self._connection.get("/v2"))

    def is_live(self) -> bool:
        """Whether the process answers."""
        return bool(self._connection.get("/v2/health/live")["live"])

    def is_ready(self) -> bool:
        """Whether predictions can be asked; asked once."""
        return self._connection.send("GET", "/v2/health/ready", accepted=_NOT_READY).is_success

    def models(self) -> list[str]:
        """Names."""
        names: list[str] = self._connection.get("/v2/models")["models"]
        return names

    def metadata(self, name: str, version: Version | None = None) -> ModelMetadata:
        """Tensors of a version, the newest where none is named."""
        return ModelMetadata.model_validate(self._connection.get(_place(name, version)))

    def warm(self, name: str, version: Version | None = None) -> bool:
        """Open a version, so that its next request does not wait for that; true when it is open."""
        return bool(self._connection.get(_place(name, version, "ready"))["ready"])

    def infer(
        self,
        name: str,
        inputs: Sequence[Sequence[float]],
        *,
        categories: Sequence[Sequence[str]] | None = None,
        version: Version | None = None,
        datatype: Literal["FP32", "FP64"] = "FP64",
        request_id: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> Inference:
        """Tensors `inputs` [rows, numbers] and, where the model has text columns, `categories` [rows, texts]."""
        tensors = [_tensor("inputs", inputs, datatype)] if len(inputs) and len(inputs[0]) else []
        if categories is not None:
            tensors.append(_tensor("categories", categories, "BYTES"))
        body: dict[str, Any] = {"inputs": tensors}
        body |= {"id": request_id} if request_id is not None else {}
        body |= {"parameters": parameters} if parameters is not None else {}
        return Inference.model_validate(
            self._connection.post(_place(name, version, "infer"), repeatable=True, json=body)
        )

    def statistics(self, name: str | None = None, version: Version | None = None) -> list[ModelStatistics]:
        """What the process that answers did since it began: of every model, of one, or of one version."""
        path = "/v2/models/stats" if name is None else _place(name, version, "stats")
        return [ModelStatistics.model_validate(entry) for entry in self._connection.get(path)["model_stats"]]

    def repository(self, *, only_ready: bool = False) -> list[RepositoryEntry]:
        """Every version of every model, and whether it is open and warm."""
        found = self._connection.post("/v2/repository/index", repeatable=True, json={"ready": only_ready})
        return [RepositoryEntry.model_validate(entry) for entry in found]


def _tensor(name: str, rows: Sequence[Sequence[Any]], datatype: str) -> dict[str, Any]:
    data = [[value.item() if hasattr(value, "item") else value for value in row] for row in rows]
    return {"name": name, "shape": [len(rows), len(rows[0])], "datatype": datatype, "data": data}


def _place(name: str, version: Version | None, *parts: str) -> str:
    here = place("/v2/models/{}", name) if version is None else place("/v2/models/{}/versions/{}", name, version)
    return "/".join((here, *parts))
