"""What checkpoints cost a fit: the same fits with none and with a file every few seconds.

    OMP_NUM_THREADS=1 python benchmarks/checkpoint_overhead.py             # a minute; prints a Markdown table
    OMP_NUM_THREADS=1 python benchmarks/checkpoint_overhead.py --rounds 9 --seconds 1

Both sides take turns in one process, whole fits, one thread. The ratio is of the medians of processor time over the
rounds; "share" is the time by the clock that the fit spent in offering, making and writing states, over its whole time,
measured in the fit itself: where other work keeps the machine busy, it is the figure to read.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from models.checkpoints import NO_CHECKPOINTS, Checkpoints, State
from models.hypothesis_spaces.base import HypothesisSpace
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.adam import Adam
from models.learners.base import Learner
from models.learners.lbfgs import Lbfgs
from models.learners.stochastic_gradient_descent import StochasticGradientDescent
from models.optimisation import unwatched
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.targets.cosine_ridge import CosineRidge
from worker.checkpoints import CheckpointFile, identity

CASES: tuple[tuple[str, Learner, HypothesisSpace], ...] = (
    ("adam, batch", Adam(kind="adam", steps=3_000), TwoLayer(kind="two_layer", width=128)),
    ("adam, autograd", Adam(kind="adam", steps=400, weight_decay=0.0), Deep(kind="deep", width=128)),
    (
        "stochastic gradient descent",
        StochasticGradientDescent(kind="stochastic_gradient_descent", steps=4_000),
        TwoLayer(kind="two_layer", width=32),
    ),
    ("l-bfgs", Lbfgs(kind="lbfgs", steps=80, validation_fraction=0.0), TwoLayer(kind="two_layer", width=256)),
)


class Timed:
    """Checkpoints in a file, and the time that they took by the clock."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.seconds = 0.0
        self.written = 0
        self._file = CheckpointFile(path, 1, identity({}, "cpu"), seconds, lambda: False)

    def resumed(self) -> State | None:
        """Always from the beginning."""
        return None

    def offer(self, state: Callable[[], State]) -> None:
        """Offer to the file."""
        started = time.perf_counter()

        def made() -> State:
            self.written += 1
            return state()

        self._file.offer(made)
        self.seconds += time.perf_counter() - started


def fit_times(learner: Learner, space: HypothesisSpace, seed: int, checkpoints: Checkpoints) -> tuple[float, float]:
    """Seconds of processor and of clock."""
    sample = SyntheticProblem(CosineRidge(kind="cosine_ridge"), 10, noise=0.1).training_sample(1000, Randomness(seed))
    processor, clock = time.process_time(), time.perf_counter()
    learner.fit(space, sample, Randomness(seed), unwatched, checkpoints=checkpoints)
    return time.process_time() - processor, time.perf_counter() - clock


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="between two files; 10 is the default of workers")
    options = parser.parse_args()
    rounds = options.rounds
    print("| learner | parameters | fit, s of processor | files a fit | ms a file | share, % | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name, learner, space in CASES:
        without, with_file, share, written, milliseconds = [], [], [], [], []
        for seed in range(rounds):
            with tempfile.TemporaryDirectory() as directory:
                timed = Timed(Path(directory) / "job.safetensors", options.seconds)
                without.append(fit_times(learner, space, seed, NO_CHECKPOINTS)[0])
                processor, clock = fit_times(learner, space, seed, timed)
            with_file.append(processor)
            share.append(100 * timed.seconds / clock)
            written.append(timed.written)
            milliseconds.append(1000 * timed.seconds / max(1, timed.written))
        base = statistics.median(without)
        print(
            f"| {name} | {space.parameter_count(10, 1)} | {base:.2f} | {statistics.median(written):.0f} "
            f"| {statistics.median(milliseconds):.1f} | {statistics.median(share):.2f} "
            f"| {statistics.median(with_file) / base:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
