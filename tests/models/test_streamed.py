"""A float32 Gram matrix with corrections in float64 against an orthogonal factorisation in float64."""

import pytest
import torch

from models.errors import NumericalFailure
from models.hypothesis_spaces.random_features import RandomFeatures
from models.linear_grid.rows import ComputedRows, HeldRows
from models.linear_grid.streamed import streamed_ridge
from models.randomness import Randomness


def _rows(feature, width=120, rows=6_000, dimension=50):
    space = RandomFeatures(kind="random_features", width=width, feature=feature)
    drawn = space.draw(dimension, 1, Randomness(0), torch.float64)
    inputs = torch.rand(rows, dimension, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    noise = torch.randn(rows, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    labels = torch.cos(inputs.sum(dim=1, keepdim=True) / 2) + 0.1 * noise
    single = {name: value.float() for name, value in drawn.items()}

    def compute(start, stop):
        return space.features(single, inputs[start:stop].float()), labels[start:stop].float()

    return ComputedRows(compute, 1_024), HeldRows(space.features(drawn, inputs), labels)


@pytest.mark.parametrize("feature", ["relu", "tanh", "cosine"])
@pytest.mark.parametrize("penalty", [0.0, 1e-4])
def test_streamed_fits_have_the_accuracy_of_float64(feature, penalty):
    single, double = _rows(feature)
    found = streamed_ridge(single, double, 6_000, penalty)
    features, labels = double.features, double.labels
    ridge = torch.eye(120, dtype=torch.float64) * (6_000 * penalty) ** 0.5
    stacked = torch.cat([features, ridge]), torch.cat([labels, torch.zeros(120, 2, dtype=torch.float64)])
    alive = features.abs().amax(dim=0) > 0
    own = torch.linalg.lstsq(stacked[0][:, alive], stacked[1]).solution
    difference = features[:, alive] @ (found.coefficients[alive] - own)
    assert float(difference.norm() / labels.norm()) < 1e-8
    assert found.error <= 1e-8
    evaluated = features @ found.coefficients
    assert float((found.fitted - evaluated).norm() / labels.norm()) < 1e-11
    assert not bool(found.coefficients[~alive].any())


def test_a_gram_matrix_of_few_rows_is_enough(monkeypatch):
    monkeypatch.setattr("models.linear_grid.streamed.ROWS_PER_FEATURE", 10)
    single, double = _rows("tanh")
    found = streamed_ridge(single, double, 6_000, 0.0)
    own = torch.linalg.lstsq(double.features, double.labels).solution
    assert float((double.features @ (found.coefficients - own)).norm() / double.labels.norm()) < 1e-7


@pytest.mark.parametrize("tolerance", [1e-3, 1e-5, 1e-8])
def test_few_readings_in_float64_are_enough(tolerance):
    single, double = _rows("cosine", rows=40_000)
    found = streamed_ridge(single, double, 40_000, 0.0, tolerance)
    own = torch.linalg.lstsq(double.features, double.labels).solution
    distance = float((double.features @ (found.coefficients - own)).norm() / double.labels.norm())
    assert distance < 1.2 * tolerance
    assert found.double_readings == (1 if tolerance < 1e-6 or tolerance == 1e-3 else 2)


def test_a_smaller_tolerance_reads_more_often():
    single, double = _rows("cosine")
    loose, tight = (streamed_ridge(single, double, 6_000, 0.0, tolerance) for tolerance in (1e-3, 1e-13))
    assert loose.double_readings < tight.double_readings
    assert tight.error <= 1e-13


def test_dependent_features_are_refused_with_the_way_out():
    single, double = _rows("cosine", dimension=1)
    with pytest.raises(NumericalFailure, match="too nearly dependent"):
        streamed_ridge(single, double, 6_000, 0.0)


def test_infinite_features_are_refused():
    rows = HeldRows(torch.full((8, 2), torch.inf), torch.ones(8, 1))
    with pytest.raises(NumericalFailure, match="not finite"):
        streamed_ridge(rows, rows, 8, 1.0)
