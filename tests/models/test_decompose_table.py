"""decompose_error on a table: what rows identify is measured, the rest extrapolated or left out."""

import json
import math

import pytest
import torch
from parts_here import parts_here
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from models.decomposition.reference_training import BUDGETS
from models.decomposition.setting import Polls
from models.decomposition.table_grid import TableSetting, table_outcomes
from models.errors import InvalidData, Stopped
from models.experiments.decompose_error import DecomposeError
from models.randomness import Randomness
from models.tables import Table

NOISE = 0.5


def linear_table(rows=3000, dimension=8, repeated=0, seed=0) -> Table:
    """y = 3 x_1 + 2 x_2 + noise of variance 0.25; `repeated` rows have the inputs of another."""
    generator = torch.Generator().manual_seed(seed)
    inputs = 20 + 4 * torch.randn(rows, dimension, generator=generator, dtype=torch.float64)
    inputs[:repeated] = inputs[repeated : 2 * repeated]
    labels = 3 * inputs[:, 0] + 2 * inputs[:, 1] + NOISE * torch.randn(rows, generator=generator, dtype=torch.float64)
    numbers = {f"x{j}": inputs[:, j].clone() for j in range(dimension)} | {"y": labels}
    return Table(tuple(numbers), numbers, {}, rows)


def spec_of(**changes):
    record = {
        "kind": "decompose_error",
        "data": {"kind": "dataset", "dataset_id": "ds_1", "target_columns": ["y"]},
        "hypothesis_space": {"kind": "polynomial"},
        "learner": {"kind": "least_squares"},
        "widths": [1, 9],
        "sample_sizes": [20, 40, 80, 320, 1280],
        "seeds": 6,
    }
    return DecomposeError.model_validate(record | changes)


def test_terms_telescope_and_the_limit_is_approximation_and_noise(context):
    context.tables["ds_1"] = linear_table()
    cells = spec_of().run(context).decompositions
    assert [(cell.width, cell.sample_size) for cell in cells] == [
        (w, n) for w in (1, 9) for n in (20, 40, 80, 320, 1280)
    ]
    for cell in cells:
        terms = cell.risk_terms
        total = sum(terms[name].value for name in ("approximation_and_noise", "estimation", "optimization"))
        assert total == pytest.approx(cell.risks["trained"].value, rel=1e-12)
        assert "approximation" not in terms
        assert "noise" not in cell.risks
        assert terms["optimization"].value == pytest.approx(0.0, abs=1e-9)
    constant, linear = cells[0].risks["best_in_space"], cells[5].risks["best_in_space"]
    # Width 1 is the constant: its best risk is the variance of y. Width 9 holds f*: its best risk is the noise.
    assert abs(constant.value - (16 * 13 + NOISE**2)) < 4 * constant.standard_error
    assert abs(linear.value - NOISE**2) < 4 * linear.standard_error
    assert linear.standard_error < 0.05
    assert linear.method == "extrapolated"


def test_estimation_of_linear_least_squares_follows_its_law(context):
    context.tables["ds_1"] = linear_table()
    cells = {cell.sample_size: cell for cell in spec_of(widths=[9], seeds=12).run(context).decompositions}
    for size in (40, 80, 320):
        # Gaussian inputs with an intercept: R(f~) = s^2 (1 + 1/n)(n - 2)/(n - d - 2), exact.
        law = NOISE**2 * ((1 + 1 / size) * (size - 2) / (size - 8 - 2) - 1)
        estimation = cells[size].risk_terms["estimation"]
        assert abs(estimation.value - law) < 4 * estimation.standard_error + 0.02 * law


def test_repeated_inputs_tell_the_noise(context):
    context.tables["ds_1"] = linear_table(repeated=800)
    cell = spec_of(widths=[9]).run(context).decompositions[-1]
    noise = cell.risks["noise"]
    assert abs(noise.value - NOISE**2) < 4 * noise.standard_error
    total = noise.value + sum(cell.risk_terms[name].value for name in ("approximation", "estimation", "optimization"))
    assert total == pytest.approx(cell.risks["trained"].value, rel=1e-12)


