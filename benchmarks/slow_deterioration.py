"""Random features at m = n: the minimum-norm solution peaks, gradient descent reaches the peak late.

    python benchmarks/slow_deterioration.py                     # about a minute; prints two Markdown tables

Following Ma, Wu and E (2020), "The slow deterioration of the generalization error of the random feature model". The
sample: n rows of x uniform on [-1,1]^d, y = f*((x + 1)/2) + noise with f* of the target `cosine_ridge`.
Gradient flow from 0 on (1/n) |Phi a - y|^2 is evaluated in closed form, one singular value decomposition for all times.
"""

import math
import statistics

import torch

from models.gradient_flow import gradient_flow
from models.hypothesis_spaces.random_features import RandomFeatures
from models.learners.least_squares import LeastSquares
from models.optimisation import unwatched
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.samples import Sample
from models.targets.cosine_ridge import CosineRidge

DIMENSION = 10
SIZE = 200
NOISE = 0.1
SEEDS = 10
TEST_SIZE = 5_000
WIDTHS = (20, 50, 100, 150, 180, 200, 220, 250, 400, 800, 3_200)
TIMES = (1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, math.inf)


def curves(width: int, seed: int) -> tuple[list[float], float]:
    """Excess risks over the times of one draw, and the smallest eigenvalue of Phi^T Phi / n above round-off."""
    randomness = Randomness(seed)
    problem = SyntheticProblem(CosineRidge(kind="cosine_ridge"), DIMENSION, noise=NOISE)
    training = problem.training_sample(SIZE, randomness.child("data"))
    noiseless = SyntheticProblem(CosineRidge(kind="cosine_ridge"), DIMENSION, noise=0.0)
    test = noiseless.training_sample(TEST_SIZE, randomness.child("test"))
    # Around the origin hardly any feature vanishes on the whole sample, so that m counts what it says.
    training, test = (Sample(2 * sample.inputs - 1, sample.labels) for sample in (training, test))
    space = RandomFeatures(kind="random_features", width=width)
    parameters = space.draw(DIMENSION, 1, randomness, torch.float64)
    features, fresh = (space.features(parameters, sample.inputs) for sample in (training, test))
    path = gradient_flow(features, training.labels, parameters["coefficients"], TIMES)
    risks = [float((fresh @ a - test.labels).square().mean()) for a in path]
    _agrees_with_least_squares(space, training, randomness, path[-1])
    singular = torch.linalg.svdvals(features)
    seen = singular > max(features.shape) * torch.finfo(features.dtype).eps * singular[0]
    return risks, float(singular[seen][-1] ** 2 / SIZE)


def _agrees_with_least_squares(
    space: RandomFeatures, training: Sample, randomness: Randomness, limit: torch.Tensor
) -> None:
    """The limit of the flow is the learner's minimum-norm solution."""
    fitted = LeastSquares(kind="least_squares").fit(space, training, randomness, unwatched)
    difference = (fitted.parameters["coefficients"] - limit).norm()
    assert float(difference) <= 1e-6 * float(limit.norm()), "the flow's limit is not the minimum-norm solution"


def main() -> None:
    """Measure and print: medians over the seeds, for the peak has no finite mean."""
    torch.set_num_threads(1)
    print(f"n = {SIZE}, d = {DIMENSION}, noise {NOISE}; excess risk, median of {SEEDS} draws\n")
    print(f"| m | {' | '.join('minimum norm' if math.isinf(t) else f't = {t:.0e}' for t in TIMES)} | smallest over t |")
    print("|---" * (len(TIMES) + 2) + "|")
    slow = []
    for width in WIDTHS:
        drawn = [curves(width, seed) for seed in range(SEEDS)]
        medians = [statistics.median(risks[i] for risks, _ in drawn) for i in range(len(TIMES))]
        best = statistics.median(min(risks) for risks, _ in drawn)
        print(f"| {width} | {' | '.join(f'{value:.3g}' for value in medians)} | {best:.3g} |", flush=True)
        bottom = medians.index(min(medians))
        late = next(
            (
                time
                for time, value in zip(TIMES, medians, strict=True)
                if time > TIMES[bottom] and value > 2 * min(medians)
            ),
            None,
        )
        slow.append((width, statistics.median(smallest for _, smallest in drawn), late))
    print("\n| m | smallest eigenvalue e of ΦᵀΦ/n | 1/(2e) | first time after the best with twice its risk |")
    print("|---" * 4 + "|")
    for width, smallest, late in slow:
        shown = "never" if late is None else "minimum norm only" if math.isinf(late) else f"{late:.0e}"
        print(f"| {width} | {smallest:.2g} | {1 / (2 * smallest):.2g} | {shown} |")


if __name__ == "__main__":
    main()
