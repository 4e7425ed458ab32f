"""The learner `adam` in two-layer spaces: its runs in one batch, against one after another by autograd.

    OMP_NUM_THREADS=1 python benchmarks/adam_learner.py                 # about ten minutes; prints Markdown tables
    OMP_NUM_THREADS=1 python benchmarks/adam_learner.py --rounds 7
    OMP_NUM_THREADS=1 python benchmarks/adam_learner.py --decomposition # the networks of the worked example `wave`

Whole fits with the learner's defaults but for `--steps`, one thread. The three sides take turns in one process on the
same samples; a ratio is that of the medians over the rounds. "portable" is torch alone, "compiled" has the kernel that
the installation builds where there is a GCC. Risks are on 10,000 fresh rows, the mean over the rounds, each of which
has a sample and a start of its own.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch
from in_memory import InMemory

from models.batched_training.compiled import relu_kernel
from models.catalogue import parse_experiment
from models.early_stopping import Trained
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.adam import Adam
from models.optimisation import Opening, opened, unwatched
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.risks import risk
from models.samples import Sample
from models.targets.cosine_ridge import CosineRidge

CASES = ((500, 10, 64), (2048, 10, 256), (1000, 100, 128))
"""n, d, m."""
SIDES = ("one after another", "portable", "compiled")
Fit = Callable[[Opening, Randomness], Trained[float]]


def sides(learner: Adam, space: TwoLayer) -> dict[str, Fit]:
    """By name."""
    return dict(
        zip(
            SIDES,
            (
                lambda opening, randomness: learner.train_one_after_another(opening, randomness, unwatched),
                lambda opening, randomness: learner.train_together(
                    space, opening, randomness, unwatched, compiled=False
                ),
                lambda opening, randomness: learner.train_together(space, opening, randomness, unwatched),
            ),
            strict=True,
        )
    )


def measured(fit: Fit, space: TwoLayer, opening: Opening, seed: int, test: Sample) -> tuple[float, float, int]:
    """Seconds, the risk on fresh rows, and the last run's steps."""
    begin = time.perf_counter()
    trained = fit(opening, Randomness(seed))
    seconds = time.perf_counter() - begin
    parameters = opening.closed(trained.parameters)
    return seconds, risk(lambda rows: space.evaluate(parameters, rows), test).value, trained.last_step


def decomposition(rounds: int) -> None:
    """Seconds of a whole decomposition, references and test points included, with either way of training."""
    experiment = parse_experiment(
        {
            "kind": "decompose_error",
            "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 10, "noise": 0.1},
            "hypothesis_space": {"kind": "two_layer"},
            "learner": {"kind": "adam", "steps": 2000},
            "widths": [16, 64, 256],
            "sample_sizes": [128, 512, 2048],
            "seeds": 2,
            "reference": {"effort": "quick"},
        }
    )

    def alone(self: Adam, space: TwoLayer, *given: Any) -> Trained[float]:
        return self.train_one_after_another(*given)

    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for side, train in zip(times, (alone, Adam.train_together), strict=True):
            with patch.object(Adam, "train_together", train):
                begin = time.perf_counter()
                experiment.run(InMemory())
                side.append(time.perf_counter() - begin)
    before, after = (statistics.median(side) for side in times)
    print(f"one after another {before:.1f} s, in one batch {after:.1f} s, ratio {before / after:.1f}; {rounds} rounds")


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--decomposition", action="store_true", help="a whole decomposition instead of fits")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.decomposition:
        decomposition(options.rounds)
        return
    learner = Adam(kind="adam", steps=options.steps)
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"torch {torch.__version__}, {capability}, kernel built: {relu_kernel() is not None}\n")
    print("| n | d | m | one after another, s | portable, s | compiled, s | ratios | risks | steps of the last run |")
    print("|---" * 9 + "|")
    for size, dimension, width in CASES:
        space = TwoLayer(kind="two_layer", width=width)
        problem = SyntheticProblem(CosineRidge(kind="cosine_ridge"), dimension, noise=0.1)
        test = problem.training_sample(10_000, Randomness(10**6))
        rounds = []
        for seed in range(options.rounds + 1):
            opening = opened(
                space, problem.training_sample(size, Randomness(seed)), Randomness(seed), None, learner.precision
            )
            found = [measured(fit, space, opening, seed, test) for fit in sides(learner, space).values()]
            if seed:  # the first round warms up
                rounds.append(found)
        seconds, risks, steps = zip(*(zip(*found, strict=True) for found in rounds), strict=True)
        medians = [statistics.median(times) for times in zip(*seconds, strict=True)]
        means = [statistics.mean(values) for values in zip(*risks, strict=True)]
        lasts = [statistics.mean(values) for values in zip(*steps, strict=True)]
        cells = [f"{size:,}", f"{dimension}", f"{width}", *(f"{value:.2f}" for value in medians)]
        cells.append(", ".join(f"{medians[0] / value:.1f}" for value in medians[1:]))
        cells.append(", ".join(f"{value:.4f}" for value in means))
        cells.append(", ".join(f"{value:.0f}" for value in lasts))
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
