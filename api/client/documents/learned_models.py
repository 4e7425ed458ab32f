"""Learned models and their predictions."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from api.client.documents.base import Document

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import polars as pl
    from numpy.typing import NDArray


class OutputColumn(Document):
    """An output of a model."""

    name: str
    datatype: str


class InputColumn(Document):
    """A raw input of a model. `levels`: those of a category; another value counts as none of them."""

    name: str
    datatype: str
    accepts_missing: bool
    levels: list[float | str] | None


class Certificate(Document):
    """With probability `confidence` over `sample_size` held-out rows, E min(|f(x) - y|^2, loss_cap) < the bound."""

    risk_upper_bound: float
    loss_cap: float
    confidence: float
    sample_size: int
    labels_outside_range: int


class LearnedModel(Document):
    """A version: what it is, what it was learnt from, what is known of its risk."""

    id: str
    object: Literal["learned_model"]
    name: str
    version: int
    aliases: list[str]
    hypothesis_space: dict[str, Any]
    learner: dict[str, Any] | None
    data: dict[str, Any] | None
    risks: dict[str, Any]
    bounds: list[dict[str, Any]]
    certificate: Certificate | None
    input_schema: list[InputColumn]
    output_schema: list[OutputColumn]
    classes: list[float | str] | None
    digest: str
    job_id: str | None
    dataset_ids: list[str]
    created_at: datetime
    links: dict[str, str]


class ModelBounds(Document):
    """Every bound that was evaluated for a version."""

    object: Literal["bounds"]
    name: str
    version: int
    bounds: list[dict[str, Any]]


class Alias(Document):
    """An alias as it stands."""

    object: Literal["model_alias"]
    name: str
    alias: str
    version: int


class PredictingModel(Document):
    """The version that answered."""

    name: str
    version: int


class Prediction(Document):
    """One row of `predictions` for each row that was sent, in its order; columns as in `outputs`, label units.

    `labels`, of a classification only: the class with the largest output.
    """

    predictions: list[list[float]]
    outputs: list[str]
    model: PredictingModel
    labels: list[float | str] | None = None

    def to_numpy(self) -> "NDArray[np.float64]":
        """Shape [rows, outputs]."""
        import numpy as np

        return np.array(self.predictions, dtype=np.float64)

    def to_pandas(self) -> "pd.DataFrame":
        """A column for each output, and `label` of a classification."""
        import pandas as pd

        return pd.DataFrame(self._columns())

    def to_polars(self) -> "pl.DataFrame":
        """A column for each output, and `label` of a classification."""
        import polars as pl

        return pl.DataFrame(self._columns())

    def _columns(self) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {
            name: [row[place] for row in self.predictions] for place, name in enumerate(self.outputs)
        }
        return columns if self.labels is None else {**columns, "label": list(self.labels)}
