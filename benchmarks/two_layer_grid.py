"""Two-layer networks trained as one batch, against one after another through autograd.

    OMP_NUM_THREADS=1 python benchmarks/two_layer_grid.py                # about two minutes; prints Markdown tables
    OMP_NUM_THREADS=1 python benchmarks/two_layer_grid.py blocks grid    # some parts only: blocks, grid

Full batch, float32, one thread. The sides of a comparison run alternately in one process; a ratio is that of the
medians over the rounds. A sequential step is zero_grad, the space's `evaluate`, mean squared error, backward and
torch.optim.Adam with fused=True. "portable" is torch alone; "compiled" has the kernel that the installation builds
where there is a GCC. Networks of a block share a sample, those of a grid's cell have samples of their own.
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch

from models.arrays import Parameters
from models.batched_training.compiled import relu_kernel
from models.batched_training.rows import stacked_rows, whole_samples
from models.batched_training.stacking import StackableSpace
from models.batched_training.training import train_networks
from models.hypothesis_spaces.base import HypothesisSpace
from models.hypothesis_spaces.two_layer import TwoLayer
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.risks import squared_losses
from models.samples import Sample
from models.targets.cosine_ridge import CosineRidge

ROUNDS = 7
GRID_ROUNDS = 5
COMPILED = (False, True)
RATE = 1e-3
BLOCKS = ((10, 32, 256, 64, 25.0), (10, 128, 2048, 64, 6.0), (100, 128, 2048, 256, 4.5), (100, 1024, 2048, 8, 2.0))
"""d, m, n, networks, and the ratio asked for."""
WIDTHS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
SIZES = (64, 128, 256, 512, 1024, 2048)
SEEDS = 8
DIMENSION = 10


def sample(dimension: int, size: int, seed: int) -> Sample:
    """Noisy values of the cosine ridge."""
    problem = SyntheticProblem(CosineRidge(kind="cosine_ridge"), dimension, noise=0.1)
    return problem.training_sample(size, Randomness(seed)).to(torch.float32)


def sequential(space: HypothesisSpace, start: Parameters, data: Sample, steps: int) -> tuple[Parameters, float]:
    """Train one network through autograd; the parameters and the seconds of the loop."""
    moving = {name: value.clone().requires_grad_() for name, value in start.items()}
    optimizer = torch.optim.Adam(moving.values(), lr=RATE, fused=True)
    begin = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        squared_losses(space.evaluate(moving, data.inputs), data.labels).mean().backward()
        optimizer.step()
    return {name: value.detach() for name, value in moving.items()}, time.perf_counter() - begin


def batched(
    space: StackableSpace, starts: list[Parameters], data: list[Sample], steps: int, compiled: bool
) -> tuple[list[Parameters], float]:
    """Train all networks as a batch; the seconds include everything."""
    begin = time.perf_counter()
    batches, rates = whole_samples(stacked_rows(data)), [RATE] * len(starts)
    trained = train_networks(space, batches, starts, rates, steps, curve_points=1, compiled=compiled)
    return [one.parameters for one in trained], time.perf_counter() - begin


def product_throughput(call: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> float:
    """Operations a second of float32 products of 1,024 x 1,024 matrices, the best of five."""
    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        call(left, right)
        times.append(time.perf_counter() - begin)
    return 2 * 1024**3 / min(times)


def onednn(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """left @ right.T through oneDNN."""
    return torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")


def distance(space: HypothesisSpace, one: Parameters, other: Parameters, data: Sample) -> float:
    """Root mean square of the difference of two functions on the sample."""
    return float((space.evaluate(one, data.inputs) - space.evaluate(other, data.inputs)).square().mean().sqrt())


def blocks() -> None:
    """Cell blocks: time for a step of one network, share of the products' throughput, equality after 100 steps."""
    print(
        "| d | m | n | networks | sequential, µs | portable, µs | compiled, µs | ratios | asked | share "
        "| differ by | float32 and float64 |"
    )
    print("|---" * 12 + "|")
    for dimension, width, size, networks, asked in BLOCKS:
        space = TwoLayer(kind="two_layer", width=width)
        data = sample(dimension, size, 0)
        starts = [space.draw(dimension, 1, Randomness(1 + seed), torch.float32) for seed in range(networks)]
        work = 4.0 * (dimension + 1) * width * size
        steps = max(20, min(200, int(6e10 / (work * networks))))
        alone = max(3, min(200, int(1e10 / work)))
        rounds = []
        for index in range(ROUNDS + 1):
            one = sequential(space, starts[index % networks], data, alone)[1] / alone
            both = [batched(space, starts, [data], steps, kind)[1] / (steps * networks) for kind in COMPILED]
            if index:  # the first round warms up
                rounds.append((one, *both, product_throughput(onednn)))
        one, portable, compiled, peak = (statistics.median(times) for times in zip(*rounds, strict=True))
        expected = sequential(space, starts[1], data, 100)[0]
        found = [batched(space, starts[:2], [data], 100, kind)[0][1] for kind in COMPILED]
        exact = sequential(space, {k: v.double() for k, v in starts[1].items()}, data.to(torch.float64), 100)[0]
        rounded = {name: value.float() for name, value in exact.items()}
        differ = max(distance(space, parameters, expected, data) for parameters in found)
        print(
            f"| {dimension} | {width} | {size} | {networks} | {one * 1e6:.0f} | {portable * 1e6:.1f} "
            f"| {compiled * 1e6:.1f} | {one / portable:.1f}, {one / compiled:.1f} | {asked:g} "
            f"| {work / portable / peak:.0%}, {work / compiled / peak:.0%} "
            f"| {differ:.0e} | {distance(space, rounded, expected, data):.0e} |",
            flush=True,
        )


