"""Rates of approximation: against closed forms, against the decomposition, and against what is promised."""

import math
from pathlib import Path

import numpy as np
import pytest

from models.catalogue import JOB_SPECIFICATION
from models.errors import Stopped
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.theoretical_rates import theoretical_estimation_rate, theoretical_rate

BASE = {"kind": "approximation_rate", "test_size": 4000, "reference": {"effort": "quick"}}


def target(kind, dimension, **fields):
    return {"kind": "target", "target": {"kind": kind, **fields}, "dimension": dimension}


def specification(**fields):
    return JOB_SPECIFICATION.validate_python(BASE | fields)


@pytest.fixture
def run(context):
    return lambda **fields: specification(**fields).run(context).summary


def test_round_off_has_no_exponent(run):
    """|x + 1| is linear on [0, 1], and every mesh holds it."""
    summary = run(
        data=target("euclidean_norm", 1, center=-1.0),
        hypothesis_space={"kind": "piecewise_linear"},
        widths=[5, 9, 17],
    )
    (space,) = summary["spaces"]
    assert space["exponent"] is None
    assert space["fitted_widths"] == []
    assert all(error["value"] < 1e-25 for error in space["errors"])
    assert "no exponent" in space["reading"]


def test_points_of_the_projection_add_nothing_to_the_error(run):
    """65 hats on 8,192 points err by 0.8 % more than the best of them, of which the mass matrix tells the error."""
    cells, wave = 64, 2 * math.pi
    mass = (4 * np.eye(65) + np.eye(65, k=1) + np.eye(65, k=-1)) / (6 * cells)
    mass[0, 0] = mass[-1, -1] = 1 / (3 * cells)
    # int cos(w t) hat(t), by parts; the hats at the ends are half hats.
    loads = 2 * (1 - math.cos(wave / cells)) * cells / wave**2 * np.cos(wave * np.arange(65) / cells)
    loads[[0, -1]] /= 2
    best = 0.5 - loads @ np.linalg.solve(mass, loads)
    errors = [
        run(
            data=target("cosine_ridge", 1),
            hypothesis_space={"kind": "piecewise_linear"},
            widths=[9, 17, 65],
            seed=seed,
            test_size=400_000,
        )["spaces"][0]["errors"][-1]
        for seed in range(6)
    ]
    mean = sum(error["value"] for error in errors) / len(errors)
    assert abs(mean / best - 1) < 0.004


def test_mesh_error_tends_to_its_closed_form(run):
    """The best line on an interval of length h errs from f by h^4 f''^2 / 720 in the mean; the lines nearly join."""
    (space,) = run(
        data=target("cosine_ridge", 1), hypothesis_space={"kind": "piecewise_linear"}, widths=[17, 33, 65, 129]
    )["spaces"]
    for width, error in zip(space["widths"], space["errors"], strict=True):
        # The mean of (2 pi)^4 cos^2 is half of (2 pi)^4; least squares adds a few in a hundred.
        assert error["value"] == pytest.approx((2 * math.pi / (width - 1)) ** 4 / 1440, rel=0.2)
    local = [one["value"] for one in space["local_exponents"]]
    assert local == sorted(local)
    assert -4.2 < local[-1] < -4.0
    assert space["theory"]["exponent"] == -4.0


def test_errors_are_those_of_the_decomposition(run, context):
    data = target("cosine_ridge", 3)
    common = {"data": data, "seeds": 3, "seed": 5, "test_size": 4000, "reference": {"effort": "quick"}}
    widths = [8, 16, 32]
    (space,) = run(**common, hypothesis_space={"kind": "random_features"}, widths=widths)["spaces"]
    other = {"hypothesis_space": {"kind": "random_features"}, "learner": {"kind": "least_squares"}}
    decomposed = JOB_SPECIFICATION.validate_python(
        {"kind": "decompose_error", **common, **other, "widths": widths, "sample_sizes": [200]}
    ).run(context)
    for error, cell in zip(space["errors"], decomposed.decompositions, strict=True):
        wanted = cell.risk_terms["approximation"]
        # The same draws of features; fresh points and test points differ.
        assert abs(error["value"] - wanted.value) < 0.25 * wanted.value


def test_planted_network_is_found_and_never_lost_again(run):
    (space,) = run(data=target("single_neuron", 3), hypothesis_space={"kind": "two_layer"}, widths=[2, 8, 16], seed=1)[
        "spaces"
    ]
    values = [error["value"] for error in space["errors"]]
    assert values == sorted(values, reverse=True)
    assert values[1] < 1e-5 < values[0]
    assert {error["method"] for error in space["errors"]} == {"best_of_restarts"}


def test_several_spaces_and_any_order_of_the_parts_give_the_same(run, context, monkeypatch):
    fields = {
        "data": target("gaussian", 2),
        "hypothesis_space": [{"kind": "random_features", "feature": "fourier"}, {"kind": "polynomial"}],
        "widths": [6, 10, 15],
        "seeds": 2,
    }

    def backwards(name, count, compute, seconds):
        found = {index: compute(index) for index in reversed(range(count))}
        return [found[index] for index in range(count)]

    forwards = run(**fields)
    monkeypatch.setattr(type(context), "parts", lambda self, *arguments: backwards(*arguments))
    assert run(**fields) == forwards
    both = forwards["spaces"]
    assert [space["hypothesis_space"]["kind"] for space in both] == ["random_features", "polynomial"]
    assert all("width" not in space["hypothesis_space"] for space in both)


