"""The sweeps of E, Ma and Wu: with the path-norm penalty neither width nor initialisation matters.

    python benchmarks/path_norm_sweeps.py                       # ../shared/data/mnist10k.npz; about three minutes
    python benchmarks/path_norm_sweeps.py digits.npz

Digits 3 and 8 as labels 0 and 1, n = 100 training images, squared loss, all other images of the two digits to test
(accuracy at the threshold 1/2). Their code: J_n = (1/n) sum (f(x_i) - y_i)^2 + lambda sqrt(log10(d)/n) |theta|_P; the
tables give lambda in this unit, translated to the penalty of the learner `path_norm`. Their scaling of pixels and
labels is not known here; lambda = 0.2 gives the path norm that they publish for lambda = 1. kappa multiplies the drawn
weights.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch

from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.path_norm import PathNorm
from models.optimisation import unwatched
from models.randomness import Randomness
from models.risks import predictions
from models.samples import Sample

DEFAULT = Path(__file__).parents[1].parent / "shared" / "data" / "mnist10k.npz"
SIZE = 100
WIDTHS = (16, 64, 256, 1_024)
WIDTH_PENALTIES = (1.0, 0.2, 0.0)
WIDTH_STEPS, WIDTH_RATE = 2_000, 1e-3
SCALES = (0.01, 0.1, 1.0, 5.0, 10.0)
SCALE_PENALTIES = (0.2, 0.0)
SCALE_STEPS = {0.2: (16_000, 1e-2), 0.0: (4_000, 1e-3)}
"""Steps and learning rates. A large start shrinks slowly: Adam moves a weight by about the rate a step. Without the
penalty that rate kills every neuron of a small start."""
SCALE_WIDTH = 64

PUBLISHED = (
    "Published (arXiv 1810.06397, figures): widths 16 to 65,536 with lambda = 1: 90.4 %, path norm 1.9, both flat; "
    "with lambda = 0: 91.5 to 93.5 %, path norm 145 to 8,930. kappa 0.01 to 100 at m = 10,000 with lambda = 1: about "
    "91 %, flat; with lambda = 0: 93, 93.4, 91, 92.5, 76.5, 58.6, 58.3, 53.6 % at 0.01, 0.1, 1, 5, 10, 30, 50, 100."
)


def threes_and_eights(path: Path) -> tuple[Sample, Sample]:
    """SIZE training images in a fixed random order, and the others; pixels in [0, 1], label 1 for an 8."""
    with np.load(path) as arrays:
        images, classes = arrays["x"], arrays["y"]
    chosen = (classes == 3) | (classes == 8)
    inputs = torch.from_numpy(images[chosen].astype(np.float32) / 255)
    labels = torch.from_numpy((classes[chosen] == 8).astype(np.float32))[:, None]
    order = torch.randperm(len(inputs), generator=Randomness(0).generator("order"))
    inputs, labels = inputs[order], labels[order]
    return Sample(inputs[:SIZE], labels[:SIZE]), Sample(inputs[SIZE:], labels[SIZE:])


def learner_of(published_penalty: float, dimension: int, steps: int, rate: float) -> PathNorm:
    """sqrt(log10(d)/n) of the authors' code in units of sqrt(log(2 (d + 1))/n)."""
    factor = math.sqrt(math.log10(dimension) / math.log(2 * (dimension + 1)))
    return PathNorm(kind="path_norm", penalty=published_penalty * factor, steps=steps, learning_rate=rate)


def row(
    width: int, scale: float, published_penalty: float, effort: tuple[int, float], training: Sample, test: Sample
) -> list[str]:
    """Test accuracy, empirical risk, path norm and processor seconds of one fit."""
    started = time.process_time()
    space = TwoLayer(kind="two_layer", width=width)
    dimension = training.inputs.shape[1]
    start = {name: scale * value for name, value in space.draw(dimension, 1, Randomness(1), torch.float32).items()}
    learner = learner_of(published_penalty, dimension, *effort)
    fitted = learner.fit(space, training, Randomness(1), unwatched, start)
    outputs = predictions(lambda rows: space.evaluate(fitted.parameters, rows), test.inputs)
    accuracy = float(((outputs > 0.5) == (test.labels > 0.5)).double().mean())
    return [
        f"{accuracy:.1%}",
        f"{float((outputs - test.labels).square().mean()):.3g}",
        f"{fitted.curve[-1].empirical_risk:.2g}",
        f"{fitted.details['path_norm']:.3g}",
        f"{time.process_time() - started:.0f}",
    ]


def main() -> None:
    """Measure and print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT)
    path = parser.parse_args().file
    if not path.exists():
        print(f"{path.name}: no such file.")
        return
    torch.set_num_threads(1)
    training, test = threes_and_eights(path)
    print(f"n = {training.size}, {test.size:,} test images\n")
    columns = "test accuracy | test MSE | empirical risk | path norm | CPU s"
    print(f"{WIDTH_STEPS:,} steps\n\n| lambda | m | {columns} |\n{'|---' * 7}|")
    for penalty in WIDTH_PENALTIES:
        for width in WIDTHS:
            cells = row(width, 1.0, penalty, (WIDTH_STEPS, WIDTH_RATE), training, test)
            print(f"| {penalty:g} | {width:,} | {' | '.join(cells)} |", flush=True)
    print(f"\nm = {SCALE_WIDTH}\n\n| lambda | kappa | {columns} |\n{'|---' * 7}|")
    for penalty in SCALE_PENALTIES:
        for scale in SCALES:
            cells = row(SCALE_WIDTH, scale, penalty, SCALE_STEPS[penalty], training, test)
            print(f"| {penalty:g} | {scale:g} | {' | '.join(cells)} |", flush=True)
    print(f"\n{PUBLISHED}")


if __name__ == "__main__":
    main()
