"""The decomposition against identities and against problems whose three terms are known exactly."""

import math
from dataclasses import dataclass
from typing import Literal

import pytest
import torch
from coordinate_space import FirstCoordinates
from parts_here import parts_here

from models.decomposition.groups import decompose
from models.decomposition.reference_training import ReferenceBudget
from models.decomposition.setting import DecompositionSetting, Polls
from models.decomposition.terms import CellMoments, cell_estimates, error_products
from models.decomposition.width_group import WidthGroup
from models.errors import NumericalFailure
from models.learners.base import Fitted, Learner
from models.randomness import Randomness, normal_rows
from models.samples import Sample
from models.streamed_least_squares import StreamedLeastSquares

BUDGET = ReferenceBudget(
    restarts=1, steps=1, population_steps=1, batch=1, selection_size=1, projection_rows=100, projection_floor=20_000
)


@dataclass(frozen=True)
class LinearTarget:
    """f*(x) = x . beta."""

    beta: torch.Tensor

    def evaluate(self, inputs):
        return inputs @ self.beta[:, None]


@dataclass(frozen=True)
class GaussianProblem:
    """x ~ N(0, I_D), y = x . beta + sigma e: the setting of Belkin, Hsu and Xu."""

    target: LinearTarget
    sigma: float

    @property
    def noise_variance(self):
        return self.sigma**2

    def inputs(self, size, randomness, stream):
        return normal_rows(randomness, f"{stream}_inputs", size, self.target.beta.shape[0])

    def training_sample(self, sample_size, randomness):
        inputs = self.inputs(sample_size, randomness, "training")
        noise = self.sigma * normal_rows(randomness, "training_noise", sample_size, 1)
        return Sample(inputs, self.target.evaluate(inputs) + noise)


class GradientSteps(Learner):
    """a_{k+1} = a_k - eta grad R_n(a_k) from the start; eta is half of the largest stable step size."""

    kind: Literal["gradient_steps"] = "gradient_steps"
    steps: int

    def fit(self, space, sample, randomness, advance, start=None, checkpoints=None):
        features = space.features(start, sample.inputs)
        gram = features.T @ features / sample.size
        step_size = 0.5 / torch.linalg.eigvalsh(gram)[-1]
        coefficients = start["coefficients"]
        for step in range(self.steps):
            advance(step, self.steps)
            residual = features @ coefficients - sample.labels
            coefficients = coefficients - step_size * 2 * features.T @ residual / sample.size
        return Fitted({**start, "coefficients": coefficients})

    def flops(self, space, sample_size, input_dimension, output_dimension):
        return 0.0


class MinimumNorm(Learner):
    """Least squares of minimum norm."""

    kind: Literal["minimum_norm"] = "minimum_norm"

    def fit(self, space, sample, randomness, advance, start=None, checkpoints=None):
        features = space.features(start, sample.inputs)
        return Fitted({**start, "coefficients": torch.linalg.pinv(features) @ sample.labels})

    def flops(self, space, sample_size, input_dimension, output_dimension):
        return 0.0


def _problem(dimension=30, sigma=0.5):
    beta = torch.linspace(1.0, 0.2, dimension, dtype=torch.float64)
    return GaussianProblem(LinearTarget(beta / beta.norm()), sigma)


def _decompose(problem, width, sizes, seeds, learner, test_size=2_000, first=0):
    setting = DecompositionSetting(
        population=problem,
        dimension=problem.target.beta.shape[0],
        output_dimension=1,
        sample_sizes=tuple(sizes),
        seeds=tuple(Randomness(first + seed) for seed in range(seeds)),
        test_inputs=problem.inputs(test_size, Randomness(first).child("test"), "test"),
        budget=BUDGET,
        shared=Randomness(first),
    )
    ((outcomes,),) = decompose(
        [[WidthGroup(FirstCoordinates(width=width), learner)]], setting, Polls(), parts_here
    ).outcomes
    return outcomes


