"""The learners against one another, their closed forms and their limits."""

import itertools
import math

import pytest
import torch

from models.errors import NumericalFailure, TrainingDiverged
from models.gradient_flow import largest_eigenvalue
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.adam import Adam
from models.learners.gradient_descent import GradientDescent
from models.learners.lbfgs import Lbfgs
from models.learners.least_squares import LeastSquares
from models.learners.path_norm import PathNorm
from models.learners.stochastic_gradient_descent import StochasticGradientDescent
from models.least_squares import minimum_norm_solution, ridge_solution
from models.minibatch_descent import Minibatches, clip_together, scheduled
from models.optimisation import unwatched
from models.randomness import Randomness, normal_rows, uniform_rows
from models.samples import Sample


def a_sample(n=60, d=3, noise=0.1):
    inputs = uniform_rows(Randomness(0), "x", n, d)
    return Sample(inputs, torch.sin(5 * inputs[:, :1]) + noise * normal_rows(Randomness(0), "noise", n, 1))


def sgd(**options):
    return StochasticGradientDescent(kind="stochastic_gradient_descent", **options)


class TestLeastSquares:
    @pytest.mark.parametrize(("n", "m"), [(80, 20), (20, 80), (40, 40), (1, 5)])
    def test_equals_the_pseudo_inverse(self, n, m):
        features, labels = normal_rows(Randomness(0), "phi", n, m), normal_rows(Randomness(0), "y", n, 2)
        solved = minimum_norm_solution(features, labels)
        torch.testing.assert_close(solved.coefficients, torch.linalg.pinv(features) @ labels)
        assert solved.rank == min(n, m)
        assert solved.condition_number == pytest.approx(float(torch.linalg.cond(features)), rel=1e-9)

    def test_interpolates_with_the_smallest_norm_where_features_outnumber_rows(self):
        space = RandomFeatures(kind="random_features", width=200)
        sample = a_sample(n=40)
        fitted = LeastSquares(kind="least_squares").fit(space, sample, Randomness(1), unwatched)
        assert fitted.curve[-1].empirical_risk < 1e-16
        features = space.features(fitted.parameters, sample.inputs)
        null = torch.eye(200).double() - torch.linalg.pinv(features) @ features
        assert float((null @ fitted.parameters["coefficients"]).norm()) < 1e-6 * float(
            fitted.parameters["coefficients"].norm()
        )
        assert fitted.details["rank"] == 40

    def test_repeated_features_do_not_count_in_the_rank(self):
        features = normal_rows(Randomness(0), "phi", 30, 5)
        solved = minimum_norm_solution(torch.cat([features, features], dim=1), features[:, :1])
        assert solved.rank == 5
        torch.testing.assert_close(solved.coefficients[:5], solved.coefficients[5:])

    def test_zero_features_and_infinite_ones(self):
        zero = minimum_norm_solution(torch.zeros(4, 3).double(), torch.ones(4, 1).double())
        assert torch.equal(zero.coefficients, torch.zeros(3, 1).double())
        assert (zero.rank, zero.condition_number) == (0, 1.0)
        with pytest.raises(NumericalFailure):
            minimum_norm_solution(torch.full((4, 3), math.inf).double(), torch.ones(4, 1).double())


