"""Whether bounds miss no more often than they promise, told by a sequential test that stops as soon as it knows."""

import math
from collections.abc import Callable

ERROR = 1e-3
FIXED_REPEATS = 1000


class MissRate:
    """Wald's sequential probability ratio test of P(miss) <= delta against P(miss) >= `intolerable`.

    It errs with probability at most `ERROR`/(1 - `ERROR`) on either side (Wald 1945), and decides a bound that never
    misses after some hundred and fifty repeats at delta = 0.05. `intolerable` is delta and six standard errors of a
    rate over 1000 repeats. A count of 1000 repeats that allows three of them errs more often on both sides.
    """

    def __init__(self, delta: float) -> None:
        self.repeats = self.misses = 0
        self.intolerable = delta + 6 * math.sqrt(delta * (1 - delta) / FIXED_REPEATS)
        self._of_miss = math.log(self.intolerable / delta)
        self._of_hit = math.log((1 - self.intolerable) / (1 - delta))
        self._evidence = 0.0

    def count(self, missed: bool) -> None:
        """One more repeat, independent of the others.

        Raises:
            AssertionError: the bound misses too often.
        """
        self.repeats += 1
        self.misses += missed
        self._evidence += self._of_miss if missed else self._of_hit
        assert self._evidence < math.log((1 - ERROR) / ERROR), f"{self.misses} misses in {self.repeats} repeats"

    @property
    def kept(self) -> bool:
        """Whether enough has been seen to say that the promise is kept."""
        return self._evidence <= math.log(ERROR / (1 - ERROR))


def misses_no_more_often_than(delta: float, missed: Callable[[int], bool], most: int = 5 * FIXED_REPEATS) -> None:
    """`missed(seed)` for seeds 0, 1, ... until the promise is known to be kept.

    Raises:
        AssertionError: it is broken, or `most` repeats do not tell.
    """
    rate = MissRate(delta)
    for seed in range(most):
        rate.count(bool(missed(seed)))
        if rate.kept:
            return
    raise AssertionError(f"{rate.misses} misses in {most} repeats: neither kept nor broken")
