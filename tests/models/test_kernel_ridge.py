"""Ridge in the whitened coordinates of a kernel is kernel ridge regression."""

import pytest
import torch
from pydantic import ValidationError
from sklearn.kernel_ridge import KernelRidge as Oracle

from models.errors import InvalidData
from models.experiments.decompose_error import DecomposeError
from models.experiments.fit import Fit
from models.hypothesis_spaces.kernel_ridge import KernelRidge
from models.hypothesis_spaces.random_features import RandomFeatures
from models.kernels import kernel_matrix
from models.learners.ridge import Ridge
from models.randomness import Randomness, normal_rows, uniform_rows
from models.samples import Sample

INPUTS = uniform_rows(Randomness(2), "inputs", 150, 3)
LABELS = torch.cos(4 * INPUTS[:, :1]) + INPUTS[:, 1:2] + 0.1 * normal_rows(Randomness(2), "noise", 150, 1)
SAMPLE = Sample(INPUTS, LABELS)
FRESH = uniform_rows(Randomness(2), "fresh", 400, 3)


def quiet(step, total):
    return None


def fitted(space, penalty, sample=SAMPLE):
    parameters = Ridge(kind="ridge", penalty=penalty).fit(space, sample, Randomness(0), quiet).parameters
    return parameters, space.evaluate(parameters, FRESH)


@pytest.mark.parametrize("kernel", ["gaussian", "arc_cosine", "ntk"])
@pytest.mark.parametrize("penalty", [1e-4, 1e-2])
def test_predictions_are_those_of_scikit_learn(kernel, penalty):
    """Its alpha multiplies |f|_k^2 beside the sum of squares, ours beside their mean."""
    _, ours = fitted(KernelRidge(kind="kernel_ridge", kernel=kernel), penalty)
    gram = kernel_matrix(kernel, INPUTS, INPUTS, None).numpy()
    oracle = Oracle(alpha=150 * penalty, kernel="precomputed").fit(gram, LABELS.numpy())
    theirs = torch.from_numpy(oracle.predict(kernel_matrix(kernel, FRESH, INPUTS, None).numpy()))
    torch.testing.assert_close(ours, theirs.reshape(-1, 1), rtol=0, atol=1e-6)


def test_squared_norm_of_the_coefficients_is_that_of_the_function():
    space = KernelRidge(kind="kernel_ridge")
    parameters, _ = fitted(space, 1e-3)
    dual = torch.linalg.solve(parameters["factor"].T, parameters["coefficients"])
    norm = dual.T @ kernel_matrix("gaussian", INPUTS, INPUTS, None) @ dual
    assert float(parameters["coefficients"].square().sum()) == pytest.approx(float(norm), rel=1e-6)


def test_evaluation_and_features_agree():
    space = KernelRidge(kind="kernel_ridge", kernel="ntk")
    parameters, outputs = fitted(space, 1e-3)
    torch.testing.assert_close(space.features(parameters, FRESH) @ parameters["coefficients"], outputs)


def test_many_random_features_approach_it():
    _, limit = fitted(KernelRidge(kind="kernel_ridge", kernel="arc_cosine"), 1e-3)
    gaps = [
        float((fitted(RandomFeatures(kind="random_features", width=width), 1e-3)[1] - limit).square().mean().sqrt())
        for width in (100, 10_000)
    ]
    assert gaps[1] < 0.02
    assert gaps[1] < gaps[0] / 4


def test_equal_rows_are_served():
    doubled = Sample(torch.cat([INPUTS, INPUTS]), torch.cat([LABELS, LABELS]))
    for kernel in ("gaussian", "arc_cosine", "ntk"):
        space = KernelRidge(kind="kernel_ridge", kernel=kernel)
        torch.testing.assert_close(fitted(space, 1e-3, doubled)[1], fitted(space, 1e-3)[1], rtol=0, atol=1e-6)


def test_fewer_anchors_are_the_first_rows():
    parameters, _ = fitted(KernelRidge(kind="kernel_ridge", width=40), 1e-3)
    assert torch.equal(parameters["anchors"], INPUTS[:40])


def test_too_many_rows_are_refused_with_the_limit():
    space = KernelRidge(kind="kernel_ridge")
    with pytest.raises(InvalidData, match=r"5,001 rows: at most 5,000") as refusal:
        space.for_sample(5_001, standardised=True)
    assert refusal.value.param == "/hypothesis_space/width"
    assert space.for_sample(5_000, standardised=True).width == 5_000
    assert KernelRidge(kind="kernel_ridge", width=10).for_sample(10**6, standardised=True).width == 10


SPECIFICATION = {
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 3, "noise": 0.1},
    "hypothesis_space": {"kind": "kernel_ridge"},
    "learner": {"kind": "ridge", "penalty": 0.001},
}


def test_a_decomposition_is_refused_with_the_reason():
    with pytest.raises(ValidationError, match="built on the sample"):
        DecomposeError(kind="decompose_error", **SPECIFICATION, widths=[4], sample_sizes=[50])


def test_a_fit_stores_the_number_of_anchors_and_the_ball_bounds_refuse(context):
    result = Fit(kind="fit", **SPECIFICATION, sample_size=80, test_size=300).run(context)
    (model,) = result.learned_models
    assert model.manifest["hypothesis_space"]["width"] == 80
    assert model.manifest["export_check"]["worst_absolute_difference"] < 1e-9
    values = {bound.kind: bound.value for bound in model.bounds}
    assert values["rkhs_ball"] is None
    assert values["path_norm_ball"] is None
    assert values["held_out_betting"] is not None


def test_the_plan_of_the_largest_kernel_is_a_few_matrices():
    """n = 5,000: the Gram matrix is 200 MB; its factor and the features with their copies make some ten of it."""
    plan = Fit(kind="fit", **SPECIFICATION, sample_size=5_000).plan({})
    assert 4e8 < plan.peak_memory_bytes < 4e9
    assert plan.floating_point_operations > 5_000**3
