"""A wider network contains the narrower ones, and its best function is never worse."""

import pytest
import torch

from models.decomposition.measured_cells import non_increasing
from models.decomposition.seed_part import PopulationPart, SeedPart
from models.hypothesis_spaces import HYPOTHESIS_SPACES
from models.randomness import Randomness


def containing():
    found = []
    for kind in HYPOTHESIS_SPACES.values():
        for example in kind.examples:
            space = kind(**example)
            if space.contains_narrower:
                found.append(pytest.param(space, id=f"{space.kind}-{len(found)}"))
    return found


@pytest.mark.parametrize("space", containing())
def test_a_network_padded_with_silent_neurons_is_the_same_function(space):
    narrow, wide = space.with_width(5), space.with_width(9)
    small = narrow.draw(3, 2, Randomness(0), torch.float64)
    # An initialisation may be the zero function.
    small["coefficients"] = torch.ones_like(small["coefficients"])
    large = {}
    for name, like in wide.draw(3, 2, Randomness(1), torch.float64).items():
        large[name] = torch.zeros_like(like)
        large[name][tuple(slice(0, side) for side in small[name].shape)] = small[name]
    inputs = torch.randn(40, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    expected, found = narrow.evaluate(small, inputs), wide.evaluate(large, inputs)
    # The factor of a scaling that depends on the width is taken up by the coefficients.
    factor = float((expected * found).sum() / (found**2).sum())
    large["coefficients"] *= factor
    torch.testing.assert_close(wide.evaluate(large, inputs), expected, rtol=1e-12, atol=1e-12)


def _found(risk, value):
    best = torch.full((1, 2, 1), value, dtype=torch.float64)
    return PopulationPart.searched(best, torch.tensor([risk], dtype=torch.float64))


def test_a_wider_space_takes_over_a_better_function_of_a_narrower():
    kept = non_increasing([_found(0.3, 1.0), _found(0.5, 2.0), _found(0.2, 3.0), _found(0.25, 4.0)])
    assert [float(part.selection_risk) for part in kept] == [0.3, 0.3, 0.2, 0.2]
    assert [float(part.best[0, 0, 0]) for part in kept] == [1.0, 1.0, 3.0, 3.0]


def test_a_part_is_what_its_tensors_say():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(4, 2, 3, 5, 1, generator=generator, dtype=torch.float64)
    population = PopulationPart(
        values[2, :, 0],
        {(1, 0.5): values[3, 0, 0], (0, 0.1): values[3, 1, 0]},
        torch.tensor([float("nan"), 0.1]),
        torch.tensor([4_096.0, float("inf")]),
        values[3, :, 2, :, 0],
        {(1, 0.5): values[3, 1, 1]},
    )
    penalties = torch.tensor([[0.1, 0.1, float("nan")], [float("nan"), float("nan"), float("nan")]])
    part = SeedPart(values[0], values[1], values[0, ..., :2, 0], penalties, population, [{"weights": values[0, 0]}])
    again = SeedPart.of(part.tensors())
    for name in ("best_on_sample", "trained", "empirical"):
        assert torch.equal(getattr(again, name), getattr(part, name))
    assert again.penalties_by_width().keys() == {0}
    assert again.population.penalised.keys() == population.penalised.keys()
    assert all(torch.equal(again.population.penalised[key], value) for key, value in population.penalised.items())
    assert again.population.slopes.keys() == population.slopes.keys()
    assert torch.equal(again.population.slopes[1, 0.5], population.slopes[1, 0.5])
    assert torch.equal(again.population.rows, population.rows)
    assert torch.equal(again.population.leverage, population.leverage)
    assert torch.equal(again.functions[0]["weights"], values[0, 0])