def test_stops_when_asked(run, context):
    context.stop_after = 3
    with pytest.raises(Stopped):
        run(data=target("cosine_ridge", 2), hypothesis_space={"kind": "two_layer"}, widths=[2, 4, 8])
    assert {phase for phase, _, _ in context.reports} == {"approximation"}


@pytest.mark.parametrize(
    ("space", "data", "exponent"),
    [
        ({"kind": "two_layer"}, target("euclidean_norm", 5), -1.0),
        ({"kind": "two_layer"}, target("distance_to_sphere", 3), None),
        ({"kind": "two_layer", "activation": "cosine"}, target("cosine_ridge", 3), None),
        ({"kind": "random_features", "feature": "fourier"}, target("gaussian", 2, width=2.0), -1.0),
        ({"kind": "random_features", "feature": "fourier", "bandwidth": 7.0}, target("gaussian", 2, width=2.0), None),
        ({"kind": "piecewise_linear"}, target("cosine_ridge", 4), -1.0),
        ({"kind": "piecewise_linear"}, target("l1_norm", 4), None),
        ({"kind": "piecewise_linear", "lower": 0.5, "upper": 2.0}, target("cosine_ridge", 4), None),
        ({"kind": "polynomial"}, target("runge", 2), -2.0),
        ({"kind": "trigonometric"}, target("cosine_ridge", 2), None),
    ],
)
def test_promises_are_made_where_the_theorem_applies(context, space, data, exponent):
    chosen = specification(data=data, hypothesis_space=space, widths=[16, 81, 256])
    problem = chosen.data.problem(context, Randomness(0))
    assert isinstance(problem, SyntheticProblem)
    found = theoretical_rate(chosen.spaces[0].with_width(16), problem)
    assert (None if found is None else found.exponent) == exponent


def test_estimation_falls_as_promised_where_least_squares_is_averaged_over_samples():
    """Gaussian features, f* outside the space: numpy alone, 4,000 samples a size, against the constant and the rate."""
    random, m, noise, left_out = np.random.default_rng(1), 5, 0.5, 0.3
    found = {}
    for n in (100, 400):
        inputs = random.normal(size=(4000, n, m))
        labels = noise * random.normal(size=(4000, n)) + left_out * random.normal(size=(4000, n))
        gram, moments = np.einsum("rni,rnj->rij", inputs, inputs), np.einsum("rni,rn->ri", inputs, labels)
        squares = (np.linalg.solve(gram, moments[..., None])[..., 0] ** 2).sum(axis=1)
        found[n] = squares.mean()
        exact = (noise**2 + left_out**2) * m / (n - m - 1)
        assert abs(found[n] - exact) < 4 * squares.std() / 4000**0.5
    rate = theoretical_estimation_rate(RandomFeatures(kind="random_features"))
    assert rate is not None
    assert np.log(found[400] / found[100]) / np.log(4) == pytest.approx(rate.exponent, abs=0.08)
    assert theoretical_estimation_rate(TwoLayer(kind="two_layer")) is None


def test_promised_reference_is_in_the_bibliography():
    bibliography = (Path(__file__).parents[2] / "models" / "references.bib").read_text(encoding="utf-8")
    source = Path(__file__).parents[2] / "models" / "theoretical_rates.py"
    for line in source.read_text(encoding="utf-8").splitlines():
        if "reference=" in line:
            assert "{" + line.split('reference="')[1].split('"')[0] + "," in bibliography


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"widths": [4, 8]}, "widths"),
        ({"widths": [4, 4, 8]}, "widths"),
        ({"widths": [10, 11, 12, 40], "hypothesis_space": {"kind": "piecewise_linear"}}, "widths"),
        ({"hypothesis_space": {"kind": "kernel_ridge"}}, "built on a sample"),
        ({"data": {"kind": "dataset", "dataset_id": "ds_1", "target_columns": ["y"]}}, "data"),
        ({"learner": {"kind": "ridge"}}, "learner"),
    ],
)
def test_refusals_name_the_field(fields, place):
    good = {"data": target("cosine_ridge", 2), "hypothesis_space": {"kind": "random_features"}, "widths": [4, 9, 16]}
    specification(**good)
    with pytest.raises(ValueError, match=place):
        specification(**good | fields)


def test_plan_grows_with_what_is_asked():
    small = specification(data=target("cosine_ridge", 2), hypothesis_space={"kind": "two_layer"}, widths=[4, 8, 16])
    more = specification(
        data=target("cosine_ridge", 2),
        hypothesis_space=[{"kind": "two_layer"}, {"kind": "random_features"}],
        widths=[4, 8, 16, 512],
    )
    assert more.grid_cells() == 8
    for name in ("floating_point_operations", "peak_memory_bytes", "estimated_seconds"):
        assert getattr(more.plan({}), name) > getattr(small.plan({}), name)
