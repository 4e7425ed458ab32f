"""From a space, a learner and a sample to a learned model in the data's own units."""

import torch

from models.arrays import Parameters
from models.checkpoints import NO_CHECKPOINTS, Checkpoints
from models.hypothesis_spaces.base import HypothesisSpace
from models.learned_model import LearnedModel, OutputRange
from models.learners.base import Advance, Fitted, Learner
from models.randomness import Randomness
from models.samples import Sample
from models.scaling import identity_scaling, standardisation


def label_range(sample: Sample) -> OutputRange:
    """The range of each label column over the sample."""
    return OutputRange(sample.labels.amin(dim=0), sample.labels.amax(dim=0))


def learn(
    space: HypothesisSpace,
    learner: Learner,
    sample: Sample,
    randomness: Randomness,
    advance: Advance,
    *,
    scale_by_default: bool,
    output_range: OutputRange | None = None,
    dtype: torch.dtype = torch.float64,
    device: str = "cpu",
    start: Parameters | None = None,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> tuple[LearnedModel, Fitted]:
    """Scale (if the learner or the default says so), fit, and wrap scaling and clipping into the model.

    The scaling is learnt from `sample` alone. `start` is in scaled units. The model's parameters are on the CPU.
    """
    scale = scale_by_default if learner.standardise is None else learner.standardise
    space = space.for_sample(sample.size, standardised=scale)
    inputs = standardisation(sample.inputs) if scale else identity_scaling(sample.inputs.shape[1])
    outputs = standardisation(sample.labels) if scale else identity_scaling(sample.labels.shape[1])
    # A sample that nothing scales is not copied: it may be most of the memory.
    scaled = Sample(inputs.apply(sample.inputs), outputs.apply(sample.labels)) if scale else sample
    fitted = learner.fit(space, scaled.to(dtype, device), randomness, advance, start, checkpoints)
    parameters = {name: value.detach().cpu() for name, value in fitted.parameters.items()}
    return LearnedModel(space, parameters, inputs, outputs, output_range), fitted
