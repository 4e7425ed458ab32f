"""Test errors of a two-layer network with 50 neurons on regression tables, beside published ones.

    python benchmarks/table_quality.py                          # the four tables of ../shared/data; about 20 minutes
    python benchmarks/table_quality.py a.csv b.csv              # other tables: a header, numbers, the label last
    python benchmarks/table_quality.py --learner adam           # one learner only
    python benchmarks/table_quality.py --generated              # scikit-learn's diabetes and Friedman's function

Each table: ten random splits, nine tenths of the rows to learn from with the defaults of the learner, one tenth to
test. The protocol is that of Hernandez-Lobato and Adams (2015); it has no validation rows apart from the learner's own.
"""

import argparse
import math
import statistics
import time
from pathlib import Path

import torch

from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.adam import Adam
from models.learners.base import Learner
from models.learners.lbfgs import Lbfgs
from models.learning import label_range, learn
from models.optimisation import unwatched
from models.randomness import Randomness
from models.risks import risk
from models.samples import Sample

DEFAULT_DIRECTORY = Path(__file__).parents[1].parent / "shared" / "data"
WIDTH = 50
SPLITS = 10
TEST_SHARE = 0.1

LEARNERS: dict[str, Learner] = {"adam": Adam(kind="adam"), "lbfgs": Lbfgs(kind="lbfgs")}

SOURCES = ("Hernandez-Lobato and Adams 2015", "dropout", "Mukhoti et al. 2018", "target")
PUBLISHED: dict[str, tuple[float, float, float, float]] = {
    "concrete": (5.98, 5.23, 4.83, 4.9),
    "energy": (1.10, 1.66, 0.54, 0.60),
    "power-plant": (4.18, 4.02, 4.01, 4.0),
    "kin8nm": (0.09, 0.10, 0.079, 0.080),
}
"""Test root mean squared errors by table, in the order of SOURCES; dropout is Gal and Ghahramani 2016."""


def files(paths: list[Path]) -> dict[str, Sample]:
    """The rows of CSV files by name, one header line each, the last column as label; says which are absent."""
    found = {}
    for path in paths:
        if not path.exists():
            print(f"{path.name}: no such file; skipped.")
            continue
        cells = [[float(cell) for cell in line.split(",")] for line in path.read_text().splitlines()[1:]]
        rows = torch.tensor(cells, dtype=torch.float64)
        found[path.stem] = Sample(rows[:, :-1], rows[:, -1:])
    return found


def generated() -> dict[str, Sample]:
    """Diabetes (442 rows) and Friedman's first function with noise of deviation 1: no fit can err less than 1."""
    from sklearn.datasets import load_diabetes, make_friedman1

    drawn = {"diabetes": load_diabetes(return_X_y=True)}
    for rows, columns in ((300, 10), (1_000, 10), (46_000, 16)):
        drawn[f"friedman1 {rows:,}"] = make_friedman1(rows, columns, noise=1.0, random_state=0)
    return {name: Sample(torch.from_numpy(x), torch.from_numpy(y)[:, None]) for name, (x, y) in drawn.items()}


def split(sample: Sample, seed: int) -> tuple[Sample, Sample]:
    """Training and test rows of one random order."""
    order = torch.randperm(sample.size, generator=Randomness(seed).generator("split"))
    tested = round(TEST_SHARE * sample.size)
    training, test = order[tested:], order[:tested]
    return (
        Sample(sample.inputs[training], sample.labels[training]),
        Sample(sample.inputs[test], sample.labels[test]),
    )


def root_mean_squared_error(sample: Sample, learner: Learner, seed: int) -> float:
    """Of one split, in label units."""
    training, test = split(sample, seed)
    model, _ = learn(
        TwoLayer(kind="two_layer", width=WIDTH),
        learner,
        training,
        Randomness(seed),
        unwatched,
        scale_by_default=True,
        output_range=label_range(training),
    )
    return math.sqrt(risk(model, test).value)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", type=Path, help="CSV files; default: those of ../shared/data")
    parser.add_argument("--learner", choices=[*LEARNERS, "all"], default="all")
    parser.add_argument("--generated", action="store_true", help="tables of scikit-learn instead of files")
    parser.add_argument("--splits", type=int, default=SPLITS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = options.tables or [DEFAULT_DIRECTORY / f"{name}.csv" for name in PUBLISHED]
    samples = generated() if options.generated else files(paths)
    chosen = LEARNERS if options.learner == "all" else {options.learner: LEARNERS[options.learner]}
    print(f"| table | n | d | learner | mean test RMSE | standard error | CPU s a fit | {' | '.join(SOURCES)} |")
    print("|---" * (7 + len(SOURCES)) + "|")
    for table, sample in samples.items():
        for name, learner in chosen.items():
            started = time.process_time()
            errors = [root_mean_squared_error(sample, learner, seed) for seed in range(options.splits)]
            seconds = (time.process_time() - started) / len(errors)
            spread = statistics.stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else math.nan
            published = [f"{value:g}" for value in PUBLISHED.get(table, ())] or [""] * len(SOURCES)
            cells = [table, str(sample.size), str(sample.inputs.shape[1]), name]
            cells += [f"{statistics.mean(errors):.4g}", f"{spread:.2g}", f"{seconds:.1f}", *published]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
