"""A space at all widths: as one grid where its features are nested, otherwise width by width."""

from collections.abc import Callable, Iterator, Sequence

from models.decomposition.grid import CellOutcome, DecompositionSetting, decompose_width
from models.decomposition.nested_spaces import decompose_nested
from models.decomposition.terms import COLUMNS
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Advance, Learner

NUMBERS_AT_ONCE = 2**26
"""Numbers at the test points that the widths solved together may hold."""
NUMBERS_OF_A_CELL = 2 * COLUMNS + 4
"""At each test point: the sums of products, those of the penalised minimiser, and predictions."""


def decompose_space(
    space: HypothesisSpace,
    learner: Learner,
    widths: Sequence[int],
    setting: DecompositionSetting,
    training: Advance,
    reference: Advance,
    unit_done: Callable[[], None],
) -> Iterator[tuple[int, dict[int, CellOutcome]]]:
    """The outcomes of each width by sample size, in ascending order of the widths; otherwise as `decompose_width`."""
    together = widths_together(setting.test_inputs.shape[0], len(setting.sample_sizes))
    ascending = sorted(widths)
    for start in range(0, len(ascending), together):
        group = ascending[start : start + together]
        spaces = [space.with_width(width) for width in group]
        linear = [one for one in spaces if isinstance(one, LinearSpace)]
        outcomes = decompose_nested(linear, learner, setting, training, reference, unit_done) if linear else None
        if outcomes is None:
            outcomes = [decompose_width(one, learner, setting, training, reference, unit_done) for one in spaces]
        yield from zip(group, outcomes, strict=True)


def widths_together(test_points: int, sample_sizes: int) -> int:
    """How many widths are solved together: as many as NUMBERS_AT_ONCE allows, one at least."""
    return max(1, NUMBERS_AT_ONCE // (test_points * sample_sizes * NUMBERS_OF_A_CELL))
