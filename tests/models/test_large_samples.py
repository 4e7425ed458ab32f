"""Fits whose features are computed in blocks: those of the dense path, and a plan that knows it."""

import json

import pytest
import torch

from models.artefacts import load
from models.experiments.decompose_error import DecomposeError
from models.experiments.fit import FILES, Fit
from models.hypothesis_spaces.random_features import RandomFeatures
from models.large_samples import streamed_solution
from models.learners.least_squares import LeastSquares
from models.learners.ridge import Ridge
from models.optimisation import unwatched
from models.provenance import draw_samples, read_provenance
from models.randomness import Randomness
from models.risks import squared_losses
from models.samples import Sample

LEARNERS = {"kind": "least_squares"}, {"kind": "ridge", "penalty": 1e-4}
MODULES = ("models.large_samples", "models.decomposition.nested_features")


def in_blocks(monkeypatch):
    """Features are too many to hold from 2,000 numbers on."""
    for module in MODULES:
        monkeypatch.setattr(f"{module}.HELD_FEATURES", 2_000)


def fit_of(context, learner, feature="tanh"):
    spec = {
        "kind": "fit",
        "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 10, "noise": 0.1},
        "hypothesis_space": {"kind": "random_features", "width": 40, "feature": feature},
        "learner": learner,
        "sample_size": 3_000,
        "test_size": 500,
        "bounds": "none",
    }
    return Fit.model_validate(spec).run(context).summary


@pytest.mark.parametrize("feature", ["tanh", "relu"])
@pytest.mark.parametrize("learner", LEARNERS, ids=lambda learner: learner["kind"])
def test_a_fit_in_blocks_is_the_dense_fit(context, monkeypatch, learner, feature):
    dense = fit_of(context, learner, feature)
    in_blocks(monkeypatch)
    streamed = fit_of(context, learner, feature)
    assert streamed["training"]["details"]["solver"].startswith("streamed")
    assert not dense["training"]["details"]["solver"].startswith("streamed")
    for name in ("trained", "trained_empirical", "generalization_gap"):
        assert streamed["risks"][name]["value"] == pytest.approx(dense["risks"][name]["value"], rel=1e-6), name
    assert streamed["training"]["curve"][0]["empirical_risk"] == pytest.approx(
        dense["training"]["curve"][0]["empirical_risk"], rel=1e-9
    )


@pytest.mark.parametrize("penalty", [0.0, 1e-3])
def test_dependent_features_are_solved_by_a_triangle_of_all_rows(penalty):
    space = RandomFeatures(kind="random_features", width=120, feature="cosine")
    drawn = space.draw(1, 2, Randomness(0), torch.float64)
    inputs = torch.rand(6_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = torch.randn(6_000, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    sample = Sample(inputs, torch.exp(inputs) + 0.1 * noise)
    found = streamed_solution(space, drawn, sample, penalty)
    learner = Ridge(kind="ridge", penalty=penalty) if penalty else LeastSquares(kind="least_squares")
    dense = learner.fit(space, sample, Randomness(0), unwatched, drawn).parameters["coefficients"]
    assert (found.remarks["solver"] == "streamed qr") == (penalty == 0)
    features = space.features(drawn, inputs)
    # Coefficients of dependent features are large, and so is the rounding of their sums.
    rounding = 1e-15 * float(found.coefficients.abs().max())
    torch.testing.assert_close(found.outputs, features @ found.coefficients, rtol=0.0, atol=1e-9 + rounding)
    # Singular values at the cutoff count in one and not in the other.
    torch.testing.assert_close(features @ found.coefficients, features @ dense, rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("standardise", [False, True])
def test_risks_from_the_solvers_outputs_are_those_of_the_evaluated_model(context, monkeypatch, standardise):
    in_blocks(monkeypatch)
    fitted = fit_of(context, {"kind": "ridge", "penalty": 1e-4, "standardise": standardise})
    model = load(json.loads(context.saved[FILES["manifest"]]), context.saved[FILES["weights"]])
    source = read_provenance(model.manifest)
    _, training, _ = draw_samples(context, source.data, source.sample_size, source.test_size, source.seed)
    outputs = model.model(training.inputs)
    direct = float(squared_losses(outputs, training.labels).mean())
    assert fitted["risks"]["trained_empirical"]["value"] == pytest.approx(direct, rel=1e-10)


def test_a_decomposition_in_blocks_is_the_dense_one(context, monkeypatch):
    spec = DecomposeError.model_validate(
        {
            "kind": "decompose_error",
            "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 10, "noise": 0.1},
            "hypothesis_space": {"kind": "random_features", "feature": "tanh"},
            "learner": {"kind": "ridge", "penalty": 1e-4},
            "widths": [10, 40],
            "sample_sizes": [300, 3_000],
            "seeds": 2,
            "test_size": 500,
            "reference": {"effort": "quick"},
        }
    )
    dense = spec.run(context).decompositions
    in_blocks(monkeypatch)
    for streamed, cell in zip(spec.run(context).decompositions, dense, strict=True):
        for name, term in cell.risk_terms.items():
            assert streamed.risk_terms[name].value == pytest.approx(term.value, rel=1e-6, abs=1e-9)


def test_the_plan_of_a_million_rows_holds_no_features():
    def plan(learner):
        data = {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 50}
        space = {"kind": "random_features", "width": 2000}
        spec = {"kind": "fit", "data": data, "hypothesis_space": space, "learner": learner, "sample_size": 10**6}
        return Fit.model_validate(spec | {"test_size": 10_000, "bounds": "none"}).plan({})

    features = 8 * 2000 * 10**6
    for learner in ({"kind": "least_squares"}, {"kind": "ridge", "penalty": 1e-6}):
        assert plan(learner).peak_memory_bytes < 0.08 * features
    assert plan({"kind": "ridge"}).peak_memory_bytes > features


def test_the_plan_counts_the_bounds_that_are_asked_for():
    def plan(bounds):
        data = {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 50}
        space = {"kind": "random_features", "width": 2000, "feature": "cosine"}
        spec = {"kind": "fit", "data": data, "hypothesis_space": space, "learner": {"kind": "least_squares"}}
        return Fit.model_validate(spec | {"sample_size": 10**6, "bounds": bounds}).plan({})

    none, signs, search = plan("none"), plan([{"kind": "rkhs_ball"}]), plan([{"kind": "uniform_deviation_lower"}])
    # 1,000 sign vectors over 10^6 rows of 2,000 features; twenty of them with the functions searched, in memory.
    assert signs.floating_point_operations - none.floating_point_operations > 2 * 1_000 * 10**6 * 2_000
    assert signs.estimated_seconds > 2 * none.estimated_seconds
    assert search.peak_memory_bytes - none.peak_memory_bytes > 8 * 20 * 13 * 10**6
    assert plan("all").estimated_seconds >= signs.estimated_seconds
    assert plan([{"kind": "held_out_hoeffding"}]).estimated_seconds < 1.2 * none.estimated_seconds
