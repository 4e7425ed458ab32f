"""The reference functions: projections are orthogonal, restarts never lose to what they started from."""

from dataclasses import dataclass

import pytest
import torch

from models.decomposition.best_approximation import (
    best_in_space,
    best_on_sample,
    fresh_sample,
    least_squares_on_samples,
    projection_and_probes,
)
from models.decomposition.reference_training import (
    BUDGETS,
    ReferenceBudget,
    descend,
    mean_squared_error,
    row_batches,
    train_runs,
)
from models.hypothesis_spaces.base import HypothesisSpace
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.adam import Adam
from models.problems import SyntheticProblem
from models.randomness import Randomness, uniform_rows
from models.risks import predictions
from models.samples import Sample
from models.streamed_least_squares import StreamedLeastSquares
from models.targets.cosine_ridge import CosineRidge
from models.targets.planted_two_layer import PlantedTwoLayer

SMALL = ReferenceBudget(
    restarts=2,
    steps=100,
    population_steps=200,
    batch=128,
    selection_size=2_000,
    projection_rows=100,
    projection_floor=5_000,
)


@dataclass(frozen=True)
class InSpace:
    """x ~ U[0,1]^3 and f* = f(.; theta) for a theta of the space; no noise."""

    space: HypothesisSpace
    parameters: dict[str, torch.Tensor]
    noise_variance: float = 0.0

    @property
    def target(self):
        return self

    def evaluate(self, inputs):
        return self.space.evaluate(self.parameters, inputs)

    def inputs(self, size, randomness, stream):
        return uniform_rows(randomness, f"{stream}_inputs", size, 3)

    def training_sample(self, sample_size, randomness):
        inputs = self.inputs(sample_size, randomness, "training")
        return Sample(inputs, self.evaluate(inputs))


def _problem(noise=0.1):
    return SyntheticProblem(target=CosineRidge(kind="cosine_ridge"), dimension=3, noise=noise)


def _nothing(*_):
    return None


def _draws(space, count, dtype=torch.float32):
    return [space.draw(3, 1, Randomness(seed), dtype) for seed in range(count)]


def test_projection_residual_is_orthogonal_to_the_space():
    space, problem = RandomFeatures(kind="random_features", width=24), _problem()
    (drawn,) = _draws(space, 1, torch.float64)
    best = projection_and_probes(space, drawn, problem, 20_000, Randomness(1), _nothing)[0]
    points = fresh_sample(problem, 20_000, Randomness(2), "test")
    features = space.features(best, points.inputs)
    products = features * (points.labels - space.evaluate(best, points.inputs))
    # A feature whose half-space misses the cube is zero everywhere.
    products = products[:, features.abs().amax(dim=0) > 0]
    z = products.mean(dim=0) / (products.std(dim=0) / products.shape[0] ** 0.5)
    # The projection's own points add as much variance as the test points: z / sqrt 2 is standard normal.
    assert float(z.abs().max()) / 2**0.5 < 4.5


@pytest.mark.parametrize(
    ("feature", "dimension", "width", "by_triangle"),
    [("cosine", 20, 60, False), ("relu", 20, 60, False), ("cosine", 3, 200, True), ("tanh", 1, 60, True)],
)
def test_projection_is_least_squares_whatever_the_condition(monkeypatch, feature, dimension, width, by_triangle):
    blocks, add = [], StreamedLeastSquares.add
    monkeypatch.setattr(StreamedLeastSquares, "add", lambda fit, *rows: (blocks.append(len(rows[0])), add(fit, *rows)))
    problem = SyntheticProblem(target=CosineRidge(kind="cosine_ridge"), dimension=dimension, noise=0.1)
    space = RandomFeatures(kind="random_features", width=width, feature=feature)
    drawn = space.draw(dimension, 1, Randomness(0), torch.float64)
    best = projection_and_probes(space, drawn, problem, 6_000, Randomness(1), _nothing)[0]
    assert blocks == ([4_096, 1_904] if by_triangle else [])
    samples = [
        fresh_sample(problem, n, Randomness(1).child(str(i)), "projection") for i, n in enumerate((4_096, 1_904))
    ]
    features = torch.cat([space.features(drawn, sample.inputs) for sample in samples])
    labels = torch.cat([sample.labels for sample in samples])
    plain = StreamedLeastSquares(width)
    plain.add(features, labels)
    residual, least = (labels - features @ found for found in (best["coefficients"], plain.solution()))
    assert float(residual.norm()) <= (1 + 1e-6) * float(least.norm())
    if not by_triangle:
        assert float((features.T @ residual).norm() / (features.norm() * residual.norm())) < 1e-8


