"""Planned seconds of fits beside measured ones.

    python benchmarks/plan_accuracy.py                          # about two minutes; prints a Markdown table
    python benchmarks/plan_accuracy.py --sizes 300 1000         # smaller samples only

Each row is one `fit` job as a client would send it, bounds and export included, on f* of the target `friedman_1` in
d = 8 with noise, in a process of its own that has imported torch, as the worker's do. Measured: processor seconds of
one thread.
"""

import argparse
import math
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch
from in_memory import InMemory

from models.catalogue import parse_experiment

SIZES = (300, 1_000, 3_000, 10_000)
NETWORK = {"kind": "two_layer", "width": 50}
FEATURES = {"kind": "random_features", "width": 500}
CASES: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    (NETWORK, {"kind": "adam"}),
    (NETWORK, {"kind": "lbfgs"}),
    (NETWORK, {"kind": "stochastic_gradient_descent"}),
    (NETWORK, {"kind": "gradient_descent"}),
    (NETWORK, {"kind": "path_norm"}),
    (FEATURES, {"kind": "ridge"}),
    (FEATURES, {"kind": "least_squares"}),
    ({"kind": "kernel_ridge", "width": 3_000}, {"kind": "ridge"}),
)


def specification(space: dict[str, Any], learner: dict[str, Any], size: int) -> dict[str, Any]:
    """The job."""
    data = {"kind": "target", "target": {"kind": "friedman_1"}, "dimension": 8, "noise": 1.0}
    return {
        "kind": "fit",
        "data": data,
        "hypothesis_space": space,
        "learner": {**learner, "standardise": True},
        "sample_size": size,
        "test_size": 2_000,
    }


def seconds(job: dict[str, Any]) -> tuple[float, float]:
    """Planned and measured."""
    torch.set_num_threads(1)
    experiment = parse_experiment(job)
    planned = experiment.plan({}).estimated_seconds
    started = time.process_time()
    experiment.run(InMemory())
    return planned, time.process_time() - started


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--learner", help="rows of this learner only")
    options = parser.parse_args()
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1)
    print("| space | learner | n | planned, s | measured, s | planned/measured |\n" + "|---" * 6 + "|")
    ratios = []
    for space, learner in CASES:
        if options.learner not in (None, learner["kind"]):
            continue
        for size in options.sizes:
            planned, measured = pool.submit(seconds, specification(space, learner, size)).result()
            ratios.append(planned / measured)
            cells = [space["kind"], learner["kind"], f"{size:,}", f"{planned:.2g}", f"{measured:.2g}"]
            print(f"| {' | '.join(cells)} | {ratios[-1]:.2f} |", flush=True)
    worst = max(max(ratio, 1 / ratio) for ratio in ratios)
    print(f"\nLargest factor between planned and measured: {worst:.2f}; geometric mean of planned/measured: ", end="")
    print(f"{math.exp(sum(math.log(ratio) for ratio in ratios) / len(ratios)):.2f}.")


if __name__ == "__main__":
    main()
