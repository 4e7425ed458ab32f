"""Error decompositions."""

from datetime import datetime
from typing import Any, Literal

from api.client.documents.base import Document

Purchase = Literal["data", "width", "training", "nothing"]


class Estimate(Document):
    """A value, its standard error (0 for a closed form; None where one draw gives none), and how it was obtained."""

    value: float
    standard_error: float | None = None
    method: str


class SquaredNorms(Document):
    """Squared L2(mu) norms of the parts of the error; not negative, and without a sum rule. None on a table."""

    approximation: Estimate | None = None
    estimation: Estimate | None = None
    optimization: Estimate | None = None
    total: Estimate | None = None


class Risks(Document):
    """Population risks in label units squared; `trained_empirical` is the risk on the sample."""

    noise: Estimate | None = None
    best_in_space: Estimate | None = None
    best_on_sample: Estimate
    trained: Estimate
    trained_empirical: Estimate


class RiskTerms(Document):
    """noise + approximation + estimation + optimization = risks.trained; a term may be negative.

    On a table `approximation_and_noise` is their sum, and `approximation` is None where repeated inputs do not tell the
    noise.
    """

    approximation: Estimate | None = None
    approximation_and_noise: Estimate | None = None
    estimation: Estimate | None = None
    optimization: Estimate


class Interval(Document):
    """A number and its 95 % interval, in label units squared; no value where only its bounds are known."""

    value: float | None = None
    lower: float
    upper: float


class Prospect(Document):
    """What a purchase is expected to do: the risk after it and what it saves, or why that is unknown."""

    change: str
    width: int
    sample_size: int
    method: str | None = None
    risk: Interval | None = None
    saving: Interval | None = None
    unknown: str | None = None


class Advice(Document):
    """What would lower the risk most, and what is expected of each purchase."""

    buy: Purchase
    because: str
    expected: dict[str, Prospect] = {}


class Decomposition(Document):
    """One cell of a grid: a hypothesis space, a width and a sample size, averaged over its seeds."""

    id: str
    object: Literal["decomposition"]
    job_id: str
    created_at: datetime
    hypothesis_space: dict[str, Any]
    learner: dict[str, Any]
    data: dict[str, Any]
    target: dict[str, Any] | None
    dataset_id: str | None
    dimension: int
    width: int
    sample_size: int
    seeds: int
    squared_norms: SquaredNorms
    gram: list[list[float]] | None
    risks: Risks
    risk_terms: RiskTerms
    generalization_gap: Estimate
    regularization_bias: Estimate | None = None
    advice: Advice
