"""Grids of random-feature fits, gradient descent's curve, and a million rows, against what one would do by hand.

    python benchmarks/linear_grid.py                  # the grids and the curve; about six minutes
    python benchmarks/linear_grid.py --stream         # a million rows alone, for its peak memory; about two minutes
    python benchmarks/linear_grid.py --rounds 3       # fewer rounds

One core (set OMP_NUM_THREADS=1). d = 50, cosine features, widths to 1,024, sample sizes 512 to 16,384, 4,096 test
points; features are computed before the clock starts, for both sides. The alternatives take turns with the program,
round by round, and the ratio is that of the medians. Agreement is the largest difference of test predictions, relative
to the largest prediction, from fits by singular values (a QR where there is a penalty) of their own.
"""

import argparse
import math
import resource
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from sklearn.linear_model import Ridge

from models.hypothesis_spaces.random_features import RandomFeatures
from models.linear_grid.grid import nested_grid_fits
from models.linear_grid.products import symmetric_product
from models.linear_grid.rows import Block, ComputedRows, HeldRows
from models.linear_grid.spectrum import spectrum_of_gram
from models.linear_grid.streamed import streamed_ridge
from models.randomness import Randomness

DIMENSION, WIDTH, ROWS, TEST_ROWS = 50, 1_024, 16_384, 4_096
SIZES = [ROWS >> shift for shift in range(5, -1, -1)]
TEN_WIDTHS = [round(16 * 64 ** (step / 9)) for step in range(10)]
ALL_WIDTHS = list(range(16, WIDTH + 1, 16))
GRIDS: dict[str, tuple[list[int], list[float]]] = {
    "10 widths x 6 sizes x 3 penalties": (TEN_WIDTHS, [1e-4, 1e-3, 1e-2]),
    "10 widths x 6 sizes x 10 penalties": (TEN_WIDTHS, [10 ** (step / 2 - 5) for step in range(10)]),
    "64 widths x 6 sizes x 1 penalty": (ALL_WIDTHS, [1e-3]),
}
STREAM_ROWS, STREAM_WIDTH, STREAM_BLOCK = 1_000_000, 2_000, 256


def data() -> tuple[torch.Tensor, torch.Tensor]:
    """Features without the factor m^{-1/2}, and noisy labels, of all training and test rows."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(ROWS + TEST_ROWS, DIMENSION, dtype=torch.float64, generator=generator)
    space = RandomFeatures(kind="random_features", width=WIDTH, feature="cosine")
    features = space.features(space.draw(DIMENSION, 1, Randomness(0), torch.float64), inputs) * math.sqrt(WIDTH)
    noise = torch.randn(len(inputs), 1, dtype=torch.float64, generator=generator)
    return features, torch.cos(inputs.sum(dim=1, keepdim=True) / 2) + 0.1 * noise


Predictions = dict[tuple[int, float, int], torch.Tensor]


def as_one_grid(
    features: torch.Tensor, labels: torch.Tensor, widths: Sequence[int], penalties: Sequence[float]
) -> Predictions:
    """Test predictions of every cell by the program."""
    found: Predictions = {}
    rows = HeldRows(features[:ROWS], labels[:ROWS])
    for fits in nested_grid_fits(rows, widths, SIZES, penalties):
        predicted = fits.predictions(features[ROWS:])
        for p, penalty in enumerate(penalties):
            for w, width in enumerate(widths):
                found[fits.sample_size, penalty, width] = predicted[:, p, w, 0]
    return found


def cell_by_cell(
    features: torch.Tensor, labels: torch.Tensor, widths: Sequence[int], penalties: Sequence[float]
) -> Predictions:
    """The same by scikit-learn, one fit a cell."""
    found: Predictions = {}
    x, y = features.numpy(), labels.numpy()[:, 0]
    for size in SIZES:
        for penalty in penalties:
            for width in widths:
                fitted = Ridge(alpha=size * penalty, fit_intercept=False).fit(x[:size, :width], y[:size])
                found[size, penalty, width] = torch.from_numpy(fitted.predict(x[ROWS:, :width]))
    return found


def independent(features: torch.Tensor, labels: torch.Tensor, size: int, penalty: float, width: int) -> torch.Tensor:
    """Test predictions of one cell by an orthogonal factorisation of [Phi; sqrt(n penalty) I]."""
    ridge = torch.eye(width, dtype=torch.float64) * math.sqrt(size * penalty)
    basis, triangle = torch.linalg.qr(torch.cat([features[:size, :width], ridge]))
    coefficients = torch.linalg.solve_triangular(triangle, basis[:size].T @ labels[:size], upper=True)
    return (features[ROWS:, :width] @ coefficients)[:, 0]


def disagreement(found: Predictions, features: torch.Tensor, labels: torch.Tensor, cells: int = 40) -> float:
    """The largest relative difference from independent fits, over about `cells` cells spread over the grid."""
    keys = list(found)[:: max(1, len(found) // cells)] + list(found)[-1:]
    worst = 0.0
    for key in keys:
        expected = independent(features, labels, *key)
        worst = max(worst, float((found[key] - expected).abs().max() / expected.abs().max()))
    return worst


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def paired(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median times of both, taking turns, after one round that is not counted."""
    times = [(seconds(ours), seconds(theirs)) for _ in range(rounds + 1)][1:]
    return statistics.median(a for a, _ in times), statistics.median(b for _, b in times)