def test_projection_recovers_a_target_of_the_space():
    space = RandomFeatures(kind="random_features", width=12)
    (drawn,) = _draws(space, 1, torch.float64)
    wanted = {**drawn, "coefficients": torch.linspace(-1, 1, 12, dtype=torch.float64)[:, None]}

    problem = InSpace(space, wanted)
    best = projection_and_probes(space, drawn, problem, 3_000, Randomness(1), _nothing)[0]
    points = problem.inputs(500, Randomness(5), "test")
    assert torch.allclose(space.evaluate(best, points), space.evaluate(wanted, points), atol=1e-9)


def test_projection_of_more_rows_is_no_worse_in_risk():
    space, problem = RandomFeatures(kind="random_features", width=16), _problem()
    (drawn,) = _draws(space, 1, torch.float64)
    points = fresh_sample(problem, 20_000, Randomness(2), "test")
    few, many = (
        mean_squared_error(
            space, projection_and_probes(space, drawn, problem, rows, Randomness(1), _nothing)[0], points
        )
        for rows in (100, 20_000)
    )
    assert many < few


@pytest.mark.parametrize("sizes", [(8, 200), (200, 8), (64,)])
def test_least_squares_on_samples_minimises_over_each_prefix(sizes):
    space, problem = RandomFeatures(kind="random_features", width=16), _problem()
    (drawn,) = _draws(space, 1, torch.float64)
    sample = problem.training_sample(max(sizes), Randomness(0))
    minimisers = least_squares_on_samples(space, drawn, sample, sizes)
    for size in sizes:
        rows = sample.first(size)
        residual = rows.labels - space.evaluate(minimisers[size], rows.inputs)
        assert float((space.features(drawn, rows.inputs).T @ residual).abs().max()) < 1e-8


def test_best_on_sample_never_has_a_larger_empirical_risk_than_the_learned():
    space, problem = TwoLayer(kind="two_layer", width=8), _problem()
    starts = _draws(space, 3)
    sample = problem.training_sample(64, Randomness(0))
    rows = sample.to(torch.float32)
    for steps in (1, 50, 1_000):
        learned = Adam(kind="adam", steps=steps).fit(space, rows, Randomness(0), _nothing, starts[0]).parameters
        learned = {name: value.detach() for name, value in learned.items()}
        best = best_on_sample(space, sample, starts[1:], learned, SMALL, Randomness(0), _nothing)
        assert mean_squared_error(space, best, sample) <= mean_squared_error(space, learned, sample)


def test_best_in_space_is_no_worse_than_anything_found_on_the_selection_sample():
    space, problem = TwoLayer(kind="two_layer", width=8), _problem()
    found = _draws(space, 4)
    best = best_in_space(space, problem, _draws(space, 2), found, SMALL, Randomness(3), _nothing)
    selection = fresh_sample(problem, SMALL.selection_size, Randomness(3), "selection")
    chosen = mean_squared_error(space, best, selection)
    assert all(chosen <= mean_squared_error(space, one, selection) for one in found)


def test_diverged_candidates_are_never_chosen():
    space, problem = TwoLayer(kind="two_layer", width=4), _problem()
    good, bad = _draws(space, 2)
    bad = {name: torch.full_like(value, float("nan")) for name, value in bad.items()}
    best = best_in_space(space, problem, [], [bad, good], SMALL, Randomness(3), _nothing)
    assert all(bool(torch.isfinite(value).all()) for value in best.values())


