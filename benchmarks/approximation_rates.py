"""The curse of dimensionality, measured: exponents of the best approximation in rising dimension, beside theory.

    OMP_NUM_THREADS=1 python benchmarks/approximation_rates.py        # two to six minutes; prints Markdown

The target e^{-|x - c|^2 / (2 s^2)}, s = 0.3, is smooth and in the Barron space in every dimension.
A mesh must fill the cube.
"""

import time

from in_memory import InMemory

from models.experiments.approximation_rate import ApproximationRate

WIDTHS = {1: (17, 33, 65, 129), 2: (81, 169, 289, 625), 3: (64, 216, 512, 1000), 4: (81, 256, 625, 1296)}
NETWORK_WIDTHS = (8, 16, 32, 64)


def measured(dimension: int, space: dict[str, str], widths: tuple[int, ...]) -> str:
    """A row of the table."""
    started = time.perf_counter()
    specification = ApproximationRate.model_validate(
        {
            "kind": "approximation_rate",
            "data": {"kind": "target", "target": {"kind": "gaussian", "width": 0.3}, "dimension": dimension},
            "hypothesis_space": space,
            "widths": widths,
            "seeds": 4,
            "reference": {"effort": "quick"},
        }
    )
    (found,) = specification.run(InMemory()).summary["spaces"]
    exponent, theory = found["exponent"], found["theory"]
    told = f"{exponent['value']:.2f} ({exponent['lower']:.2f} to {exponent['upper']:.2f})"
    local = ", ".join(f"{one['value']:.2f}" for one in found["local_exponents"])
    promised = "" if theory is None else f"{theory['exponent']:.2f}"
    spent = time.perf_counter() - started
    return (
        f"| {dimension} | {space['kind']} | {widths[0]} to {widths[-1]} | {told} | {local} | {promised} | {spent:.0f} |"
    )


def main() -> None:
    """Print the table."""
    print(
        "| d | space | m | fitted exponent (95 %) | between neighbours | promised | s |\n|---|---|---|---|---|---|---|"
    )
    for dimension, widths in WIDTHS.items():
        print(measured(dimension, {"kind": "piecewise_linear"}, widths), flush=True)
        print(measured(dimension, {"kind": "two_layer"}, NETWORK_WIDTHS), flush=True)


if __name__ == "__main__":
    main()