@pytest.mark.parametrize("folds", [1, 5])
@pytest.mark.parametrize("repeated", [False, True])
def test_inputs_that_are_only_filled_alike_do_not_repeat(context, folds, repeated):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(900, generator=generator, dtype=torch.float64)
    x = x[:300].repeat(3) if repeated else x
    y = 2 * x + NOISE * torch.randn(900, generator=generator, dtype=torch.float64)
    x[torch.rand(900, generator=generator) < 0.3] = torch.nan
    context.tables["ds_1"] = Table(("x", "y"), {"x": x, "y": y}, {}, 900)
    cell = spec_of(widths=[3], sample_sizes=[50, 150, 450], folds=folds).run(context).decompositions[-1]
    # Of rows without x nothing better than the mean is known: 0.7 * 0.25 + 0.3 * (4 + 0.25).
    assert abs(cell.risks["best_in_space"].value - 1.45) < 4 * cell.risks["best_in_space"].standard_error
    if repeated:
        assert abs(cell.risks["noise"].value - NOISE**2) < 4 * cell.risks["noise"].standard_error
    else:
        assert "noise" not in cell.risks


@pytest.mark.parametrize(
    ("rows", "data", "field"),
    [
        (5, {}, "/data/test_fraction"),
        (2000, {"test_fraction": 0.0005}, "/data/test_fraction"),
        (9, {"test_rows": [3]}, "/data/test_rows"),
    ],
)
def test_one_test_row_is_refused_for_it_has_no_error_bar(context, rows, data, field):
    context.tables["ds_1"] = linear_table(rows=rows)
    spec = spec_of(data={"kind": "dataset", "dataset_id": "ds_1", "target_columns": ["y"], **data}, sample_sizes=[1, 2])
    with pytest.raises(InvalidData, match="two are needed") as caught:
        spec.plan({"ds_1": context.tables["ds_1"].shape(())})
    assert caught.value.param == field


def test_too_few_sizes_are_said_not_guessed(context):
    context.tables["ds_1"] = linear_table(rows=400)
    result = spec_of(sample_sizes=[50, 100]).run(context)
    for cell in result.decompositions:
        assert set(cell.risk_terms) == {"optimization"}
        assert "best_in_space" not in cell.risks
    assert "nothing is said of its limit" in result.summary["readings"][0]["reading"]


def test_advice_buys_the_width_that_the_grid_shows_to_help_and_data_where_rows_are_few(context):
    context.tables["ds_1"] = linear_table()
    cells = {(c.width, c.sample_size): c for c in spec_of(seeds=8).run(context).decompositions}
    assert cells[1, 1280].advice.buy == "width"
    assert cells[9, 20].advice.buy == "data"
    assert "twice the rows (n = 40)" in cells[9, 20].advice.because


@pytest.mark.parametrize(
    ("space", "learner"),
    [
        ({"kind": "two_layer"}, {"kind": "adam", "steps": 60}),
        ({"kind": "random_features"}, {"kind": "ridge", "penalty": 1e-4}),
    ],
)
def test_other_spaces_and_learners(context, space, learner):
    context.tables["ds_1"] = linear_table(rows=300, dimension=3)
    spec = spec_of(
        hypothesis_space=space, learner=learner, widths=[8], sample_sizes=[30, 60, 120], seeds=1,
        folds=2, reference={"effort": "quick"},
    )  # fmt: skip
    result = spec.run(context)
    json.dumps(result.model_dump(mode="json"), allow_nan=False)
    for cell in result.decompositions:
        terms = [cell.risk_terms[name].value for name in ("approximation_and_noise", "estimation", "optimization")]
        assert math.isclose(sum(terms), cell.risks["trained"].value, rel_tol=1e-9)
        assert cell.dimension == 3