def test_descend_leaves_its_start_and_frozen_parameters_alone():
    space, problem = RandomFeatures(kind="random_features", width=8), _problem()
    (drawn,) = _draws(space, 1, torch.float64)
    kept = {name: value.clone() for name, value in drawn.items()}
    batches = row_batches(problem.training_sample(32, Randomness(0)), 8, Randomness(0))
    moved = descend(space, drawn, batches, 20, 1e-2, _nothing)
    assert all(torch.equal(drawn[name], kept[name]) for name in drawn)
    assert torch.equal(moved["weights"], drawn["weights"])
    assert not torch.equal(moved["coefficients"], drawn["coefficients"])


def test_same_seed_gives_the_same_reference_bits():
    space, problem = TwoLayer(kind="two_layer", width=4), _problem()
    first, second = (
        best_in_space(space, problem, _draws(space, 2), _draws(space, 1), SMALL, Randomness(3), _nothing)
        for _ in range(2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_planted_network_is_nearly_found_at_its_own_width():
    # inf R = R(f*) at the planted width: the bracket [0, upper end] is narrow, and more effort narrows it.
    target = PlantedTwoLayer(kind="planted_two_layer", neurons=4)
    problem = SyntheticProblem(target=target, dimension=3, noise=0.0)
    space = TwoLayer(kind="two_layer", width=4)
    points = fresh_sample(problem, 10_000, Randomness(9), "test")
    variance = float(points.labels.var())
    distances = {}
    for name, restarts, steps in (("quick", 2, 1_800), ("more", 6, 4_000)):
        budget = ReferenceBudget(restarts, 1, steps, 256, 8_192, 100, 8_192)
        best = best_in_space(space, problem, _draws(space, restarts), _draws(space, 1), budget, Randomness(0), _nothing)
        distances[name] = mean_squared_error(space, best, points) / variance
    assert distances["more"] <= 1.1 * distances["quick"]
    assert distances["more"] < 0.05


def test_budgets_grow_with_effort():
    quick, standard, thorough = (BUDGETS[effort] for effort in ("quick", "standard", "thorough"))
    for field in ReferenceBudget.__dataclass_fields__:
        assert getattr(quick, field) <= getattr(standard, field) <= getattr(thorough, field)
    assert quick.projection_rows >= 100


def test_fresh_labels_carry_no_noise():
    problem = _problem(noise=3.0)
    points = fresh_sample(problem, 100, Randomness(0), "projection")
    assert torch.equal(points.labels, predictions(problem.target.evaluate, points.inputs))


@pytest.mark.parametrize("space", [TwoLayer(kind="two_layer", width=8), Deep(kind="deep", width=6, depth=2)])
def test_runs_that_train_together_end_where_each_ends_alone(space):
    problem = _problem()
    rows = problem.training_sample(64, Randomness(0))
    starts = [{name: value.double() for name, value in start.items()} for start in _draws(space, 3)]
    runs = list(zip(starts, (1e-2, 3e-3, 3e-2), strict=True))
    together = train_runs(space, runs, lambda: row_batches(rows, 8, Randomness(1)), 120, _nothing)
    for (start, step_size), found in zip(runs, together, strict=True):
        alone = descend(space, start, row_batches(rows, 8, Randomness(1)), 120, step_size, _nothing)
        for name, value in alone.items():
            torch.testing.assert_close(found[name], value, rtol=1e-8, atol=1e-9)


def test_other_spaces_see_the_same_rows_one_after_another():
    space, problem = RandomFeatures(kind="random_features", width=4), _problem()
    rows = problem.training_sample(64, Randomness(0)).to(torch.float32)
    runs = [(start, 1e-2) for start in _draws(space, 2)]
    trained = train_runs(space, runs, lambda: row_batches(rows, 8, Randomness(1)), 20, _nothing)
    for (start, _), found in zip(runs, trained, strict=True):
        alone = descend(space, start, row_batches(rows, 8, Randomness(1)), 20, 1e-2, _nothing)
        assert all(torch.equal(found[name], alone[name]) for name in alone)
