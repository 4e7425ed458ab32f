"""The worked examples of docs/decomposition.md: run through the experiment itself, printed, and drawn.

OMP_NUM_THREADS=1 python benchmarks/decomposition_examples.py          # writes docs/figures/*.svg
OMP_NUM_THREADS=1 python benchmarks/decomposition_examples.py table    # one of: wave, table, peak
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch
from decomposition_figures import bars_figure, lines_figure
from in_memory import InMemory
from sklearn.datasets import load_diabetes

from models.catalogue import parse_experiment
from models.decomposition.terms import DecompositionCell
from models.tables import Table

FIGURES = Path(__file__).resolve().parent.parent / "docs" / "figures"


def decomposed(specification: dict[str, Any], table: Table | None = None) -> tuple[DecompositionCell, ...]:
    """Run, print every cell, and say how long it took."""
    begun = time.perf_counter()
    cells = parse_experiment({"kind": "decompose_error", **specification}).run(InMemory(table)).decompositions
    names = ("noise", "approximation", "approximation_and_noise", "estimation", "optimization")
    print("\n| space | m | n | noise | approximation | appr. + noise | estimation | optimization | trained | advice |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for cell in cells:
        found = {**cell.risk_terms, **{name: cell.risks[name] for name in ("noise", "trained") if name in cell.risks}}
        shown = [_shown(found.get(name)) for name in (*names, "trained")]
        row = [cell.hypothesis_space["kind"], str(cell.width), str(cell.sample_size), *shown, cell.advice.buy]
        print(f"| {' | '.join(row)} |")
    for cell in cells:
        print(f"\n{cell.hypothesis_space['kind']}, m = {cell.width}, n = {cell.sample_size}: {cell.advice.because}")
    print(f"\n{time.perf_counter() - begun:.0f} s", flush=True)
    return cells


def _shown(estimate: Any) -> str:
    if estimate is None:
        return "–"
    if not estimate.standard_error:
        return f"{estimate.value:.3g}"
    return f"{estimate.value:.3g} ± {estimate.standard_error:.1g}"


def wave() -> None:
    """cos(2 pi b.x) in d = 10: random features beside a trained network."""
    cells = decomposed(
        {
            "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 10, "noise": 0.1},
            "hypothesis_space": [{"kind": "random_features"}, {"kind": "two_layer"}],
            "learner": [{"kind": "ridge"}, {"kind": "adam", "steps": 2000}],
            "widths": [16, 64, 256],
            "sample_sizes": [128, 512, 2048],
            "seeds": 2,
            "reference": {"effort": "quick"},
        }
    )
    bars_figure(FIGURES / "decomposition_wave.svg", "cosine ridge, d = 10: where the risk comes from", cells)


def table() -> None:
    """scikit-learn's diabetes table: a learning curve and its limit."""
    data = load_diabetes()
    columns = {name: torch.from_numpy(data.data[:, j].copy()) for j, name in enumerate(data.feature_names)}
    columns["progression"] = torch.from_numpy(data.target.astype("float64"))
    cells = decomposed(
        {
            "data": {"kind": "dataset", "dataset_id": "ds_diabetes", "target_columns": ["progression"]},
            "hypothesis_space": [{"kind": "random_features"}, {"kind": "polynomial"}],
            "learner": {"kind": "ridge"},
            "widths": [11, 66],
            "sample_sizes": [40, 80, 160, 320],
            "seeds": 8,
        },
        Table(tuple(columns), columns, {}, len(data.target)),
    )
    bars_figure(FIGURES / "decomposition_table.svg", "diabetes: approximation and noise are one number", cells)


def peak() -> None:
    """Least squares in random features around m = n = 200.

    On the sphere hardly a neuron is silent on the whole sample. On the cube an eighth is, and the peak moves to
    larger m.
    """
    cells = decomposed(
        {
            "data": {
                "kind": "target",
                "target": {"kind": "cosine_ridge"},
                "dimension": 10,
                "noise": 0.1,
                "measure": "sphere",
            },
            "hypothesis_space": {"kind": "random_features"},
            "learner": {"kind": "least_squares"},
            "widths": [25, 50, 100, 150, 180, 200, 220, 250, 300, 400],
            "sample_sizes": [200],
            "seeds": 8,
            "reference": {"effort": "quick"},
        }
    )
    lines_figure(FIGURES / "decomposition_peak.svg", "least squares, n = 200: the peak at m = n", cells)


def main() -> None:
    """Those named, or all."""
    torch.set_num_threads(1)
    FIGURES.mkdir(parents=True, exist_ok=True)
    examples = {"wave": wave, "table": table, "peak": peak}
    for name in sys.argv[1:] or examples:
        examples[name]()


if __name__ == "__main__":
    main()
