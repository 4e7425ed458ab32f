"""Processor seconds of jobs against n, m, seeds and widths, beside the plan's count of operations.

    OMP_NUM_THREADS=1 python benchmarks/cost_curves.py            # a minute; prints a Markdown table
    OMP_NUM_THREADS=1 python benchmarks/cost_curves.py --figure docs/figures/cost.svg

`fit` with ridge in cosine features, d = 10, over n (m = 500) and over m (n = 8,000); `decompose_error` of the same,
effort quick, over seeds (m = 128) and over the number of widths up to 256 (two seeds). The least of `--rounds` runs.
"""

import argparse
import math
import time
from pathlib import Path
from typing import Any

import torch
from decomposition_figures import HEIGHT, TOP, _text, _write
from in_memory import InMemory

from models.catalogue import parse_experiment

DATA = {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 10, "noise": 0.1}
PANEL, LEFT = 170, 60


def fit(rows: int, width: int) -> dict[str, Any]:
    """The job of one fit."""
    return {
        "kind": "fit",
        "data": DATA,
        "hypothesis_space": {"kind": "random_features", "width": width, "feature": "cosine"},
        "learner": {"kind": "ridge", "penalty": 1e-3, "path": False},
        "sample_size": rows,
        "test_size": 1_000,
        "bounds": "none",
    }


def decomposition(seeds: int, widths: list[int]) -> dict[str, Any]:
    """The job of one grid."""
    return {
        "kind": "decompose_error",
        "data": DATA,
        "hypothesis_space": {"kind": "random_features", "feature": "cosine"},
        "learner": {"kind": "ridge", "penalty": 1e-3},
        "widths": widths,
        "sample_sizes": [4_096],
        "seeds": seeds,
        "test_size": 2_000,
        "reference": {"effort": "quick"},
    }


CURVES: dict[str, dict[int, dict[str, Any]]] = {
    "n": {rows: fit(rows, 500) for rows in (4_000, 8_000, 16_000, 32_000)},
    "m": {width: fit(8_000, width) for width in (250, 500, 1_000, 2_000)},
    "seeds": {seeds: decomposition(seeds, [128]) for seeds in (2, 4, 8, 16)},
    "widths": {count: decomposition(2, [256 * (i + 1) // count for i in range(count)]) for count in (1, 2, 4, 8)},
}


def measured(job: dict[str, Any], rounds: int) -> tuple[float, float]:
    """Operations of the plan, and the least processor seconds."""
    experiment, times = parse_experiment(job), []
    for _ in range(rounds):
        started = time.process_time()
        experiment.run(InMemory())
        times.append(time.process_time() - started)
    return experiment.plan({}).floating_point_operations, min(times)


def figure(path: Path, found: dict[str, list[tuple[int, float, float]]]) -> None:
    """A panel for each curve, both axes logarithmic: dots measured, the line the count at one speed a panel."""
    values = [seconds for points in found.values() for _, _, seconds in points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    body = [_text(12, 20, "Processor seconds: measured (dots), count of operations at one speed (lines)", weight="600")]

    def up(value: float) -> float:
        return TOP + HEIGHT * (high - math.log10(value)) / (high - low)

    for index, (name, points) in enumerate(found.items()):
        left = LEFT + index * (PANEL + 30)
        speed = math.exp(sum(math.log(flops / seconds) for _, flops, seconds in points) / len(points))
        places = [left + PANEL * i / (len(points) - 1) for i in range(len(points))]
        line = " ".join(f"{x:.1f},{up(flops / speed):.1f}" for x, (_, flops, _) in zip(places, points, strict=True))
        body.append(f'<polyline points="{line}" fill="none" stroke="#e08a1e" stroke-width="2"/>')
        for x, (at, _, seconds) in zip(places, points, strict=True):
            body.append(f'<circle cx="{x:.1f}" cy="{up(seconds):.1f}" r="4" fill="#3b6fb6"/>')
            body.append(_text(x, TOP + HEIGHT + 16, f"{at}" if at < 1000 else f"{at // 1000}k", anchor="middle"))
        body.append(_text(left + PANEL / 2, TOP + HEIGHT + 34, name, anchor="middle"))
        for decade in range(low, high + 1):
            y = up(10.0**decade)
            body.append(f'<line x1="{left}" x2="{left + PANEL}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
            if index == 0:
                body.append(_text(left - 6, y + 4, f"{10.0**decade:g}", anchor="end"))
    _write(path, LEFT + len(found) * (PANEL + 30), TOP + HEIGHT + 46, body)


def main() -> None:
    """Measure, print the table, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    measured(fit(300, 20), 1)
    found: dict[str, list[tuple[int, float, float]]] = {}
    print("| over | values | seconds | growth | of the count |\n|---|---|---|---|---|")
    for name, jobs in CURVES.items():
        found[name] = points = [(at, *measured(job, options.rounds)) for at, job in jobs.items()]
        growth, count = points[-1][2] / points[0][2], points[-1][1] / points[0][1]
        columns = (", ".join(f"{at:,}" for at, _, _ in points), ", ".join(f"{seconds:.2g}" for *_, seconds in points))
        print(f"| {name} | {columns[0]} | {columns[1]} | {growth:.1f} | {count:.1f} |", flush=True)
    if options.figure:
        figure(options.figure, found)


if __name__ == "__main__":
    main()
