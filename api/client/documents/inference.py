"""The Open Inference Protocol."""

from typing import TYPE_CHECKING, Any

from api.client.documents.base import Document

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class InferenceServer(Document):
    """Who answers."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(Document):
    """A tensor of a model; -1 is any number of rows. `parameters["columns"]` names the columns in order."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, list[str]]


class ModelMetadata(Document):
    """A model as the protocol describes it."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class InferredTensor(Document):
    """An output, flat in row-major order."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float | str]

    def to_numpy(self) -> "NDArray[np.float64]":
        """Numbers in the tensor's shape."""
        import numpy as np

        return np.array(self.data, dtype=np.float64).reshape(self.shape)


class Inference(Document):
    """`parameters` carry the certificate: risk_upper_bound, loss_cap, confidence, sample_size."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[InferredTensor]


class RepositoryEntry(Document):
    """A stored version; READY is open and warm in the process that answered."""

    name: str
    version: str
    state: str
    reason: str


class Duration(Document):
    """So many requests, so many nanoseconds of all of them."""

    count: int
    ns: int


class InferenceStatistics(Document):
    """By outcome, and for what succeeded by phase."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class BatchStatistic(Document):
    """Requests of at most `batch_size` rows, a power of two, and of more than half of it."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStatistics(Document):
    """A version since the process began. `last_inference`: milliseconds since 1970; `inference_count`: rows."""

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferenceStatistics
    batch_stats: list[BatchStatistic]
