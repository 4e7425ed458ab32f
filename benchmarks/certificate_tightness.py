"""How tight the held-out certificates are, and how often they miss; how long all bounds of a large model take.

    python benchmarks/certificate_tightness.py             # about two minutes
    python benchmarks/certificate_tightness.py --speed     # n = 20,000, d = 100, m = 1,024, one thread

Excess: mean of bound minus true mean, losses min(e^2, 1), e ~ N(0, 0.01), n = 1,000. Misses: share of repeats whose
bound is below the true mean, 200 losses 0 or 1 of mean 0.1. delta = 0.05.
"""

import argparse
import math
import time

import torch
from in_memory import InMemory

from models.bound_evaluation import bound_subject, chosen_bounds, evaluate_all
from models.bounds.held_out_betting import betting_upper_bound
from models.bounds.held_out_empirical_bernstein import empirical_bernstein_upper_bound
from models.bounds.held_out_hoeffding import hoeffding_upper_bound
from models.bounds.held_out_hoeffding_bentkus import hoeffding_bentkus_upper_bound
from models.bounds.held_out_kl_chernoff import kl_chernoff_upper_bound
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel
from models.learning import label_range
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.scaling import identity_scaling
from models.targets.planted_two_layer import PlantedTwoLayer

LIMITS = {
    "betting": betting_upper_bound,
    "Hoeffding-Bentkus": hoeffding_bentkus_upper_bound,
    "kl-Chernoff": kl_chernoff_upper_bound,
    "empirical Bernstein": empirical_bernstein_upper_bound,
    "Hoeffding": hoeffding_upper_bound,
}
DELTA, RISK = 0.05, 0.1


def print_tightness(excess_repeats: int, miss_repeats: int) -> None:
    """One line a certificate."""
    draw = torch.Generator().manual_seed(0)
    small = (0.1 * torch.randn(excess_repeats, 1000, generator=draw, dtype=torch.float64)).square().clamp(max=1)
    binary = (torch.rand(miss_repeats, 200, generator=draw, dtype=torch.float64) < RISK).to(torch.float64)
    print(f"| certificate | mean excess, {excess_repeats} repeats | misses, {miss_repeats:,} repeats |\n|---|---|---|")
    for name, limit in LIMITS.items():
        excess = sum(limit(losses, DELTA) for losses in small) / excess_repeats - 0.01
        seen: dict[int, bool] = {}
        missed = 0.0
        for losses in binary:
            count = int(losses.sum())
            # Betting alone depends on the order.
            if name == "betting" or count not in seen:
                seen[count] = limit(losses, DELTA) < RISK
            missed += seen[count] / miss_repeats
        error = math.sqrt(missed * (1 - missed) / miss_repeats)
        print(f"| {name} | {excess:.4f} | {missed:.4f} ± {error:.4f} |", flush=True)


def print_speed(repeats: int) -> None:
    """Every bound of a drawn two-layer model, at delta and at its share."""
    problem = SyntheticProblem(PlantedTwoLayer(kind="planted_two_layer"), 100, 0.1)
    randomness, space = Randomness(0), TwoLayer(kind="two_layer", width=1024)
    training, test = problem.training_sample(20_000, randomness), problem.test_sample(20_000, randomness)
    parameters = space.draw(100, 1, randomness, torch.float64)
    model = LearnedModel(space, parameters, identity_scaling(100), identity_scaling(1), label_range(training))
    for _ in range(repeats):
        subject = bound_subject(model, problem, training, test, False, randomness)
        started, used = time.perf_counter(), time.process_time()
        reports = evaluate_all(chosen_bounds("all"), subject, DELTA, InMemory())
        wall, processor = time.perf_counter() - started, time.process_time() - used
        valued = sum(report.value is not None for report in reports)
        print(
            f"{valued} of {len(reports)} bounds with a value: {wall:.2f} s, {processor:.2f} processor seconds",
            flush=True,
        )


def main() -> None:
    """Print the table, or the seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", action="store_true", help="seconds of all bounds of a large model")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.speed:
        print_speed(5)
    else:
        print_tightness(300, 10_000)


if __name__ == "__main__":
    main()
