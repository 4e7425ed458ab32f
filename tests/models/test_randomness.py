"""One seed, many streams that do not disturb each other."""

import subprocess
import sys

import pytest
import torch

from models.randomness import BLOCK_ROWS, Randomness, normal_rows, uniform_rows

DRAWS = [normal_rows, uniform_rows]


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("columns", [1, 3, 17])
def test_shorter_draw_is_a_prefix_of_a_longer_one(draw, columns):
    longest = draw(Randomness(0), "features", 2 * BLOCK_ROWS + 5, columns)
    for rows in (0, 1, 7, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1):
        assert torch.equal(draw(Randomness(0), "features", rows, columns), longest[:rows])


@pytest.mark.parametrize("draw", DRAWS)
def test_streams_of_other_names_seeds_and_children_differ(draw):
    randomness = Randomness(0)
    draws = [
        draw(randomness, "a", 4, 2),
        draw(randomness, "b", 4, 2),
        draw(Randomness(1), "a", 4, 2),
        draw(randomness.child("c"), "a", 4, 2),
        draw(randomness.child("d"), "a", 4, 2),
    ]
    assert len({tuple(values.flatten().tolist()) for values in draws}) == len(draws)


def test_blocks_do_not_repeat():
    rows = normal_rows(Randomness(0), "a", 4 * BLOCK_ROWS, 1)[:, 0]
    assert len(set(rows.tolist())) == len(rows)


def test_global_generator_is_neither_read_nor_moved():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = normal_rows(Randomness(3), "a", 5, 2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(normal_rows(Randomness(3), "a", 5, 2), first)


def test_another_process_draws_the_same_numbers():
    program = "from models.randomness import *; print(normal_rows(Randomness(7).child('x'), 'a', 300, 2)[-1].tolist())"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str(normal_rows(Randomness(7).child("x"), "a", 300, 2)[-1].tolist())


def test_moments_are_those_of_the_law():
    normal = normal_rows(Randomness(0), "a", 40_000, 1)
    uniform = uniform_rows(Randomness(0), "a", 40_000, 1)
    assert abs(float(normal.mean())) < 0.02
    assert abs(float(normal.var()) - 1) < 0.03
    assert abs(float(uniform.mean()) - 0.5) < 0.006
    assert 0 <= float(uniform.min()) < float(uniform.max()) < 1
