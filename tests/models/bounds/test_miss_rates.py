"""The sequential test of coverage errs no more often than the count of a thousand repeats that it stands for."""

import math

import numpy as np
import pytest
from miss_rates import ERROR, FIXED_REPEATS, MissRate, misses_no_more_often_than
from scipy import stats


def chance_of_breaking(delta: float, rate: float) -> float:
    """P(the test says broken) where a miss has this probability: summed over every number of misses and repeats.

    What is undecided after 6000 repeats, where that is likely at all between both rates, counts as not broken.
    """
    probe = MissRate(delta)
    hit, miss = math.log((1 - probe.intolerable) / (1 - delta)), math.log(probe.intolerable / delta)
    least, misses = math.log((1 - ERROR) / ERROR), np.arange(2000)
    undecided, broken = np.zeros(2000), 0.0
    undecided[0] = 1.0
    for repeats in range(1, 6 * FIXED_REPEATS):
        undecided = (1 - rate) * undecided + rate * np.concatenate([[0.0], undecided[:-1]])
        evidence = misses * miss + (repeats - misses) * hit
        broken += undecided[evidence >= least].sum()
        undecided[np.abs(evidence) >= least] = 0.0
    return broken


def chance_of_the_count(delta: float, rate: float) -> float:
    """As above for 1000 repeats of which delta and three standard errors may miss."""
    allowed = FIXED_REPEATS * delta + 3 * math.sqrt(FIXED_REPEATS * delta * (1 - delta))
    return float(stats.binom.sf(math.floor(allowed), FIXED_REPEATS, rate))


@pytest.mark.parametrize("delta", [0.05, 0.1, 0.2])
def test_errors_of_both_kinds_are_smaller_than_those_of_the_count(delta):
    intolerable = MissRate(delta).intolerable
    assert chance_of_breaking(delta, delta) < min(1.01 * ERROR, chance_of_the_count(delta, delta))
    assert 1 - chance_of_breaking(delta, intolerable) < min(1.01 * ERROR, 1 - chance_of_the_count(delta, intolerable))
    for share in (0.7, 0.8, 0.9):
        between = delta + share * (intolerable - delta)
        assert chance_of_breaking(delta, between) > chance_of_the_count(delta, between)


def test_broken_promise_is_found_and_a_kept_one_is_known_early():
    seen = []
    misses_no_more_often_than(0.05, lambda seed: seen.append(seed) or False)
    assert 100 < len(seen) < 200
    draw = np.random.default_rng(0).random(5 * FIXED_REPEATS)
    with pytest.raises(AssertionError, match=r"misses in \d+ repeats"):
        misses_no_more_often_than(0.05, lambda seed: draw[seed] < 0.1)
    misses_no_more_often_than(0.05, lambda seed: draw[seed] < 0.04)
    with pytest.raises(AssertionError, match="neither"):
        misses_no_more_often_than(0.05, lambda seed: False, most=50)