def grid() -> None:
    """10 widths x 6 sample sizes x 8 seeds: seconds for one step of all 480 networks."""
    samples = [sample(DIMENSION, max(SIZES), seed) for seed in range(SEEDS)]
    names = (
        "sequential",
        "portable, one batch a width",
        "compiled, one batch a width",
        "portable, widths padded to 128",
    )
    totals: dict[str, list[float]] = {name: [] for name in names}
    for index in range(GRID_ROUNDS + 1):
        spent = dict.fromkeys(names, 0.0)
        for size in SIZES:
            data, steps = [one.first(size) for one in samples], max(60, 8192 // size)
            for width in WIDTHS:
                space = TwoLayer(kind="two_layer", width=width)
                starts = [space.draw(DIMENSION, 1, Randomness(1 + seed), torch.float32) for seed in range(SEEDS)]
                spent[names[0]] += SEEDS * sequential(space, starts[0], data[0], steps)[1] / steps
                for name, compiled in zip(names[1:3], COMPILED, strict=True):
                    spent[name] += batched(space, starts, data, steps, compiled)[1] / steps
            widest = [space.draw(DIMENSION, 1, Randomness(1), torch.float32)] * (SEEDS * len(WIDTHS))
            spent[names[3]] += batched(space, widest, data, 30, False)[1] / 30
        if index:
            for name, seconds in spent.items():
                totals[name].append(seconds)
    first = statistics.median(totals[names[0]])
    print("| 480 networks, one step of each | ms | ratio |\n|---|---|---|")
    for name, times in totals.items():
        print(f"| {name} | {statistics.median(times) * 1e3:.1f} | {first / statistics.median(times):.1f} |", flush=True)


def main() -> None:
    """Measure the parts that are named, or all."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    parts = {"blocks": blocks, "grid": grid}
    speeds = [product_throughput(call) / 1e9 for call in (torch.mm, onednn)]
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"torch {torch.__version__}, {capability}, kernel built: {relu_kernel() is not None}")
    print("float32 products of 1,024 x 1,024: {:.0f} Gflop/s by torch.mm, {:.0f} by oneDNN\n".format(*speeds))
    for name in sys.argv[1:] or parts:
        parts[name]()
        print()


if __name__ == "__main__":
    main()
