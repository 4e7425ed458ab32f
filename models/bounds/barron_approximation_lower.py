"""Inverse approximation theorem: how far networks of bounded path norm stay from f*, whatever their width."""

import math
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.assumptions import Assumption, standing
from models.bounds._concentration import inverse_divergence
from models.bounds._known_target import TARGET, refusal
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.complexities.path_norm_ball import PathNormed, path_norm
from models.problems import SyntheticProblem

RELU = Assumption(name="two_layer_relu", text="f(x) = sum_j a_j max(0, w_j.x + c_j): two layers, activation max(0, t).")
UNIFORM = Assumption(name="uniform_inputs", text="The inputs are uniform on [0,1]^d.")

STEPS = (1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64)
PILOT_SHARE = 5
"""One point in so many chooses the step, the axes and the cut."""
MOST_AXES = 16


class BarronApproximationLower(Bound):
    """inf E|f - f*|^2 over two-layer networks of the model's own path norm Q and of any width, from below.

    Proof. Along axis j a neuron's derivative jumps once, by |a w_j|, so the integral over the cube's inside of |D_j f|,
    D_j f = f(x + h e_j) - 2 f(x) + f(x - h e_j), is at most h^2 sum |a w_j|. Summed over axes J that is at most h^2 Q;
    for f - f* it is at most 4 |J| E|f - f*|. Hence 4 |J| E|f - f*| >= h^2 (V - Q), V = h^{-2} sum_J int |D_j f*|, and
    E|f - f*|^2 is at least the square. V is a mean over random points. A part of them chooses h, J and a number T; from
    the others comes a lower limit of the mean of min(., T), which no range of f* has to be known for.

    So a function whose V is above Q for some h is no limit of such networks (the inverse theorem), and a path norm kept
    below ||f*||_B by a penalty costs what no width repays. The bound is 0 where Q reaches V.
    """

    kind: Literal["barron_approximation_lower"]
    points: Annotated[int, Field(ge=100, le=100_000, description="Random points at which f* is evaluated.")] = 4000

    statement = (
        "With probability at least 1 - delta over the points: inf over two-layer ReLU networks f of path norm at most "
        "Q of E|f(x) - f*(x)|^2 >= (h^2 max(0, V - Q) / (4 |J|))^2, V <= h^{-2} sum_{j in J} int |f*(x + h e_j) - 2 "
        "f*(x) + f*(x - h e_j)| dx, x_j in [h, 1 - h], Q the path norm of the model"
    )
    formula = (
        r"\begin{split} &\text{With probability at least } 1 - \delta \text{ over the points}, \\ "
        r"&\inf\limits_{\|f\|_P \le Q} \mathbb{E} |f(x) - f^*(x)|^2 \ge \left(\frac{h^2 \max(0, V - Q)}{4 "
        r"|J|}\right)^2, \\ &V \le \frac{1}{h^2} \sum_{j \in J} \int_{h \le x_j \le 1 - h} |f^*(x + h e_j) - 2 "
        r"f^*(x) + f^*(x - h e_j)|\, dx \end{split}"
    )
    assumptions = (RELU, TARGET, UNIFORM)
    reference = "e2022barron"
    examples = ({"kind": "barron_approximation_lower"}, {"kind": "barron_approximation_lower", "points": 1000})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound. Randomness: the streams `inverse_pilot`, `inverse_points` of the subject."""
        model, problem = subject.model, subject.problem
        weights = model.space.path_norm_weights(model.parameters) if isinstance(model.space, PathNormed) else None
        if weights is None or weights.outer.shape[1] != 1:
            reason = f"The space {model.space.kind!r} of this model is no two-layer ReLU network of one output."
            return refusal(self, subject, "approximation_error", RELU, reason, delta)
        if problem is None:
            because = "The data are a table: f* is unknown."
            return refusal(self, subject, "approximation_error", TARGET, because, delta)
        if problem.measure != "uniform":
            because = f"The law of the inputs is {problem.measure!r}."
            return refusal(self, subject, "approximation_error", UNIFORM, because, delta)
        norm = path_norm(weights, model.input_scaling, model.output_scaling)
        step, axes, variation = self._variation(subject, problem, norm, delta)
        distance = step**2 * max(0.0, variation - norm) / (4 * len(axes))
        return BoundReport(
            kind=self.kind,
            quantity="approximation_error",
            side="lower",
            delta=delta,
            value=distance**2,
            terms=(BoundTerm(name="mean_distance_squared", value=distance**2),),
            inputs={
                "path_norm": norm,
                "variation_lower_limit": variation,
                "step": step,
                "axes": float(len(axes)),
                "points": float(self.points),
            },
            trivial_value=0.0,
            vacuous=distance <= 0,
            assumptions=(standing(RELU, "checked"), standing(TARGET, "checked"), standing(UNIFORM, "checked")),
            reference=self.reference,
        )

    def _variation(
        self, subject: BoundSubject, problem: SyntheticProblem, norm: float, delta: float
    ) -> tuple[float, list[int], float]:
        """h, J and the lower limit of V."""
        count = self.points // PILOT_SHARE
        pilot = problem.inputs(count, subject.randomness, "inverse_pilot")
        best: tuple[float, float, list[int], float] | None = None
        for step in STEPS:
            every = second_differences(problem, pilot, step, list(range(min(problem.dimension, MOST_AXES))))
            order = every.mean(dim=0).argsort(descending=True).tolist()
            for size in range(1, len(order) + 1):
                sums = every[:, order[:size]].sum(dim=1)
                gain = step**2 * (float(sums.mean()) - norm) / size
                if best is None or gain > best[0]:
                    best = (gain, step, order[:size], float(sums.max()))
        _, step, axes, cut = best or (0.0, STEPS[0], [0], 0.0)
        if cut <= 0:
            return step, axes, 0.0
        inputs = problem.inputs(self.points - count, subject.randomness, "inverse_points")
        share = (second_differences(problem, inputs, step, axes).sum(dim=1) / cut).clamp(max=1)
        # Chernoff's bound of the mean of 1 - share from above.
        rest = inverse_divergence(float(1 - share.mean()), math.log(1 / delta) / len(share))
        return step, axes, cut * (1 - rest)


def second_differences(
    problem: SyntheticProblem, inputs: Float[Tensor, "n d"], step: float, axes: list[int]
) -> Float[Tensor, "n axes"]:
    """(1 - 2h) |f*(x + h e_j) - 2 f*(x) + f*(x - h e_j)| / h^2 with x_j moved into [h, 1 - h]."""
    found = []
    for axis in axes:
        middle = inputs.clone()
        middle[:, axis] = step + (1 - 2 * step) * inputs[:, axis]
        shift = torch.zeros(inputs.shape[1], dtype=torch.float64)
        shift[axis] = step
        values = [problem.target.evaluate(middle + side * shift)[:, 0] for side in (-1, 0, 1)]
        found.append((values[0] - 2 * values[1] + values[2]).abs() * ((1 - 2 * step) / step**2))
    return torch.stack(found, dim=1)