def _estimates(problem, outcome):
    return cell_estimates(outcome.moments, outcome.trained_empirical, problem.noise_variance, 1.0, True)


def test_terms_and_noise_sum_to_the_trained_risk():
    problem = _problem()
    for outcome in _decompose(problem, 10, (15, 60), 3, GradientSteps(steps=20)).values():
        fields = _estimates(problem, outcome)
        terms = [fields["risks"]["noise"].value, *(term.value for term in fields["risk_terms"].values())]
        assert math.isclose(sum(terms), fields["risks"]["trained"].value, rel_tol=1e-12)


def test_gram_entries_sum_to_the_squared_norm_of_the_whole():
    problem = _problem()
    (outcome,) = _decompose(problem, 10, (60,), 3, GradientSteps(steps=20)).values()
    fields = _estimates(problem, outcome)
    total = sum(sum(row) for row in fields["gram"])
    assert math.isclose(total, fields["squared_norms"]["total"].value, rel_tol=1e-12)


def test_squared_norms_are_the_diagonal_and_not_negative():
    problem = _problem()
    (outcome,) = _decompose(problem, 10, (60,), 2, MinimumNorm()).values()
    fields = _estimates(problem, outcome)
    for index, term in enumerate(("approximation", "estimation", "optimization")):
        assert fields["gram"][index][index] == pytest.approx(fields["squared_norms"][term].value, abs=0, rel=1e-12)
        assert fields["squared_norms"][term].value >= 0


def test_pythagoras_holds_in_a_linear_space():
    # |f* - f^|^2 = |f* - f_m|^2 + |f_m - f^|^2: the cross terms with f* - f_m vanish within their error bars.
    problem = _problem()
    (outcome,) = _decompose(problem, 10, (60,), 40, GradientSteps(steps=5), test_size=5_000).values()
    cross = outcome.moments.estimate({3: 1.0, 4: 1.0}, "monte_carlo")
    assert abs(cross.value) < 4 * cross.standard_error
    assert cross.standard_error < 0.05 * outcome.moments.mean()[0]


BELKIN_HSU_XU = ((40, 5), (40, 20), (40, 30), (40, 60), (40, 90))


@pytest.mark.parametrize(("sample_size", "width"), BELKIN_HSU_XU)
def test_belkin_hsu_xu_terms_are_met(sample_size, width):
    problem = _problem(dimension=100, sigma=0.5)
    (outcome,) = _decompose(problem, width, (sample_size,), 300, MinimumNorm()).values()
    fields = _estimates(problem, outcome)
    inside = float((problem.target.beta[:width] ** 2).sum())
    outside = float((problem.target.beta[width:] ** 2).sum())
    noise = problem.noise_variance
    if width <= sample_size - 2:
        risk = (outside + noise) * (1 + width / (sample_size - width - 1))
    else:
        risk = inside * (1 - sample_size / width)
        risk += (outside + noise) * (1 + sample_size / (width - sample_size - 1))
    # Least squares over N noiseless points inflates the distance to the space by N-dependent p/(N - p - 1).
    approximation = outside * (1 + width / (BUDGET.projection_floor - width - 1))
    expected = {"approximation": approximation, "estimation": risk - noise - approximation}
    for name, value in expected.items():
        term = fields["risk_terms"][name]
        assert abs(term.value - value) < 4 * term.standard_error, (name, term, value)
    assert fields["risk_terms"]["optimization"].value == pytest.approx(0.0, abs=1e-9)


def test_optimization_error_of_gradient_descent_falls_to_zero():
    problem = _problem()
    norms, gaps = [], []
    for steps in (1, 4, 16, 64, 2_000):
        (outcome,) = _decompose(problem, 10, (60,), 4, GradientSteps(steps=steps)).values()
        norms.append(_estimates(problem, outcome)["squared_norms"]["optimization"].value)
        gaps.append(float((outcome.trained_empirical - outcome.best_on_sample_empirical).mean()))
    assert norms == sorted(norms, reverse=True)
    assert gaps == sorted(gaps, reverse=True)
    assert norms[-1] < 1e-20
    assert abs(gaps[-1]) < 1e-14