class TestStochasticGradientDescent:
    def test_full_batch_equals_gradient_descent_to_the_bit(self):
        space, sample = TwoLayer(kind="two_layer", width=10), a_sample()
        full = sgd(steps=50, step_size=0.05, batch_size=60, schedule="constant")
        exact = GradientDescent(kind="gradient_descent", steps=50, step_size=0.05)
        first, second = (one.fit(space, sample, Randomness(1), unwatched).parameters for one in (full, exact))
        assert all(torch.equal(first[name], second[name]) for name in first)

    @pytest.mark.parametrize("width", [20, 200])
    def test_full_batch_has_the_stable_step_size_of_gradient_descent(self, width):
        space, sample = RandomFeatures(kind="random_features", width=width), a_sample()
        full = sgd(steps=300, batch_size=60, schedule="constant").fit(space, sample, Randomness(1), unwatched)
        exact = GradientDescent(kind="gradient_descent", steps=300).fit(space, sample, Randomness(1), unwatched)
        assert full.details["stable_step_size"] == pytest.approx(exact.details["stable_step_size"])
        gap = full.parameters["coefficients"] - exact.parameters["coefficients"]
        assert float(gap.abs().max()) < 1e-10

    def test_smaller_batches_need_smaller_steps(self):
        space, sample = RandomFeatures(kind="random_features", width=50), a_sample()
        limits = [
            sgd(steps=1, batch_size=size).fit(space, sample, Randomness(1), unwatched).details["stable_step_size"]
            for size in (1, 4, 16, 60)
        ]
        assert limits == sorted(limits)

    @pytest.mark.parametrize("size", [1, 4, 16])
    def test_just_below_the_stable_step_size_noiseless_interpolation_converges(self, size):
        space = RandomFeatures(kind="random_features", width=100)
        sample = a_sample(n=20)
        limit = sgd(steps=1, batch_size=size).fit(space, sample, Randomness(1), unwatched).details["stable_step_size"]
        learner = sgd(steps=3000, batch_size=size, step_size=0.95 * limit, schedule="constant")
        curve = learner.fit(space, sample, Randomness(1), unwatched).curve
        assert curve[-1].empirical_risk < 0.1 * curve[0].empirical_risk

    def test_divergence_is_seen_at_once_with_the_step_and_the_stable_step_size(self):
        space, sample = RandomFeatures(kind="random_features", width=50), a_sample()
        top = largest_eigenvalue(space.features(space.draw(3, 1, Randomness(1), torch.float64), sample.inputs))
        learner = sgd(steps=100_000, batch_size=8, step_size=20 / top, schedule="constant")
        seen = []
        with pytest.raises(TrainingDiverged, match=r"at step \d+\. The step size is .* stable below"):
            learner.fit(space, sample, Randomness(1), lambda step, total, risk=None: seen.append(step))
        assert seen[-1] < 100

    def test_bounded_gradients_bound_the_way(self):
        space, sample = TwoLayer(kind="two_layer", width=10), a_sample()
        learner = sgd(steps=10, step_size=0.1, gradient_clip=0.01, schedule="constant")
        moved = learner.fit(space, sample, Randomness(1), unwatched).parameters
        start = space.draw(3, 1, Randomness(1), torch.float64)
        way = math.sqrt(sum(float((moved[name] - start[name]).square().sum()) for name in start))
        assert 0 < way <= 10 * 0.1 * 0.01 * (1 + 1e-9)


class TestMinibatches:
    def test_a_pass_sees_every_row_once(self):
        rows = torch.arange(12.0)[:, None]
        batches = Minibatches(Sample(rows, rows), 4, Randomness(0).generator("batches"))
        seen = torch.cat([next(batches).inputs for _ in range(3)])[:, 0]
        assert torch.equal(seen.sort().values, rows[:, 0])

    def test_schedules_begin_at_one(self):
        assert [scheduled(kind, 0, 10) for kind in ("cosine", "constant", "inverse_sqrt")] == [1.0, 1.0, 1.0]
        assert scheduled("cosine", 10, 10) == 0.0
        assert scheduled("inverse_sqrt", 3, 10) == 0.5

    def test_clipping_keeps_the_direction(self):
        gradients = [torch.tensor([3.0]), torch.tensor([0.0, 4.0])]
        clip_together(gradients, 1.0)
        torch.testing.assert_close(torch.cat(gradients), torch.tensor([0.6, 0.0, 0.8]))


class TestLbfgs:
    def test_reaches_a_lower_risk_than_adam_on_a_smooth_problem(self):
        """Cosine features make a quadratic of large condition number."""
        space = RandomFeatures(kind="random_features", width=30, feature="cosine", bandwidth=0.3)
        sample = a_sample(n=100)
        quasi = Lbfgs(kind="lbfgs", steps=200, validation_fraction=0.0).fit(space, sample, Randomness(1), unwatched)
        adam = Adam(kind="adam", steps=2000, validation_fraction=0.0).fit(space, sample, Randomness(1), unwatched)
        least = LeastSquares(kind="least_squares").fit(space, sample, Randomness(1), unwatched)
        best = least.curve[-1].empirical_risk
        assert best <= quasi.curve[-1].empirical_risk < adam.curve[-1].empirical_risk
        assert quasi.curve[-1].empirical_risk < 1.05 * best

    def test_penalised_minimiser_is_that_of_ridge(self):
        space, sample = RandomFeatures(kind="random_features", width=20), a_sample()
        learner = Lbfgs(kind="lbfgs", steps=300, weight_decay=0.02, validation_fraction=0.0)
        learnt = learner.fit(space, sample, Randomness(1), unwatched).parameters
        exact, _ = ridge_solution(space.features(learnt, sample.inputs), sample.labels, 0.01)
        torch.testing.assert_close(learnt["coefficients"], exact, rtol=1e-5, atol=1e-6)

    def test_never_raises_the_risk(self):
        learner = Lbfgs(kind="lbfgs", steps=80, validation_fraction=0.0)
        curve = learner.fit(TwoLayer(kind="two_layer", width=20), a_sample(), Randomness(1), unwatched).curve
        risks = [point.empirical_risk for point in curve]
        assert all(later <= earlier for earlier, later in itertools.pairwise(risks))

    def test_stops_early_on_noise(self):
        learner = Lbfgs(kind="lbfgs", steps=100)
        fitted = learner.fit(TwoLayer(kind="two_layer", width=50), a_sample(n=150, noise=2.0), Randomness(1), unwatched)
        assert fitted.details["steps"] < 50


