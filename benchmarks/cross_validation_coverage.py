"""How often two standard errors hold the true risk of a table's decomposition: cross-validated, naive, held out once.

OMP_NUM_THREADS=1 python benchmarks/cross_validation_coverage.py         # 200 tables of each law
OMP_NUM_THREADS=1 python benchmarks/cross_validation_coverage.py 50      # fewer

Tables of N rows are drawn from a known law; least squares in 1, x_1 .. x_d is decomposed on each, four seeds. The true
R(n) is a mean over many fresh samples of n rows and fresh test rows, by another solver. "naive": the spread of the N
losses of one cross-validation over sqrt(N), as if they were independent. Lengths are mean standard errors over R(n).
"""

import math
import sys
from itertools import product

import torch

from models.decomposition.reference_training import BUDGETS
from models.decomposition.setting import Polls
from models.decomposition.table_grid import TableOutcome, TableSetting, fold_outcome, merged
from models.hypothesis_spaces.polynomial import Polynomial
from models.learners.least_squares import LeastSquares
from models.problems import split_table
from models.randomness import Randomness
from models.table_columns import ChosenColumns
from models.table_splits import HeldOut, TableSplits, table_folds
from models.tables import Table

FOLDS, SEEDS, TEST_ROWS = 5, 4, 500
LAWS = {"linear": (200, 10), "curved": (200, 10), "heavy_noise": (300, 20), "uneven_noise": (400, 10)}
"""Rows and dimension."""


def drawn(law: str, rows: int, dimension: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs N(0, I) and labels 2 x_1 + x_2 + noise of variance 1, curved by 0.8 (x_3^2 - 1) but for `linear`."""
    inputs = torch.randn(rows, dimension, generator=generator, dtype=torch.float64)
    noise = torch.randn(rows, generator=generator, dtype=torch.float64)
    if law == "heavy_noise":
        # Student's law with five degrees of freedom, variance 5/3.
        chi = torch.randn(rows, 5, generator=generator, dtype=torch.float64).square().sum(dim=1)
        noise = noise / (chi / 5).sqrt() / math.sqrt(5 / 3)
    if law == "uneven_noise":
        noise = noise * inputs[:, 0].abs()
    curve = 0.0 if law == "linear" else 0.8 * (inputs[:, 2] ** 2 - 1)
    return inputs, 2 * inputs[:, 0] + inputs[:, 1] + curve + noise


def true_risk(law: str, size: int, dimension: int, repeats: int) -> float:
    """R(n) of least squares with an intercept, over fresh samples."""
    generator = torch.Generator().manual_seed(99)
    total = 0.0
    for _ in range(repeats):
        inputs, labels = drawn(law, size + TEST_ROWS, dimension, generator)
        design = torch.cat([torch.ones(len(inputs), 1, dtype=torch.float64), inputs], dim=1)
        solution = torch.linalg.lstsq(design[:size], labels[:size, None]).solution
        total += float((labels[size:, None] - design[size:] @ solution).square().mean())
    return total / repeats


def outcome(splits: TableSplits, sizes: tuple[int, ...], seed: int, dimension: int) -> TableOutcome:
    """The measured grid of one width."""
    seeds = tuple(Randomness(SEEDS * seed + index) for index in range(SEEDS))
    setting = TableSetting(splits, sizes, seeds, BUDGETS["quick"])
    space, learner = Polynomial(kind="polynomial").with_width(dimension + 1), LeastSquares(kind="least_squares")
    units = product(seeds, range(splits.folds))
    return merged((fold_outcome(space, learner, setting, *unit, Polls()) for unit in units), setting)


def both_splits(law: str, rows: int, dimension: int, seed: int) -> tuple[TableSplits, TableSplits]:
    """One table in folds, and with a fifth held out."""
    inputs, labels = drawn(law, rows, dimension, torch.Generator().manual_seed(seed))
    numbers = {f"x{j}": inputs[:, j].clone() for j in range(dimension)} | {"y": labels}
    table = Table(tuple(numbers), numbers, {}, rows)
    columns = ChosenColumns(tuple(f"x{j}" for j in range(dimension)), (), ("y",), False)
    held_out = HeldOut(split_table(table, columns, 1 / FOLDS, None, Randomness(seed)), table, columns)
    return table_folds(table, columns, FOLDS), held_out


def measured(law: str, rows: int, dimension: int, sizes: tuple[int, ...], tables: int) -> torch.Tensor:
    """Value and standard error of each method [tables, methods, sizes, 2]."""
    found = torch.empty(tables, 3, len(sizes), 2, dtype=torch.float64)
    for seed in range(tables):
        rotated, held_out = (outcome(s, sizes, seed, dimension) for s in both_splits(law, rows, dimension, seed))
        once = rotated.trained[0]
        for place in range(len(sizes)):
            estimates = [result.rotation.estimate(result.trained, place) for result in (rotated, held_out)]
            naive = float(once[place].mean()), float(once[place].std()) / math.sqrt(rows)
            pairs = [(e.value, e.standard_error) for e in estimates]
            found[seed, :, place] = torch.tensor([pairs[0], naive, pairs[1]], dtype=torch.float64)
    return found


def main() -> None:
    """Every law."""
    torch.set_num_threads(1)
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"{tables} tables of each law, {FOLDS} folds, {SEEDS} seeds: covered in 100 (standard error / R(n))\n")
    print("| law | N | d | n | R(n) | cross-validated | naive | held out |\n|---|---|---|---|---|---|---|---|")
    for law, (rows, dimension) in LAWS.items():
        sizes = (max(2 * dimension, rows // 8), rows // 4, rows // 2, rows - rows // FOLDS)
        truth = torch.tensor([true_risk(law, size, dimension, 4000) for size in sizes], dtype=torch.float64)
        found = measured(law, rows, dimension, sizes, tables)
        covered = 100 * ((found[..., 0] - truth).abs() <= 2 * found[..., 1]).double().mean(dim=0)
        lengths = found[..., 1].mean(dim=0) / truth
        for place, size in enumerate(sizes):
            shown = " | ".join(f"{covered[m, place]:.0f} ({100 * lengths[m, place]:.1f} %)" for m in range(3))
            print(f"| {law} | {rows} | {dimension} | {size} | {truth[place]:.3f} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
