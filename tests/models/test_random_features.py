"""Features, weight laws and biases of the random feature model."""

import math

import pytest
import torch
from pydantic import ValidationError

from models.hypothesis_spaces.random_features import RandomFeatures
from models.kernels import kernel_matrix
from models.randomness import Randomness, normal_rows, uniform_rows

INPUTS = uniform_rows(Randomness(6), "inputs", 5, 3)


def space(**settings):
    return RandomFeatures(**{"kind": "random_features", "width": 4000, **settings})


def drawn(chosen, dimension=3):
    return chosen.draw(dimension, 1, Randomness(0), torch.float64)


@pytest.mark.parametrize("law", ["sphere", "gaussian"])
@pytest.mark.parametrize(
    ("feature", "bias"),
    [(feature, bias) for feature in ("relu", "sigmoid", "tanh", "cosine") for bias in (True, False)]
    + [("fourier", False)],
)
def test_weights_follow_their_law(feature, law, bias):
    theta = drawn(space(feature=feature, law=law, bias=bias))
    assert ("biases" in theta) == bias
    homogeneous = bias and feature in ("relu", "sigmoid", "tanh")
    rows = torch.cat([theta["weights"], theta["biases"][:, None]], dim=1) if homogeneous else theta["weights"]
    dimension = 4 if homogeneous else 3
    assert len(rows) == (2000 if feature == "fourier" else 4000)
    assert float((rows.T @ rows / len(rows) - torch.eye(dimension) / dimension).abs().max()) < 0.03
    lengths = rows.norm(dim=1)
    assert bool(((lengths - 1).abs() < 1e-12).all()) == (law == "sphere")


def test_bandwidth_divides_the_gaussian_weights():
    wide = drawn(space(feature="tanh", law="gaussian", bandwidth=1.0))
    narrow = drawn(space(feature="tanh", law="gaussian", bandwidth=4.0))
    torch.testing.assert_close(wide["weights"], 4 * narrow["weights"])
    torch.testing.assert_close(wide["biases"], 4 * narrow["biases"])


@pytest.mark.parametrize("width", [1, 2, 7, 10])
def test_fourier_features_are_pairs_and_an_odd_one_a_cosine(width):
    chosen = space(feature="fourier", width=width)
    theta = drawn(chosen)
    features = chosen.features(theta, INPUTS) * math.sqrt(width / 2)
    for j in range(width):
        wave = (torch.sin if j % 2 else torch.cos)(INPUTS @ theta["weights"][j // 2])
        torch.testing.assert_close(features[:, j], wave)


def test_pairs_make_the_diagonal_of_the_kernel_exact():
    """cos^2 + sin^2 = 1 where single cosines only reach it in the mean."""
    pairs, singles = space(feature="fourier", width=200), space(feature="cosine", width=200)
    diagonal = pairs.features(drawn(pairs), INPUTS).square().sum(dim=1)
    torch.testing.assert_close(diagonal, torch.ones(5).double())
    assert float((singles.features(drawn(singles), INPUTS).square().sum(dim=1) - 1).abs().max()) > 1e-3


def test_cosines_without_phase_are_the_even_part_of_the_kernel():
    chosen = space(feature="cosine", bias=False, width=40_000)
    features = chosen.features(drawn(chosen), INPUTS)
    even = kernel_matrix("gaussian", INPUTS, INPUTS, None) + kernel_matrix("gaussian", INPUTS, -INPUTS, None)
    torch.testing.assert_close(features @ features.T, even, rtol=0, atol=0.05)


def test_old_specifications_draw_the_same_numbers():
    relu = drawn(RandomFeatures.model_validate({"kind": "random_features", "width": 9}))
    rows = normal_rows(Randomness(0), "directions", 9, 4)
    rows = rows / rows.norm(dim=1, keepdim=True)
    assert torch.equal(relu["weights"], rows[:, :3])
    assert torch.equal(relu["biases"], rows[:, 3])
    cosine = {"kind": "random_features", "width": 9, "feature": "cosine", "bandwidth": 2.0}
    waves = drawn(RandomFeatures.model_validate(cosine))
    assert torch.equal(waves["weights"], normal_rows(Randomness(0), "directions", 9, 3) / 2.0)
    assert torch.equal(waves["biases"], 2 * math.pi * uniform_rows(Randomness(0), "phases", 9, 1)[:, 0])


def test_parameters_of_another_law_are_refused():
    with pytest.raises(ValidationError, match="Only the gaussian law"):
        space(bandwidth=1.0)
    with pytest.raises(ValidationError, match="Only the gaussian law"):
        space(feature="fourier", law="sphere", bandwidth=1.0)
    with pytest.raises(ValidationError, match="no bias"):
        space(feature="fourier", bias=True)
    assert not space(feature="fourier").has_bias
    assert space(feature="sigmoid").has_bias


def test_path_norm_without_bias_counts_no_bias():
    chosen = space(bias=False, width=6)
    theta = drawn(chosen)
    theta["coefficients"] = torch.ones(6, 1, dtype=torch.float64)
    weights = chosen.path_norm_weights(theta)
    direct = torch.relu(INPUTS @ weights.inner.T + weights.biases) @ weights.outer
    torch.testing.assert_close(direct, chosen.evaluate(theta, INPUTS))
    assert not weights.biases.any()