def test_same_seed_same_numbers(context):
    context.tables["ds_1"] = linear_table(rows=300)
    first, second = (spec_of(widths=[9], sample_sizes=[30, 60, 120]).run(context) for _ in range(2))
    assert first == second


def test_parts_computed_in_any_order_and_kept_in_files_give_the_same_bits(context, tmp_path):
    context.tables["ds_1"] = linear_table(rows=90, dimension=2)
    two_layer = {"kind": "two_layer", "activation": "relu"}
    spec = spec_of(
        hypothesis_space=[{"kind": "polynomial"}, two_layer],
        learner=[{"kind": "ridge"}, {"kind": "adam", "steps": 30}],
        widths=[3, 1], sample_sizes=[40, 10, 20], seeds=2, folds=3, reference={"effort": "quick"},
    )  # fmt: skip
    expected = spec.run(context)
    asked = []

    def parts_elsewhere(name, count, compute, seconds):
        asked.append((name, count, seconds))
        for index in reversed(range(count)):
            save_file(compute(index), tmp_path / str(index))
        return [load_file(tmp_path / str(index)) for index in range(count)]

    context.parts = parts_elsewhere
    assert spec.run(context) == expected
    ((name, count, seconds),) = asked
    assert (name, count) == ("training", 2 * 2 * 2 * 3)
    assert seconds == spec.plan({"ds_1": context.tables["ds_1"].shape()}).estimated_seconds


def test_stop_is_obeyed(context):
    context.tables["ds_1"] = linear_table(rows=300)
    context.stop_after = 2
    with pytest.raises(Stopped):
        spec_of(sample_sizes=[30, 60, 120]).run(context)


def test_plan_knows_the_table_and_refuses_more_rows_than_there_are():
    tables = {"ds_1": linear_table(rows=300).shape()}
    assert spec_of(sample_sizes=[30, 60, 240]).plan(tables).estimated_seconds > 0
    with pytest.raises(InvalidData, match="300 training rows are asked for; there are 240") as caught:
        spec_of(sample_sizes=[30, 300]).plan(tables)
    assert caught.value.param == "/sample_sizes"
    with pytest.raises(InvalidData, match="basis functions"):
        spec_of(sample_sizes=[30], hypothesis_space={"kind": "piecewise_linear"}, widths=[20]).plan(tables)


def test_a_learner_that_standardises_by_the_sample_is_refused():
    with pytest.raises(ValidationError, match="standardises"):
        spec_of(learner={"kind": "ridge", "standardise": True})


def test_few_rows_are_cross_validated_and_the_summary_says_so(context):
    context.tables["ds_1"] = linear_table(rows=300)
    spec = spec_of(widths=[9], sample_sizes=[30, 60, 120])
    summary = spec.run(context).summary
    assert summary["cross_validated"] == 5
    assert summary["held_out_size"] == 300
    assert summary["standard_errors_cover"] == ["test rows", "training rows", "seeds"]
    assert "each of 300 rows tests once for every seed, in 5 folds" in summary["readings"][0]["reading"]
    assert context.reports[-1] == ("training", 5 * spec.units, 5 * spec.units)


def test_the_split_is_kept_where_asked_or_rows_are_many_or_named(context):
    context.tables["ds_1"] = linear_table(rows=300)
    named = {"data": {"kind": "dataset", "dataset_id": "ds_1", "target_columns": ["y"], "test_rows": [0, 1, 2]}}
    for changes, size in (({"folds": 1}, 60), (named, 3)):
        summary = spec_of(widths=[9], sample_sizes=[30, 60, 120], **changes).run(context).summary
        assert summary["cross_validated"] is None
        assert summary["held_out_size"] == size
        assert f"{size} held-out rows" in summary["readings"][0]["reading"]
    context.tables["ds_1"] = linear_table(rows=1000)
    assert spec_of(widths=[9], sample_sizes=[30, 60, 120]).run(context).summary["cross_validated"] is None


