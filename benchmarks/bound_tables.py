"""Every bound beside the measured quantity, for four learned models of one target.

    python benchmarks/bound_tables.py            # prints the tables of docs/bounds.md; under a minute

Labels of a planted network of path norm 2, x ~ U[0,1]^4, as many held-out rows as training rows, delta = 0.05.
"""

import argparse
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

import torch
from in_memory import InMemory

from models.bound_evaluation import bound_subject, chosen_bounds, evaluate_all, joint_confidence
from models.bounds import BOUNDS, BoundReport, BoundSubject
from models.bounds.base import Quantity
from models.estimates import Estimate
from models.hypothesis_spaces import HypothesisSpace
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners import Learner
from models.learners.adam import Adam
from models.learners.path_norm import PathNorm
from models.learners.ridge import Ridge
from models.learning import label_range, learn
from models.optimisation import unwatched
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.targets.planted_two_layer import PlantedTwoLayer

DIMENSION, DELTA = 4, 0.05
SETTINGS = ((10_000, 0.0), (1_000, 0.05))
"""Rows and the deviation of the noise."""
QUANTITIES = get_args(Quantity)
TARGET = PlantedTwoLayer(kind="planted_two_layer", neurons=6, path_norm=2.0)
NETWORK = TwoLayer(kind="two_layer", width=64)
MODELS: tuple[tuple[str, HypothesisSpace, Learner], ...] = (
    (
        "random features, m = 100, ridge",
        RandomFeatures(kind="random_features", width=100),
        Ridge(kind="ridge", penalty=1e-5),
    ),
    ("two-layer, m = 64, Adam", NETWORK, Adam(kind="adam")),
    ("two-layer, m = 64, path-norm penalty", NETWORK, PathNorm(kind="path_norm", penalty=0.1)),
    ("deep, 3 x 32, Adam", Deep(kind="deep", width=32, depth=3), Adam(kind="adam")),
)


def number(value: float | None) -> str:
    """Three digits."""
    return "" if value is None else "inf" if math.isinf(value) else f"{float(f'{value:.3g}'):g}"


def cell(report: BoundReport) -> str:
    """The value; by what factor it is vacuous; a dash where it is refused."""
    if report.value is None:
        return "–"
    if not report.vacuous:
        return number(report.value)
    factor = f" {number(report.value / report.trivial_value)}x" if report.trivial_value else ""
    return f"{number(report.value)} (vacuous{factor})"


def measured(estimate: Estimate | None) -> str:
    """With its error bar."""
    return "" if estimate is None else f"{number(estimate.value)} ± {number(estimate.standard_error)}"


@dataclass(frozen=True)
class Evaluated:
    """The bounds of one model, and what was measured."""

    subject: BoundSubject
    reports: dict[str, BoundReport]
    joint: dict[str, Any]
    seconds: float


def evaluated(space: HypothesisSpace, learner: Learner, size: int, noise: float) -> Evaluated:
    """Train and evaluate, every bound twice: at delta and at its share."""
    problem = SyntheticProblem(TARGET, DIMENSION, noise)
    randomness = Randomness(0)
    training = problem.training_sample(size, randomness.child("data"))
    held_out = problem.test_sample(size, randomness.child("data"))
    model, _ = learn(
        space,
        learner,
        training,
        randomness.child("learning"),
        unwatched,
        scale_by_default=False,
        output_range=label_range(training),
    )
    subject = bound_subject(model, problem, training, held_out, False, randomness)
    started = time.perf_counter()
    reports = evaluate_all(chosen_bounds("all"), subject, DELTA, InMemory())
    seconds = time.perf_counter() - started
    return Evaluated(subject, {r.kind: r for r in reports}, joint_confidence(reports, DELTA), seconds)


def print_table(size: int, noise: float) -> None:
    """One row a bound, one column a model, the measured quantities above."""
    found = [evaluated(space, learner, size, noise) for _, space, learner in MODELS]

    def line(name: str, cells: Iterable[str]) -> None:
        print(f"| {name} | {' | '.join(cells)} |", flush=True)

    print(f"\n## n = {size:,}, noise {noise:g}\n")
    line("", (name for name, _, _ in MODELS))
    print("|---" * (len(MODELS) + 1) + "|")
    line("loss cap M", (number(one.subject.loss_cap) for one in found))
    line("empirical risk", (number(float(one.subject.training_losses.mean())) for one in found))
    line("measured risk", (measured(one.reports["held_out_betting"].measured) for one in found))
    line("measured gap", (measured(one.reports["sup_norm_ball"].measured) for one in found))
    line("measured randomized risk", (measured(one.reports["pac_bayes"].measured) for one in found))
    for kind in sorted(BOUNDS, key=lambda kind: QUANTITIES.index(found[0].reports[kind].quantity)):
        report = found[0].reports[kind]
        sign = "≥" if report.side == "lower" else "≤"
        line(f"`{kind}`: {report.quantity.replace('_', ' ')} {sign}", (cell(one.reports[kind]) for one in found))
    line("best, valid after the choice", (f"{number(one.joint['best']['risk_upper_bound'])}" for one in found))
    line("its delta", (f"{DELTA:g}/{one.joint['bounds']}" for one in found))
    line("epsilon of `a_priori_estimate`", (_epsilon(one.reports["a_priori_estimate"]) for one in found))
    line("seconds for all bounds, twice each", (f"{one.seconds:.1f}" for one in found))


def _epsilon(report: BoundReport) -> str:
    terms = {term.name: term.value for term in report.terms}
    return number(terms["optimization_epsilon"]) if terms else "–"


def main() -> None:
    """Print one table a sample size and noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    torch.set_num_threads(1)
    for size, noise in SETTINGS:
        print_table(size, noise)


if __name__ == "__main__":
    main()
