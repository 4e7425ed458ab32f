"""Checks generated for every target from its examples: precision, moments, and norms that agree with one another."""

import math
from typing import get_args

import pytest
import torch

from models.measures import Measure, draw_inputs
from models.randomness import Randomness
from models.targets import TARGETS

EXAMPLES = [
    pytest.param(leaf.model_validate(example), id=f"{kind}-{index}")
    for kind, leaf in TARGETS.items()
    for index, example in enumerate(leaf.examples)
]


def admissible_dimensions(target, wanted, measure="uniform"):
    """The `wanted` dimensions that f* exists in, and the least one beyond where there are none."""
    if target.check_measure(measure) is not None:
        return []
    return [d for d in wanted if target.check_dimension(d) is None] or [
        next(d for d in range(1, 100) if target.check_dimension(d) is None)
    ]


@pytest.mark.parametrize("target", EXAMPLES)
class TestATarget:
    def test_is_one_column_of_finite_values_in_the_inputs_precision(self, target):
        (dimension,) = admissible_dimensions(target, [3])
        for dtype in (torch.float32, torch.float64):
            values = target.evaluate(torch.rand(5, dimension, dtype=dtype))
            assert values.shape == (5, 1)
            assert values.dtype == dtype
            assert bool(torch.isfinite(values).all())

    @pytest.mark.parametrize("measure", get_args(Measure))
    def test_known_moments_agree_with_monte_carlo(self, target, measure):
        for dimension in admissible_dimensions(target, [2, 5], measure):
            known = target.known(dimension, measure)
            values = target.evaluate(draw_inputs(measure, Randomness(3), "inputs", 50_000, dimension))[:, 0]
            for exact, draws in ((known.mean, values), (known.l2_norm_squared, values**2)):
                if exact is not None:
                    error = float(draws.std()) / math.sqrt(len(draws))
                    assert abs(float(draws.mean()) - exact) < 5 * error + 1e-12 * (1 + abs(exact))

    @pytest.mark.parametrize(("measure", "reach"), [("uniform", (0, 1)), ("sphere", (-1, 1)), ("gaussian", (-6, 6))])
    def test_barron_norm_bound_dominates_the_variation_of_the_derivative_along_lines(self, target, measure, reach):
        """Along x_0 + t v with |v|_inf <= 1 a neuron's derivative varies by at most |a| |w|_1.

        What is affine or constant on the sphere itself says nothing of [-1,1]^d.
        """
        for dimension in admissible_dimensions(target, [1, 3], measure):
            known = target.known(dimension, measure)
            if measure == "sphere" and known.spectral_bound == 0:
                continue
            bound = math.inf if known.barron_norm_bound is None else known.barron_norm_bound
            times = torch.linspace(*reach, 8001, dtype=torch.float64)[:, None]
            step = (times[1, 0] - times[0, 0]).item()
            middle = (reach[0] + reach[1]) / 2
            for pattern in ([1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 0.1, -0.4]):
                direction = torch.tensor((pattern * dimension)[:dimension], dtype=torch.float64)
                values = target.evaluate(middle + (times - middle) * direction)[:, 0]
                variation = values.diff(n=2).abs().sum().item() / step
                assert variation <= bound * (1 + 1e-6) + 1e-6

    def test_what_is_known_is_consistent(self, target):
        """A finite C_f means a Barron function; a function outside the space has an infinite norm; E f^2 >= (E f)^2."""
        for measure in get_args(Measure):
            for dimension in admissible_dimensions(target, [1, 2, 4, 30], measure):
                known = target.known(dimension, measure)
                assert type(known).model_validate_json(known.model_dump_json()) == known
                if known.in_barron_space is False:
                    assert known.barron_norm_bound == math.inf
                elif known.barron_norm_bound is not None:
                    assert known.in_barron_space
                    assert 0 <= known.barron_norm_bound < math.inf
                if measure != "gaussian" and known.spectral_bound is not None and known.spectral_bound < math.inf:
                    assert known.in_barron_space
                if known.mean is not None and known.l2_norm_squared is not None:
                    assert known.l2_norm_squared >= known.mean**2 * (1 - 1e-12)
