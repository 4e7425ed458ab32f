"""The options that iterative learners share: decay, clipping, momentum, early stopping, precision, divergence."""

import math

import pytest
import torch

from models.early_stopping import Watch, held_for_validation, likely_runs, train
from models.errors import TrainingDiverged
from models.fit_cost import SECONDS_PER_UPDATE, fit_plan
from models.gradient_flow import largest_eigenvalue
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.adam import Adam
from models.learners.gradient_descent import GradientDescent
from models.learners.lbfgs import Lbfgs
from models.learners.least_squares import LeastSquares
from models.learners.path_norm import PathNorm
from models.learners.stochastic_gradient_descent import StochasticGradientDescent
from models.least_squares import ridge_solution
from models.optimisation import opened, unwatched
from models.randomness import Randomness, normal_rows, uniform_rows
from models.samples import Sample

LINEAR = RandomFeatures(kind="random_features", width=20)
NETWORK = TwoLayer(kind="two_layer", width=20)
KINDS = {
    "adam": Adam,
    "gradient_descent": GradientDescent,
    "lbfgs": Lbfgs,
    "path_norm": PathNorm,
    "stochastic_gradient_descent": StochasticGradientDescent,
}


def learner(kind, **options):
    return KINDS[kind](kind=kind, **options)


def a_sample(n=60, noise=0.1):
    inputs = uniform_rows(Randomness(0), "x", n, 3)
    return Sample(inputs, torch.sin(5 * inputs[:, :1]) + noise * normal_rows(Randomness(0), "noise", n, 1))


def fit(chosen, space=NETWORK, sample=None, advance=unwatched):
    return chosen.fit(space, sample or a_sample(), Randomness(1), advance)


def moved(fitted, space):
    start = space.draw(3, 1, Randomness(1), torch.float64)
    return math.sqrt(sum(float((fitted.parameters[name] - start[name]).square().sum()) for name in space.trainable))


@pytest.mark.parametrize("kind", KINDS)
def test_options_have_the_same_names_everywhere(kind):
    fields = KINDS[kind].model_fields
    assert {"steps", "weight_decay", "validation_fraction", "precision"} <= set(fields)
    # L-BFGS takes its step from a line search on one objective.
    assert (kind == "lbfgs") != ({"schedule", "gradient_clip"} <= set(fields))
    assert ("batch_size" in fields) == (kind in ("adam", "path_norm", "stochastic_gradient_descent"))


