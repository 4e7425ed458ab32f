"""What every learner is: an algorithm from a space and a sample to parameters."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from models.arrays import Outputs, Parameters
from models.checkpoints import NO_CHECKPOINTS, Checkpoints
from models.hypothesis_spaces.base import HypothesisSpace
from models.kinds import Kind
from models.optimisation import Advance, LearningCurvePoint, Precision
from models.randomness import Randomness
from models.samples import Sample

GradientClip = Annotated[float | None, Field(gt=0, le=1e12, description="Largest gradient norm; None: any.")]
WeightDecay = Annotated[
    float, Field(ge=0, le=1e12, description="Adds (weight_decay/2) |theta|^2 over the trained parameters to R_n.")
]
ValidationFraction = Annotated[
    float, Field(ge=0, le=0.5, description="Part of the sample that chooses the step to stop at; 0: no stopping.")
]
TrainingPrecision = Annotated[Precision, Field(description="Arithmetic of training.")]

Details = dict[str, float | int | str | list[dict[str, float]]]
"""A learner's remarks, JSON as they are: numbers, words, and lists of points by name."""


@dataclass(frozen=True)
class Fitted:
    """What a learner returns: the parameters theta^, the loss curve (at most about 200 points), and its remarks.

    `outputs`: f(x_i; theta^) on the sample in its units, where the learner came to know them on its way.
    """

    parameters: Parameters
    curve: tuple[LearningCurvePoint, ...] = ()
    details: Details = field(default_factory=dict)
    outputs: Outputs | None = None


class Learner(Kind, ABC):
    """An algorithm that looks for small empirical risk R_n(f) = (1/n) sum_i |f(x_i) - y_i|^2 in a space.

    `standardise`: shift and scale inputs and labels by the training rows' means and deviations first. None: do so
    for a table, and not for a synthetic target, whose inputs are of order 1 already. `uses_torch_optimiser`: it makes
    one of torch.optim, which the plan allows time for.
    """

    uses_torch_optimiser: ClassVar[bool] = False

    standardise: bool | None = None

    def refuses(self, space: HypothesisSpace) -> str | None:
        """Why this learner cannot work in `space`, or None."""
        return None

    @abstractmethod
    def fit(
        self,
        space: HypothesisSpace,
        sample: Sample,
        randomness: Randomness,
        advance: Advance,
        start: Parameters | None = None,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
    ) -> Fitted:
        """Learn from the sample as given (scaling is the caller's), on the sample's device and in its precision.

        `start`: parameters to begin with instead of the space's own draw. `checkpoints`: where a learner that iterates
        offers its state, and finds the one that it goes on from; the other arguments are then those of the first time.

        Raises:
            TrainingDiverged: the empirical risk is not finite or left every bound.
            Stopped: from `advance`.
        """

    @abstractmethod
    def flops(self, space: HypothesisSpace, sample_size: int, input_dimension: int, output_dimension: int) -> float:
        """Floating-point operations of one fit, for the plan."""

    def update_count(self, space: HypothesisSpace, sample_size: int) -> float:
        """Steps of one fit for the plan, in units of a small minibatch's fixed cost: what remains as flops vanish."""
        return 0.0

    def batched_runs(self, space: HypothesisSpace, sample_size: int) -> int:
        """Networks that one fit trains together in models.batched_training, for the plan; 0: it does not."""
        return 0

    def streams(self, sample_size: int, features: int) -> bool:
        """Whether a linear space's n m features are computed in blocks and never held together."""
        return False

    def rows_at_once(self, sample_size: int) -> int:
        """Rows whose activations are held at the same time outside linear spaces, for the plan's memory."""
        return sample_size
