"""Seeds are added until every cell is precise, and the error bars stay honest."""

import math
from dataclasses import dataclass

import pytest
import torch
from pydantic import ValidationError

from models.decomposition.reference_training import BUDGETS
from models.decomposition.seed_part import SeedPart
from models.decomposition.sequential_stopping import SequentialStopping
from models.decomposition.setting import DecompositionSetting
from models.experiments.decompose_error import DecomposeError
from models.randomness import Randomness


@dataclass(frozen=True)
class Nothing:
    """f* = 0."""

    noise_variance: float = 0.0

    @property
    def target(self):
        return self

    def evaluate(self, inputs):
        return torch.zeros(len(inputs), 1, dtype=torch.float64)

    def inputs(self, size, randomness, stream):
        raise AssertionError("not asked")

    def training_sample(self, sample_size, randomness):
        raise AssertionError("not asked")


SETTING = DecompositionSetting(
    population=Nothing(),
    dimension=1,
    output_dimension=1,
    sample_sizes=(1, 2),
    seeds=(Randomness(0),),
    test_inputs=torch.zeros(1, 1, dtype=torch.float64),
    budget=BUDGETS["quick"],
    shared=Randomness(0),
)


def _part(*excess):
    """One width, one test point, an excess risk for each sample size."""
    outputs = torch.tensor(excess, dtype=torch.float64).sqrt().reshape(1, -1, 1, 1)
    return SeedPart(outputs, outputs, outputs[..., 0].expand(-1, -1, 2), outputs[..., 0, 0])


def test_the_least_precise_cell_of_all_groups_decides():
    sure, unsure = [_part(1.0, 1.1), _part(1.1, 1.0)], [_part(1.0, 3.0), _part(1.1, 1.0)]
    stopping = SequentialStopping(2, 0.1)
    assert stopping.precise(SETTING, [sure, sure])
    assert not stopping.precise(SETTING, [sure, unsure])


LAWS = {
    "normal": lambda shape, generator: 1 + 0.3 * torch.randn(shape, generator=generator),
    "lognormal": lambda shape, generator: torch.exp(0.5 * torch.randn(shape, generator=generator)),
}


@pytest.mark.parametrize("law", LAWS)
def test_two_errors_of_a_stopped_run_cover_as_often_as_those_of_a_fixed_one(law):
    generator = torch.Generator().manual_seed(1)
    expected = float(LAWS[law](10**6, generator).mean())
    risks = LAWS[law]((300, 64), generator).clamp_min(1e-3).double()
    stopping, covered = SequentialStopping(8, 0.1), 0
    for by_seed in risks:
        parts = [_part(value) for value in by_seed.tolist()]
        seeds = stopping.first
        while seeds < 64 and not stopping.precise(SETTING, [parts[:seeds]]):
            seeds *= 2
        used = by_seed[:seeds]
        covered += abs(float(used.mean()) - expected) < 2 * float(used.std()) / math.sqrt(seeds)
    # Eight seeds without a choice cover 0.92 and 0.89; the share of 300 has a standard error of 0.02.
    assert covered / 300 > 0.84


GRID = {**DecomposeError.examples[0], "seeds": 8, "widths": [4], "sample_sizes": [64], "test_size": 400}


def test_seeds_are_added_up_to_the_most_and_the_result_says_what_was_reached(context):
    loose = DecomposeError(**GRID, precision=0.9).run(context)
    assert loose.summary["seeds"] == 8
    assert loose.summary["precision"] == {"requested": 0.9, "reached": True, "imprecise": []}
    strict = DecomposeError(**GRID, precision=1e-6, most_seeds=20).run(context)
    assert strict.summary["seeds"] == 20
    assert not strict.summary["precision"]["reached"]
    assert [cell["width"] for cell in strict.summary["precision"]["imprecise"]] == [4]
    assert strict.decompositions == DecomposeError(**{**GRID, "seeds": 20}).run(context).decompositions


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"seeds": 4}, "do not tell when to stop"),
        ({"data": {"kind": "dataset", "dataset_id": "ds_1", "target_columns": ["y"]}}, "On a table"),
    ],
)
def test_what_cannot_be_stopped_by_precision_is_refused(changed, reason):
    with pytest.raises(ValidationError, match=reason):
        DecomposeError(**{**GRID, "precision": 0.1, **changed})
