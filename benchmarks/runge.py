"""The Runge phenomenon: polynomials through equally spaced points diverge, least squares in the same space converges.

    python benchmarks/runge.py                                  # seconds; prints a Markdown table

f*(t) = 1/(1 + 25 t^2) on [-1,1], the target `runge` in d = 1. Space: `polynomial` of degree p in Legendre's basis;
learner: `least_squares`, once on p + 1 equally spaced points, which it interpolates, once on 10,000 uniform draws.
Errors over 20,001 equally spaced points. f* is analytic inside the ellipse through its poles +-i/5, of parameter
rho = (1 + sqrt(26))/5: the best error falls like rho^-p. The error of interpolation grows
like e^(0.399 p), U(1) - U(i/5) of the potential U(z) = (1/2) int log|z - t| dt of equally spaced points.
"""

import math

import torch

from models.hypothesis_spaces.polynomial import Polynomial
from models.learners.least_squares import LeastSquares
from models.optimisation import unwatched
from models.randomness import Randomness, uniform_rows
from models.samples import Sample
from models.targets.runge import Runge

DEGREES = (4, 8, 12, 16, 20, 24, 28, 32, 36, 40)
ROWS = 10_000
RHO = (1 + math.sqrt(26)) / 5
TARGET = Runge(kind="runge")
FINE = torch.linspace(0, 1, 20_001, dtype=torch.float64)[:, None]


def residuals(degree: int, inputs: torch.Tensor) -> tuple[torch.Tensor, float]:
    """f^ - f* over the fine grid, f^ fitted to f* at `inputs`, and the condition number of the features."""
    space = Polynomial(kind="polynomial", degree=degree)
    sample = Sample(inputs, TARGET.evaluate(inputs))
    fitted = LeastSquares(kind="least_squares").fit(space, sample, Randomness(0), unwatched)
    condition = fitted.details["condition_number"]
    assert isinstance(condition, float)
    return space.evaluate(fitted.parameters, FINE) - TARGET.evaluate(FINE), condition


def barycentric(degree: int) -> torch.Tensor:
    """The interpolant's residuals by another formula: weights (-1)^j C(p, j) at equally spaced points."""
    nodes = torch.arange(degree + 1, dtype=torch.float64) / degree
    weights = torch.tensor([(-1.0) ** j * math.comb(degree, j) for j in range(degree + 1)], dtype=torch.float64)
    # 0/0 at the nodes, which the caller leaves out.
    parts = weights / (FINE - nodes)
    values = (parts @ TARGET.evaluate(nodes[:, None])) / parts.sum(dim=1, keepdim=True)
    return values - TARGET.evaluate(FINE)


def errors(residual: torch.Tensor) -> tuple[float, float]:
    """max |e| and (integral of e^2 over the uniform measure)^(1/2)."""
    return float(residual.abs().max()), float(residual.square().mean().sqrt())


def main() -> None:
    """Measure, compare with the barycentric formula, and print."""
    torch.set_num_threads(1)
    drawn = uniform_rows(Randomness(0), "inputs", ROWS, 1)
    print("| degree | interpolation: max error | L2 error | condition | least squares: max error | L2 error | rho^-p |")
    print("|---" * 7 + "|")
    for degree in DEGREES:
        nodes = torch.arange(degree + 1, dtype=torch.float64)[:, None] / degree
        through, condition = residuals(degree, nodes)
        other = barycentric(degree)
        seen = torch.isfinite(other)
        assert float((through - other)[seen].abs().max()) <= 1e-4 * float(through.abs().max())
        best, _ = residuals(degree, drawn)
        numbers = (*errors(through), condition, *errors(best), RHO**-degree)
        print(f"| {degree} | {' | '.join(f'{number:.2g}' for number in numbers)} |")


if __name__ == "__main__":
    main()
