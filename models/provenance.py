"""How a learned model's samples can be drawn again: data, sizes and seed, stored in its manifest."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from models.data import Data
from models.errors import InvalidData
from models.problems import Problem
from models.randomness import Randomness
from models.run_context import RunContext
from models.samples import Sample


class Provenance(BaseModel):
    """What a model was learnt from. `specification` is the whole job; the other fields say how to repeat its draws.

    `sample_size` None: every training row of the table. `scaled_from_sample`: inputs and labels were standardised by
    the training rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Data
    sample_size: int | None
    test_size: int
    seed: int
    scaled_from_sample: bool
    specification: dict[str, Any]

    @property
    def randomness(self) -> Randomness:
        """The tree of random streams of the job."""
        return Randomness(self.seed)


def read_provenance(manifest: dict[str, Any]) -> Provenance:
    """The provenance of a stored manifest.

    Raises:
        InvalidData: it is of another format, so that the samples cannot be drawn again.
    """
    try:
        return Provenance.model_validate(manifest["provenance"])
    except (KeyError, ValidationError) as error:
        raise InvalidData(f"The manifest does not say how to draw the model's samples again: {error}") from error


def draw_samples(
    context: RunContext, data: Data, sample_size: int | None, test_size: int, seed: int
) -> tuple[Problem, Sample, Sample]:
    """The problem, its training sample and a sample independent of it (the subtree `data` of the seed).

    Raises:
        InvalidData: the table does not serve, or is too small.
    """
    randomness = Randomness(seed).child("data")
    problem = data.problem(context, randomness)
    return problem, problem.training_sample(sample_size, randomness), problem.test_sample(test_size, randomness)
