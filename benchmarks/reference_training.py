"""Restarts of a two-layer network for f~ and f_m: together, beside one after another.

    OMP_NUM_THREADS=1 python benchmarks/reference_training.py

Both ways alternate in one process; medians of seven rounds. Steps are cut to 300: the cost of a step does not change.
"""

import statistics
import time
from collections.abc import Callable

import torch

from models.decomposition.reference_training import (
    BUDGETS,
    Batches,
    descend,
    restart_step_size,
    row_batches,
    train_runs,
)
from models.hypothesis_spaces.two_layer import TwoLayer
from models.optimisation import unwatched
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.targets.cosine_ridge import CosineRidge

DIMENSION, STEPS, ROUNDS = 10, 300, 7


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    problem = SyntheticProblem(CosineRidge(kind="cosine_ridge"), DIMENSION, 0.05)
    print("| effort | width | n | runs | one after another, s | together, s | ratio |")
    print("|---|---|---|---|---|---|---|")
    for effort in ("quick", "standard", "thorough"):
        budget = BUDGETS[effort]
        for width in (16, 64):
            space = TwoLayer(kind="two_layer", width=width)
            draws = [space.draw(DIMENSION, 1, Randomness(i), torch.float32) for i in range(budget.restarts + 1)]
            runs = [(start, restart_step_size(i)) for i, start in enumerate(draws)]
            for size in (256, 4096):
                sample = problem.training_sample(size, Randomness(0)).to(torch.float32)

                def batches(sample=sample, budget=budget) -> Batches:
                    return row_batches(sample, budget.batch, Randomness(1))

                def alone(space=space, runs=runs, batches=batches) -> None:
                    for start, step_size in runs:
                        descend(space, start, batches(), STEPS, step_size, unwatched)

                def together(space=space, runs=runs, batches=batches) -> None:
                    train_runs(space, runs, batches, STEPS, unwatched)

                times = [(seconds(alone), seconds(together)) for _ in range(ROUNDS)]
                first, second = (statistics.median(column) for column in zip(*times, strict=True))
                row = f"| {effort} | {width} | {size} | {len(runs)} | {first:.2f} | {second:.2f} |"
                print(f"{row} {first / second:.1f} |", flush=True)


if __name__ == "__main__":
    main()
