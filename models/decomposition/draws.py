"""The parameters that the functions of one seed share: drawn once, frozen where the space says so."""

import torch

from models.arrays import Parameters
from models.decomposition.setting import DecompositionSetting
from models.errors import AssumptionFailed
from models.hypothesis_spaces.base import HypothesisSpace
from models.randomness import Randomness


def draw(space: HypothesisSpace, setting: DecompositionSetting, randomness: Randomness) -> Parameters:
    """The space's draw on the device: float64 for least squares, float32 where training is stochastic."""
    # Least squares needs the digits; stochastic training of the other spaces does not, and is faster without.
    dtype = torch.float64 if space.linear else torch.float32
    drawn = space.draw(setting.dimension, setting.output_dimension, randomness, dtype)
    return {name: value.to(setting.device) for name, value in drawn.items()}


def with_frozen(space: HypothesisSpace, drawn: Parameters, learned: Parameters) -> Parameters:
    """The learned parameters with the frozen tensors of `drawn` itself, of which one copy is then enough.

    Raises:
        AssumptionFailed: the learner changed a parameter that the space freezes.
    """
    frozen = {name: value for name, value in drawn.items() if name not in space.trainable}
    moved = [name for name, value in frozen.items() if not torch.equal(value, learned[name])]
    if moved:
        raise AssumptionFailed(f"The learner changed {moved[0]!r}, which the space freezes at the draw.", "/learner")
    return {**learned, **frozen}