def grids(rounds: int) -> None:
    """Print a row for each grid."""
    features, labels = data()
    print("| grid | program, s | cell by cell, s | ratio | agreement |\n|---|---|---|---|---|")
    for name, (widths, penalties) in GRIDS.items():
        arguments = (features, labels, widths, penalties)
        ours, theirs = paired(lambda a=arguments: as_one_grid(*a), lambda a=arguments: cell_by_cell(*a), rounds)
        worst = disagreement(as_one_grid(*arguments), features, labels)
        print(f"| {name} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.1f} | {worst:.0e} |", flush=True)


def descent_curve(rounds: int, steps: int = 100_000, timed_steps: int = 10_000) -> None:
    """Print the ratio for 180 times up to 10^7 steps against `steps` steps in Gram space, of which a part is timed."""
    features, labels = data()
    rows, test = features[:ROWS], features[ROWS:]
    gram, moments = symmetric_product(rows), rows.T @ labels[:ROWS]
    step_size = 0.5 * ROWS / float(torch.linalg.eigvalsh(gram)[-1])
    times = sorted({round(30 * (10**7 / 30) ** (step / 179)) for step in range(180)})

    def closed() -> torch.Tensor:
        path = spectrum_of_gram(gram, moments, ROWS).descent(step_size, times)
        return ((test @ path[:, :, 0].T - labels[ROWS:]) ** 2).mean(dim=0)

    def iterated() -> torch.Tensor:
        scaled, driving = 2 * step_size / ROWS * gram, 2 * step_size / ROWS * moments[:, 0]
        coefficients = torch.zeros(WIDTH, dtype=torch.float64)
        for _ in range(timed_steps):
            coefficients = coefficients + driving - scaled @ coefficients
        return coefficients

    path = spectrum_of_gram(gram, moments, ROWS).descent(step_size, [timed_steps])[0, :, 0]
    expected = test @ iterated()
    worst = float((test @ path - expected).abs().max() / expected.abs().max())
    ours, theirs = paired(closed, iterated, rounds)
    theirs *= steps / timed_steps
    print(f"\ndescent, {len(times)} times to 10^7 steps: {ours:.3f} s; {steps:,} steps in Gram space: {theirs:.1f} s")
    print(f"ratio {theirs / ours:.0f}; difference after {timed_steps:,} steps {worst:.0e}")


def stream(tolerance: float) -> None:
    """Print time and peak memory of one fit to a million rows."""
    space = RandomFeatures(kind="random_features", width=STREAM_WIDTH, feature="cosine")
    drawn = space.draw(DIMENSION, 1, Randomness(0), torch.float64)

    def rows(dtype: torch.dtype) -> ComputedRows:
        parameters = {name: value.to(dtype) for name, value in drawn.items()}

        def compute(start: int, stop: int) -> Block:
            generator = torch.Generator().manual_seed(start // STREAM_BLOCK)
            inputs = torch.rand(STREAM_BLOCK, DIMENSION, generator=generator)[: stop - start]
            labels = torch.cos(inputs.sum(dim=1, keepdim=True) / 2)
            return space.features(parameters, inputs.to(dtype)), labels.to(dtype)

        return ComputedRows(compute, STREAM_BLOCK)

    start, processor = time.perf_counter(), time.process_time()
    found = streamed_ridge(rows(torch.float32), rows(torch.float64), STREAM_ROWS, 0.0, tolerance)
    took, processor = time.perf_counter() - start, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"n = {STREAM_ROWS:,}, m = {STREAM_WIDTH:,}, tolerance {tolerance:g}: {took:.1f} s, processor {processor:.1f} s"
    )
    print(f"peak {peak:.2f} GiB", end="; ")
    print(f"{found.single_readings} readings in float32, {found.double_readings} in float64, error {found.error:.0e}")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.stream:
        stream(arguments.tolerance)
        return
    grids(arguments.rounds)
    descent_curve(arguments.rounds)


if __name__ == "__main__":
    main()