@pytest.mark.parametrize("kind", ["gradient_descent", "stochastic_gradient_descent", "lbfgs"])
def test_weight_decay_ends_at_ridge_with_half_of_it(kind):
    sample = a_sample()
    # A large decay, so that the slowest direction converges within the steps.
    options = {"weight_decay": 0.5, "validation_fraction": 0.0, "steps": 400 if kind == "lbfgs" else 8000}
    if kind == "stochastic_gradient_descent":
        options |= {"batch_size": 60, "schedule": "constant", "momentum": 0.5}
    learnt = fit(learner(kind, **options), LINEAR, sample).parameters
    exact, _ = ridge_solution(LINEAR.features(learnt, sample.inputs), sample.labels, 0.25)
    torch.testing.assert_close(learnt["coefficients"], exact, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("space", [LINEAR, NETWORK], ids=["linear", "network"])
def test_more_decay_leaves_smaller_parameters(kind, space):
    options = {"steps": 300, "validation_fraction": 0.0}
    if kind == "path_norm":
        options["penalty"] = 0.0
    sizes = []
    for decay in (0.0, 0.1, 2.0):
        learnt = fit(learner(kind, weight_decay=decay, **options), space).parameters
        sizes.append(sum(float(learnt[name].square().sum()) for name in space.trainable))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < sizes[0]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_stochastic_gradient_descent_is_that_of_torch(momentum, decay):
    sample, rate = a_sample(), 0.02
    ours = fit(
        learner(
            "stochastic_gradient_descent", steps=40, step_size=rate, batch_size=60, schedule="constant",
            momentum=momentum, weight_decay=decay,
        )
    ).parameters  # fmt: skip
    theta = {name: value.requires_grad_() for name, value in NETWORK.draw(3, 1, Randomness(1), torch.float64).items()}
    oracle = torch.optim.SGD(theta.values(), lr=rate, momentum=momentum, weight_decay=decay)
    for _ in range(40):
        oracle.zero_grad()
        (NETWORK.evaluate(theta, sample.inputs) - sample.labels).square().mean().backward()
        oracle.step()
    for name, value in theta.items():
        torch.testing.assert_close(ours[name], value.detach(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
def test_momentum_lowers_the_stable_step_size_to_one_that_converges(momentum):
    sample = a_sample(n=20)
    space = RandomFeatures(kind="random_features", width=100)
    options = {"steps": 4000, "batch_size": 4, "momentum": momentum, "schedule": "constant"}
    limit = fit(learner("stochastic_gradient_descent", **options), space, sample).details["stable_step_size"]
    plain = learner("stochastic_gradient_descent", steps=1, batch_size=4)
    assert limit == pytest.approx((1 - momentum) * fit(plain, space, sample).details["stable_step_size"])
    curve = fit(learner("stochastic_gradient_descent", step_size=0.95 * limit, **options), space, sample).curve
    assert curve[-1].empirical_risk < 0.1 * curve[0].empirical_risk


@pytest.mark.parametrize("space", [LINEAR, NETWORK], ids=["linear", "network"])
def test_clipped_gradients_bound_the_way_of_gradient_descent(space):
    chosen = learner("gradient_descent", steps=10, step_size=0.1, gradient_clip=0.01)
    assert 0 < moved(fit(chosen, space), space) <= 10 * 0.1 * 0.01 * (1 + 1e-9)
    never_met = learner("gradient_descent", steps=10, step_size=0.1, gradient_clip=1e9)
    plain = learner("gradient_descent", steps=10, step_size=0.1)
    first, second = (fit(one, space).parameters for one in (never_met, plain))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("schedule", ["cosine", "inverse_sqrt"])
def test_falling_steps_go_less_far_at_first_order(schedule):
    """From far away every step is about eta_k times one gradient, so that the way is the sum of the factors."""
    short = {"steps": 50, "step_size": 1e-6}
    ways = {
        kind: moved(fit(learner("gradient_descent", schedule=kind, **short)), NETWORK)
        for kind in (schedule, "constant")
    }
    total = {
        "cosine": sum(0.5 * (1 + math.cos(math.pi * step / 50)) for step in range(50)),
        "inverse_sqrt": sum(1 / math.sqrt(1 + step) for step in range(50)),
    }[schedule]
    assert ways[schedule] / ways["constant"] == pytest.approx(total / 50, rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping_ends_before_noise_is_learnt_and_late_without_noise(kind):
    space, inputs = TwoLayer(kind="two_layer", width=60), normal_rows(Randomness(0), "x", 150, 3)
    options = {"steps": 60 if kind == "lbfgs" else 1500, "validation_fraction": 0.2, "standardise": False}
    if kind == "path_norm":
        options["penalty"] = 0.0
    if kind in ("gradient_descent", "stochastic_gradient_descent"):
        options["step_size"] = 0.02
    noisy, clean = (
        Sample(inputs, inputs[:, :1] + noise * normal_rows(Randomness(0), "noise", 150, 1)) for noise in (3.0, 0.0)
    )
    seen = []
    stopped = fit(learner(kind, **options), space, noisy, lambda step, total, risk=None: seen.append((step, total)))
    late = fit(learner(kind, **options), space, clean)
    assert stopped.details["steps"] < 0.5 * options["steps"]
    assert stopped.details["steps"] < late.details["steps"]
    assert seen[-1][0] == seen[-1][1]
    assert stopped.curve[-1].step == stopped.details["steps"]


@pytest.mark.parametrize("kind", KINDS)
def test_too_few_rows_to_validate_on_are_all_learnt_from(kind):
    assert held_for_validation(0.2, 90) == 0
    options = {"steps": 30, "weight_decay": 0.0}
    with_fraction, without = (
        fit(learner(kind, validation_fraction=fraction, **options)).parameters for fraction in (0.2, 0.0)
    )
    assert all(torch.equal(with_fraction[name], without[name]) for name in without)


@pytest.mark.parametrize("kind", KINDS)
def test_one_precision_follows_the_other(kind):
    sample = a_sample()
    outputs = []
    for precision in ("float32", "float64"):
        # A quasi-Newton step in a ReLU network carries round-off far within few steps.
        steps = 3 if kind == "lbfgs" else 20
        learnt = fit(learner(kind, steps=steps, precision=precision), sample=sample).parameters
        assert {value.dtype for value in learnt.values()} == {torch.float64}
        outputs.append(NETWORK.evaluate(learnt, sample.inputs))
    assert not torch.equal(*outputs)
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-2, atol=1e-3)


def test_least_squares_in_float32_is_near():
    sample = a_sample()
    space = RandomFeatures(kind="random_features", width=10)
    outputs = [
        space.evaluate(fit(LeastSquares(kind="least_squares", precision=one), space).parameters, sample.inputs)
        for one in ("float32", "float64")
    ]
    assert 0 < float((outputs[0] - outputs[1]).abs().max()) < 1e-3


@pytest.mark.parametrize("space", [LINEAR, NETWORK], ids=["linear", "network"])
@pytest.mark.parametrize("kind", ["gradient_descent", "stochastic_gradient_descent", "path_norm", "adam"])
def test_divergence_is_seen_within_few_steps_of_a_long_run(kind, space):
    """The curve has a point every thousand steps; the check does not wait for one."""
    name, rate = ("learning_rate", 10.0) if kind in ("adam", "path_norm") else ("step_size", 1e3)
    fields = {name: rate, "steps": 100_000, "schedule": "constant", "validation_fraction": 0.0}
    steps = []
    huge = Sample(a_sample().inputs, 1e-3 * a_sample().labels)
    with pytest.raises(TrainingDiverged, match=r"at step \d+\."):
        fit(learner(kind, **fields), space, huge, lambda step, total, risk=None: steps.append(step))
    assert steps[-1] < 1000


def test_decay_lowers_the_stable_step_size():
    sample = a_sample()
    top = largest_eigenvalue(LINEAR.features(LINEAR.draw(3, 1, Randomness(1), torch.float64), sample.inputs))
    for kind in ("gradient_descent", "stochastic_gradient_descent"):
        options = {"batch_size": 60} if kind == "stochastic_gradient_descent" else {}
        details = fit(learner(kind, steps=1, weight_decay=0.4, **options), LINEAR, sample).details
        assert details["stable_step_size"] == pytest.approx(1 / (top + 0.2))
    unstable = learner("gradient_descent", steps=100_000, step_size=1.1 / (top + 200), weight_decay=400.0)
    with pytest.raises(TrainingDiverged, match="stable below"):
        fit(unstable, LINEAR, sample)


@pytest.mark.parametrize(
    ("risks", "tried", "best"),
    [((4.0, 2.0, 3.0, 1.0), 3, 1), ((4.0, 2.0, 2.1, 1.0), 4, 3), ((1.0, 1.2, 0.5), 2, 0), ((1.0, 1.0, 1.0), 3, 0)],
)
def test_candidates_are_tried_in_order_until_one_is_a_tenth_worse_than_the_best(risks, tried, best):
    """Zero coefficients but for an offset whose square is the validation risk of labels 0."""
    sample = Sample(uniform_rows(Randomness(0), "x", 200, 3), torch.zeros(200, 1).double())
    opening = opened(LINEAR, sample, Randomness(1), None, "float64")
    ones = torch.linalg.lstsq(opening.data.inputs, torch.ones(200, 1).double(), driver="gelsd").solution
    runs = []

    def run(candidate: int, watch: Watch):
        theta, step = {**opening.start, "coefficients": math.sqrt(risks[candidate]) * ones}, 0
        runs.append((candidate, watch.data.size))
        while not watch.ends(step, theta):
            step += 1
        return theta

    trained = train(
        run, opening, range(len(risks)), steps=40, validation_fraction=0.2, randomness=Randomness(1), advance=unwatched,
        advice="",
    )  # fmt: skip
    assert runs == [*((candidate, 160) for candidate in range(tried)), (best, 200)]
    assert trained.candidate == best


def test_runs_are_planned_between_one_and_all():
    assert likely_runs(0.0, 1_000, 4) == likely_runs(0.2, 90, 4) == 1.0
    planned = [likely_runs(0.2, size, 4) for size in (100, 1_000, 10_000, 10**6)]
    assert planned == sorted(planned)
    assert planned[0] > 1.0
    assert planned[-1] == 5.0


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_costs_planned_time_however_small_the_network(kind):
    tiny, times = TwoLayer(kind="two_layer", width=1), []
    for steps in (1_000, 2_000):
        chosen = learner(kind, steps=steps, validation_fraction=0.0)
        times.append(fit_plan(tiny, chosen, 1, 1, 30, 30).estimated_seconds)
    # A batch of networks takes many steps in one call of the compiled kernel.
    assert times[1] - times[0] >= (0.1 if kind == "adam" else 1) * 1_000 * SECONDS_PER_UPDATE