class TestPathNorm:
    space = TwoLayer(kind="two_layer", width=40)

    def fitted(self, penalty, **options):
        learner = PathNorm(kind="path_norm", penalty=penalty, **{"steps": 1500, **options})
        return learner.fit(self.space, a_sample(), Randomness(1), unwatched)

    def test_penalty_zero_is_plain_adam(self):
        plain = Adam(
            kind="adam", steps=100, learning_rate=3e-3, validation_fraction=0.0, averaging=0.0, batch_size=16,
            precision="float64",
        ).fit(self.space, a_sample(), Randomness(1), unwatched)  # fmt: skip
        penalised = self.fitted(0.0, steps=100, batch_size=16)
        for name, value in plain.parameters.items():
            torch.testing.assert_close(penalised.parameters[name], value, rtol=0, atol=1e-10)

    def test_path_norm_falls_and_risk_grows_with_the_penalty(self):
        fits = [self.fitted(penalty) for penalty in (0.0, 0.01, 0.1, 1.0)]
        norms = [fit.details["path_norm"] for fit in fits]
        risks = [fit.curve[-1].empirical_risk for fit in fits]
        assert norms == sorted(norms, reverse=True)
        assert risks == sorted(risks)

    def test_objective_is_risk_plus_factor_times_norm(self):
        details = self.fitted(0.1).details
        factor = 0.1 * math.sqrt(math.log(8) / 60)
        assert details["penalty_factor"] == pytest.approx(factor)
        weights = self.space.path_norm_weights(self.fitted(0.1).parameters)
        lengths = weights.inner.abs().sum(dim=1) + weights.biases.abs()
        norm = float(weights.outer.abs()[:, 0] @ lengths)
        risk = self.fitted(0.1).curve[-1].empirical_risk
        assert details["objective"] == pytest.approx(risk + factor * norm)

    def test_huge_penalty_gives_nearly_nothing(self):
        assert self.fitted(1e3).details["path_norm"] < 0.05

    def test_spaces_without_a_path_norm_are_refused(self):
        learner = PathNorm(kind="path_norm")
        assert learner.refuses(self.space) is None
        assert learner.refuses(RandomFeatures(kind="random_features")) is None
        assert "no path norm" in learner.refuses(RandomFeatures(kind="random_features", feature="cosine"))
        assert "no path norm" in learner.refuses(TwoLayer(kind="two_layer", activation="tanh"))


def test_adam_chooses_weight_decay_on_validation_rows():
    space = TwoLayer(kind="two_layer", width=50)
    inputs = normal_rows(Randomness(0), "x", 200, 10)
    noisy = Sample(inputs, inputs[:, :1] + normal_rows(Randomness(0), "noise", 200, 1))
    chosen = Adam(kind="adam", steps=1000).fit(space, noisy, Randomness(1), unwatched)
    assert chosen.details["weight_decay"] > 0
    assert (
        Adam(kind="adam", steps=5, validation_fraction=0.0)
        .fit(space, noisy, Randomness(1), unwatched)
        .details["weight_decay"]
        == 0.0
    )


def test_averaged_iterates_move_less_than_the_last_ones():
    space, sample = TwoLayer(kind="two_layer", width=20), a_sample(n=200, noise=0.5)
    spread = {}
    for averaging in (0.0, 0.99):
        outputs = []
        for steps in (390, 395, 400):
            learner = Adam(
                kind="adam",
                steps=steps,
                averaging=averaging,
                batch_size=8,
                schedule="constant",
                validation_fraction=0.0,
            )
            outputs.append(
                space.evaluate(learner.fit(space, sample, Randomness(1), unwatched).parameters, sample.inputs)
            )
        spread[averaging] = float(torch.stack(outputs).std(dim=0).mean())
    assert spread[0.99] < 0.5 * spread[0.0]
