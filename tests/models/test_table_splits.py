"""Folds of a table: every row tests once for every seed, and nothing of a test row is learnt before."""

import pytest
import torch

from models.errors import InvalidData
from models.randomness import Randomness
from models.table_columns import ChosenColumns
from models.table_splits import FEW_ROWS, MOST_FOLDS, automatic_folds, largest_fold, table_folds
from models.tables import Table


def numbered_table(rows=23) -> Table:
    """x is the row's number, y its square; one row has no label, one a colour of its own."""
    x = torch.arange(float(rows), dtype=torch.float64)
    y = x**2
    y[4] = torch.nan
    colours = ["blue" if row % 2 else "red" for row in range(rows)]
    colours[7] = "green"
    return Table(("x", "colour", "y"), {"x": x, "y": y}, {"colour": colours}, rows)


def folds_of(count, **parts):
    columns = {"features": ("x",), "categories": (), "targets": ("y",), "classification": False} | parts
    return table_folds(numbered_table(), ChosenColumns(**columns), count)


@pytest.mark.parametrize("count", [2, 5, 11])
def test_every_labelled_row_tests_once_and_never_trains_for_itself(count):
    folds = folds_of(count)
    splits = [folds.split(Randomness(3), fold) for fold in range(count)]
    assert sorted(torch.cat([split.places for split in splits]).tolist()) == list(range(22))
    everything = set(range(23)) - {4}
    for split in splits:
        tested, trained = (set(rows.inputs[:, 0].int().tolist()) for rows in (split.test, split.training))
        assert tested | trained == everything
        assert not tested & trained
        assert split.training.size >= folds.training_rows
        assert torch.equal(split.test.inputs[:, 0], folds.every_row().inputs[split.places, 0])


def test_samples_of_one_seed_share_no_row_while_they_fit_and_use_rows_equally_often():
    folds = folds_of(5)
    samples = [folds.split(Randomness(3), fold).training.inputs[:, 0] for fold in range(5)]
    assert len(set(torch.cat([rows[:4] for rows in samples]).tolist())) == 20
    times = torch.bincount(torch.cat([rows[:11] for rows in samples]).int(), minlength=23)
    assert sorted(set(times.tolist()) - {0}) == [2, 3]


def test_seeds_cut_the_table_differently_and_the_same_seed_alike():
    folds = folds_of(5)
    first, again, other = (folds.split(Randomness(seed), 0).places for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert sorted(first.tolist()) != sorted(other.tolist())


def test_levels_and_means_are_those_of_the_fold_and_classes_those_of_the_table():
    folds = folds_of(11, features=("colour",), categories=("colour",))
    place = [row for row in range(23) if row != 4].index(7)
    for fold in range(11):
        split = folds.split(Randomness(0), fold)
        # The only green row tests in one fold, where green is no level.
        assert split.training.inputs.shape[1] == (2 if place in split.places.tolist() else 3)
    classes = folds_of(11, categories=("colour",), targets=("colour",), classification=True)
    assert all(classes.split(Randomness(0), fold).training.labels.shape[1] == 3 for fold in range(11))


def test_folds_of_one_row_are_refused():
    with pytest.raises(InvalidData, match="22 rows with a label are too few for 12 folds") as caught:
        folds_of(12)
    assert caught.value.param == "/folds"


def test_few_rows_are_cross_validated_in_folds_as_large_as_the_held_out_rows():
    assert automatic_folds(442, 88, 320) == 5
    assert automatic_folds(FEW_ROWS, 200, 320) == 1
    assert automatic_folds(FEW_ROWS - 1, 200, 320) == 5


def test_more_folds_are_taken_where_the_largest_sample_needs_the_rows():
    folds = automatic_folds(442, 88, 354)
    assert folds == 6
    assert 442 - largest_fold(442, folds) >= 354 > 442 - largest_fold(442, folds - 1)
    # Three rows held out of 300 would be 100 folds.
    assert round(300 / 3) > MOST_FOLDS
    assert automatic_folds(300, 3, 297) == 1
