"""Affine scaling is learnt once and inverts itself."""

import torch

from models.hypothesis_spaces.random_features import RandomFeatures
from models.learners.ridge import Ridge
from models.learning import label_range, learn
from models.optimisation import unwatched
from models.randomness import Randomness
from models.samples import Sample
from models.scaling import identity_scaling, standardisation

ROWS = 1e3 + 50 * torch.randn(200, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_standardised_columns_have_mean_zero_and_deviation_one():
    scaled = standardisation(ROWS).apply(ROWS)
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(3).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(scaled.std(dim=0, unbiased=False), torch.ones(3).double())


def test_inverse_undoes_the_scaling():
    scaling = standardisation(ROWS)
    torch.testing.assert_close(scaling.invert(scaling.apply(ROWS)), ROWS)


def test_constant_column_maps_to_zero_even_with_round_off():
    constant = torch.full((1001, 1), 0.1, dtype=torch.float64) * 1e6
    assert float(standardisation(constant).scale) == 1.0
    assert float(standardisation(constant).apply(constant).abs().max()) < 1e-8


def test_column_of_zeros_is_constant():
    assert float(standardisation(torch.zeros(5, 1)).scale) == 1.0


def test_identity_changes_nothing():
    assert torch.equal(identity_scaling(3).apply(ROWS), ROWS)


def fitted(sample: Sample, **options):
    space = RandomFeatures(kind="random_features", width=60)
    return learn(space, Ridge(kind="ridge", penalty=1e-4), sample, Randomness(0), unwatched, **options)[0]


def test_units_of_the_table_do_not_matter():
    """Standardised learning is equivariant: x -> A x + b, y -> c y + e changes predictions to c f + e."""
    labels = torch.sin(ROWS[:, :1] / 30)
    plain = fitted(Sample(ROWS, labels), scale_by_default=True)
    scales, shifts = torch.tensor([1e-3, 40.0, 7.0]).double(), torch.tensor([5.0, -2.0, 0.0]).double()
    moved = fitted(Sample(ROWS * scales + shifts, labels * 1e4 - 3), scale_by_default=True)
    torch.testing.assert_close(moved(ROWS * scales + shifts), plain(ROWS) * 1e4 - 3, rtol=1e-6, atol=1e-2)


def test_learner_without_a_wish_follows_the_default():
    labels = ROWS[:, :1]
    scaled = fitted(Sample(ROWS, labels), scale_by_default=True)
    raw = fitted(Sample(ROWS, labels), scale_by_default=False)
    assert not torch.equal(scaled.input_scaling.shift, torch.zeros(3).double())
    assert torch.equal(raw.input_scaling.shift, torch.zeros(3).double())


def test_predictions_are_clipped_to_the_range_of_the_training_labels():
    sample = Sample(ROWS, torch.sin(ROWS[:, :1] / 30))
    model = fitted(sample, scale_by_default=True, output_range=label_range(sample))
    far = model(ROWS * 100)
    assert bool((far >= sample.labels.min()).all() and (far <= sample.labels.max()).all())
