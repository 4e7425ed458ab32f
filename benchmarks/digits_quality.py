"""Accuracy on handwritten digits by squared loss on one-hot labels: random features and a two-layer network.

    python benchmarks/digits_quality.py                         # ../shared/data/mnist10k.npz; about three minutes
    python benchmarks/digits_quality.py digits.npz

The file holds `x`, (n, 784) pixels, and `y`, digits; the first 8,000 rows train and the next 2,000 test. Pixels are
scaled to [0, 1]. Random features: 4,096 ReLU features, ridge with the penalty chosen by leave-one-out. Two-layer: 512
neurons, Adam with its defaults.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from models.hypothesis_spaces.base import HypothesisSpace
from models.hypothesis_spaces.random_features import RandomFeatures
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learners.adam import Adam
from models.learners.base import Learner
from models.learners.ridge import Ridge
from models.learning import learn
from models.optimisation import unwatched
from models.randomness import Randomness
from models.risks import predictions
from models.samples import Sample

DEFAULT = Path(__file__).parents[1].parent / "shared" / "data" / "mnist10k.npz"

TRAINING, TEST = 8_000, 2_000

CASES: tuple[tuple[str, HypothesisSpace, Learner, float], ...] = (
    ("random_features, 4,096", RandomFeatures(kind="random_features", width=4096), Ridge(kind="ridge"), 0.94),
    ("two_layer, 512", TwoLayer(kind="two_layer", width=512), Adam(kind="adam"), 0.96),
)


def digits(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, 784) in [0, 1] and their digits."""
    with np.load(path) as arrays:
        images, classes = arrays["x"], arrays["y"]
    return torch.from_numpy(images.astype(np.float64) / 255), torch.from_numpy(classes.astype(np.int64))


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT)
    path = parser.parse_args().file
    if not path.exists():
        print(f"{path.name}: no such file.")
        return
    torch.set_num_threads(1)
    images, classes = digits(path)
    one_hot = torch.nn.functional.one_hot(classes, 10).double()
    sample = Sample(images[:TRAINING], one_hot[:TRAINING])
    test_images, test_classes = images[TRAINING : TRAINING + TEST], classes[TRAINING : TRAINING + TEST]
    print("| space | learner | test accuracy | target | CPU s a fit | details |\n|---|---|---|---|---|---|")
    for name, space, learner, target in CASES:
        started = time.process_time()
        model, fitted = learn(space, learner, sample, Randomness(0), unwatched, scale_by_default=False)
        seconds = time.process_time() - started
        accuracy = float((predictions(model, test_images).argmax(dim=1) == test_classes).double().mean())
        details = ", ".join(f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
                            for key, value in fitted.details.items())  # fmt: skip
        print(f"| {name} | {learner.kind} | {accuracy:.2%} | {target:.0%} | {seconds:.0f} | {details} |", flush=True)


if __name__ == "__main__":
    main()
