"""Deep and residual networks trained as one batch, against one after another and against torch.func.

    OMP_NUM_THREADS=1 python benchmarks/layered_networks.py          # about five minutes; prints a Markdown table

Full batch, float32, one thread, d = 10. The sides run alternately in one process; a ratio is that of the medians over
the rounds. A sequential step is that of two_layer_grid.py; "torch.func" is vmap over the gradient of the space's own
`evaluate` with a fused Adam of the stacked parameters; "by hand" is models.batched_training. The share is that of the
float32 products of 1,024 x 1,024 matrices by torch.mm in the same round, counting 6 operations a parameter and row.
"""

import statistics
import time

import torch
from two_layer_grid import RATE, batched, distance, product_throughput, sample, sequential

from models.arrays import Parameters
from models.batched_training.stacking import StackableSpace
from models.hypothesis_spaces.deep import Deep
from models.hypothesis_spaces.residual import Residual
from models.randomness import Randomness
from models.risks import squared_losses
from models.samples import Sample

ROUNDS = 7
DIMENSION = 10
SHAPES = ((16, 128, 4), (16, 256, 64), (64, 128, 4), (64, 256, 64), (128, 2048, 8), (256, 2048, 4))
"""Width, rows, networks: four decays on minibatches, restarts of seeds, and networks that fill a cache alone."""


def by_torch_func(space: StackableSpace, starts: list[Parameters], data: Sample, steps: int) -> float:
    """Seconds of all steps of all networks by vmap over grad."""

    def risk(theta: Parameters) -> torch.Tensor:
        return squared_losses(space.evaluate(theta, data.inputs), data.labels).mean()

    gradients = torch.func.vmap(torch.func.grad(risk))
    theta = {name: torch.stack([start[name] for start in starts]) for name in starts[0]}
    optimizer = torch.optim.Adam(theta.values(), lr=RATE, fused=True)
    begin = time.perf_counter()
    for _ in range(steps):
        for name, gradient in gradients(theta).items():
            theta[name].grad = gradient
        optimizer.step()
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}\n")
    print(
        "| space | m | n | networks | sequential, µs | torch.func, µs | by hand, µs | ratios | share | differ by "
        "| float32 and float64 |"
    )
    print("|---" * 11 + "|")
    for width, size, networks in SHAPES:
        for space in (Deep(kind="deep", width=width, depth=3), Residual(kind="residual", width=width, depth=8)):
            data = sample(DIMENSION, size, 0)
            starts = [space.draw(DIMENSION, 1, Randomness(1 + seed), torch.float32) for seed in range(networks)]
            work = 3.0 * space.flops_per_row(DIMENSION, 1) * size
            steps, alone = (max(20, min(200, int(1e10 / (work * count)))) for count in (networks, 1))
            rounds = []
            for index in range(ROUNDS + 1):
                one = sequential(space, starts[index % networks], data, alone)[1] / alone
                func = by_torch_func(space, starts, data, steps) / (steps * networks)
                hand = batched(space, starts, [data], steps, False)[1] / (steps * networks)
                if index:  # the first round warms up
                    rounds.append((one, func, hand, product_throughput(torch.mm)))
            one, func, hand, peak = (statistics.median(times) for times in zip(*rounds, strict=True))
            expected = sequential(space, starts[1], data, 100)[0]
            found = batched(space, starts[:2], [data], 100, False)[0][1]
            exact = sequential(space, {k: v.double() for k, v in starts[1].items()}, data.to(torch.float64), 100)[0]
            rounded = {name: value.float() for name, value in exact.items()}
            times = " | ".join(f"{value * 1e6:.0f}" for value in (one, func, hand))
            print(
                f"| {space.kind} | {width} | {size} | {networks} | {times} | {one / func:.1f}, {one / hand:.1f} "
                f"| {work / hand / peak:.0%} "
                f"| {distance(space, found, expected, data):.0e} | {distance(space, rounded, expected, data):.0e} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