def test_cross_validation_shortens_the_error_bars_and_terms_still_telescope(context):
    context.tables["ds_1"] = linear_table(rows=300)
    sizes = [30, 60, 120, 240]
    rotated, once = (spec_of(widths=[9], sample_sizes=sizes, folds=v).run(context).decompositions for v in (5, 1))
    for cell, held_out in zip(rotated, once, strict=True):
        terms = [cell.risk_terms[name].value for name in ("approximation_and_noise", "estimation", "optimization")]
        assert sum(terms) == pytest.approx(cell.risks["trained"].value, rel=1e-12)
        assert cell.risks["trained"].standard_error < 0.9 * held_out.risks["trained"].standard_error
        law = NOISE**2 * (1 + 1 / cell.sample_size) * (cell.sample_size - 2) / (cell.sample_size - 10)
        assert abs(cell.risks["trained"].value - law) < 3 * cell.risks["trained"].standard_error
    limit = rotated[-1].risks["best_in_space"]
    assert abs(limit.value - NOISE**2) < 3 * limit.standard_error < 3 * once[-1].risks["best_in_space"].standard_error


def test_a_test_row_changes_no_function_that_it_tests():
    tables = [linear_table(rows=40, dimension=2) for _ in range(2)]
    tables[1].numbers["y"][7] += 1000.0
    spec = spec_of(hypothesis_space={"kind": "polynomial"}, widths=[3], sample_sizes=[10, 20, 30], seeds=2)
    empirical = []
    for table in tables:
        splits = spec.data.splits(table, 4, 30, Randomness(0))
        setting = TableSetting(splits, spec.sample_sizes, (Randomness(0), Randomness(1)), BUDGETS["quick"])
        row = spec.spaces[0].with_width(3), spec.pairs[0][1]
        empirical += table_outcomes([row], setting, Polls(), parts_here)
    clean, moved = empirical
    for seed in range(2):
        fold = int(clean.rotation.fold[seed, 7])
        same = clean.trained_empirical[seed, :, fold]
        assert torch.allclose(moved.trained_empirical[seed, :, fold], same, rtol=1e-9)
        others = [v for v in range(4) if v != fold]
        assert not torch.allclose(moved.trained_empirical[seed][:, others], clean.trained_empirical[seed][:, others])


def test_plan_counts_every_fold_and_the_rows_that_train():
    tables = {"ds_1": linear_table(rows=300).shape()}
    once, rotated = (spec_of(sample_sizes=[30, 60, 120], folds=v).plan(tables) for v in (1, 5))
    assert rotated.floating_point_operations == pytest.approx(5 * once.floating_point_operations, rel=0.01)
    assert spec_of(sample_sizes=[30, 60, 120]).plan(tables) == rotated
    with pytest.raises(InvalidData, match="there are 200"):
        spec_of(sample_sizes=[30, 240], folds=3).plan(tables)
    assert spec_of(sample_sizes=[30, 270], folds=10).plan(tables).estimated_seconds > 0
    with pytest.raises(InvalidData, match="folds make 24000 functions") as caught:
        spec_of(widths=[1, 2, 3, 4, 5], sample_sizes=[30, 60, 120], seeds=80, folds=20).plan(tables)
    assert caught.value.param == "/folds"


def test_folds_of_a_target_or_of_named_test_rows_are_refused():
    with pytest.raises(ValidationError, match="folds are for tables"):
        spec_of(data={"kind": "target", "target": {"kind": "linear"}, "dimension": 8}, folds=5)
    with pytest.raises(ValidationError, match="Folds rotate the test rows"):
        spec_of(folds=5, data={"kind": "dataset", "dataset_id": "ds_1", "target_columns": ["y"], "test_rows": [1]})