def test_early_stopping_shows_as_a_negative_optimization_term():
    problem = _problem(sigma=2.0)
    (outcome,) = _decompose(problem, 25, (30,), 4, GradientSteps(steps=3)).values()
    fields = _estimates(problem, outcome)
    assert fields["risk_terms"]["optimization"].value < 0
    assert fields["advice"].buy != "training"


def test_order_of_seeds_changes_rounding_only():
    generator = torch.Generator().manual_seed(0)
    seeds = [torch.randn(50, 4, generator=generator, dtype=torch.float64) for _ in range(5)]
    estimates = []
    for order in (range(5), reversed(range(5))):
        moments = CellMoments(50)
        for index in order:
            moments.add_seed(error_products(*seeds[index].split(1, dim=1)))
        estimates.append(moments.estimate({0: -1.0, 6: 1.0}, "monte_carlo"))
    assert math.isclose(estimates[0].value, estimates[1].value, rel_tol=1e-12)
    assert math.isclose(estimates[0].standard_error, estimates[1].standard_error, rel_tol=1e-12)


def test_one_seed_has_the_error_bar_of_its_test_points():
    values = torch.randn(1_000, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    moments = CellMoments(1_000)
    moments.add_seed(error_products(*values.split(1, dim=1)))
    losses = (values[:, 0] - values[:, 3]) ** 2
    estimate = moments.estimate({7: 1.0}, "monte_carlo")
    assert estimate.standard_error == pytest.approx(float(losses.std()) / math.sqrt(1_000), rel=1e-10)


@pytest.mark.slow
def test_error_bars_cover_the_exact_estimation_error():
    # Nominal 95 %: with eight seeds Student's quantile is 2.36; heavy tails of the seeds' risks cost a little.
    problem = _problem(dimension=20, sigma=0.5)
    width, size, repeats = 8, 40, 150
    outside = float((problem.target.beta[width:] ** 2).sum())
    exact = (outside + problem.noise_variance) * width / (size - width - 1)
    covered = 0
    for repeat in range(repeats):
        (outcome,) = _decompose(problem, width, (size,), 8, MinimumNorm(), 500, first=1_000 * repeat).values()
        term = _estimates(problem, outcome)["risk_terms"]["estimation"]
        covered += abs(term.value - exact) < 2.36 * term.standard_error
    assert covered / repeats > 0.88


def test_non_finite_predictions_are_refused():
    ones = torch.ones(3, 1, dtype=torch.float64)
    with pytest.raises(NumericalFailure):
        error_products(ones, ones, ones, torch.full_like(ones, math.nan))


@pytest.mark.parametrize(("rows", "columns"), [(40, 7), (7, 40), (12, 12)])
def test_streamed_least_squares_equals_the_pseudo_inverse(rows, columns):
    generator = torch.Generator().manual_seed(rows)
    features = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    labels = torch.randn(rows, 2, generator=generator, dtype=torch.float64)
    fit = StreamedLeastSquares(columns)
    for block in range(0, rows, 5):
        fit.add(features[block : block + 5], labels[block : block + 5])
    assert torch.allclose(fit.solution(), torch.linalg.pinv(features) @ labels, rtol=1e-9, atol=1e-9)


def test_streamed_least_squares_survives_dependent_features():
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(50, 4, generator=generator, dtype=torch.float64)
    twice = torch.cat([features, features], dim=1)
    labels = torch.randn(50, 1, generator=generator, dtype=torch.float64)
    fit = StreamedLeastSquares(8)
    fit.add(twice, labels)
    solution = fit.solution()
    residual = twice @ solution - labels
    assert float((twice.T @ residual).abs().max()) < 1e-12
    assert torch.allclose(solution[:4], solution[4:], atol=1e-12)
