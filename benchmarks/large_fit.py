"""One `fit` job on more rows than the features of which fit in memory: seconds, peak memory, and the plan's.

OMP_NUM_THREADS=1 python benchmarks/large_fit.py                      # n = 10^5: half a minute
OMP_NUM_THREADS=1 python benchmarks/large_fit.py --rows 1000000       # minutes
OMP_NUM_THREADS=1 python benchmarks/large_fit.py --dense              # the features in one piece

d = 50, m = 2,000 cosine features, `ridge` with penalty 1e-6, no bounds but the certificate. Run one variant a process:
the peak is that of the process.
"""

import argparse
import resource
import time

import torch
from in_memory import InMemory

import models.large_samples as large_samples
from models.experiments.fit import Fit


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=2_000)
    parser.add_argument("--dense", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.dense:
        large_samples.HELD_FEATURES = arguments.rows * arguments.width
    spec = Fit.model_validate(
        {
            "kind": "fit",
            "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 50, "noise": 0.1},
            "hypothesis_space": {"kind": "random_features", "width": arguments.width, "feature": "cosine"},
            "learner": {"kind": "ridge", "penalty": 1e-6, "path": False},
            "sample_size": arguments.rows,
            "test_size": 10_000,
            "bounds": "none",
        }
    )
    plan = spec.plan({})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start, processor = time.perf_counter(), time.process_time()
    summary = spec.run(InMemory()).summary
    took, processor = time.perf_counter() - start, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    features = 8 * arguments.rows * arguments.width / 2**30
    print(f"n = {arguments.rows:,}, m = {arguments.width:,}: {processor:.1f} s of one core, {took:.1f} s by the clock")
    print(f"peak {peak:.2f} GiB, {before:.2f} GiB before; planned {plan.peak_memory_bytes / 2**30:.2f} GiB, ", end="")
    print(f"{plan.estimated_seconds:.0f} s; the features alone: {features:.1f} GiB")
    print(f"risk {summary['risks']['trained']['value']:.9f}, {summary['training']['details']}")


if __name__ == "__main__":
    main()
