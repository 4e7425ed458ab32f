"""How fast the best approximation of a known target improves as the space grows."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import ConfigDict, Field, ValidationError, model_validator
from torch import Tensor

from models.assumptions import Assumption
from models.data import TargetData
from models.decomposition.reference_training import BUDGETS, ReferenceSearch
from models.decomposition.setting import DecompositionSetting
from models.errors import refuse
from models.experiments._several import Spaces
from models.experiments.base import Experiment, ExperimentResult
from models.hypothesis_spaces import HypothesisSpace
from models.plan import Plan, TableShape
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.rates.best_errors import ERRORS, SELECTION, best_errors, non_increasing, runs
from models.rates.cost import rate_plan
from models.rates.power_law import PowerLaw, mean_errors, power_law
from models.rates.reading import reading
from models.run_context import Part, RunContext, advance
from models.theoretical_rates import theoretical_rate

FEWEST_WIDTHS = 3


class ApproximationRate(Experiment):
    """The exponent of E|f* - f_m|^2 against m, fitted with its interval, beside what the theory promises.

    f_m is the best function of the space: in a linear space the L2(mu) projection over fresh noiseless points, found
    anew for each of `seeds` draws of its features; in others the best of restarts on fresh points, one search for each
    width, whose own shortcomings no interval knows. All errors are measured at the same `test_size` points. m is the
    number of functions that a width gives: a mesh takes the finest that fits. Local exponents and a curvature say
    whether the error is a power of m over these widths at all.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    kind: Literal["approximation_rate"]
    data: Annotated[TargetData, Field(description="A synthetic target; its noise plays no part.")]
    hypothesis_space: Annotated[Spaces, Field(description="One space or up to 8; their own width is not used.")]
    widths: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65_536)], ...], Field(min_length=FEWEST_WIDTHS, max_length=64)
    ]
    seeds: Annotated[int, Field(ge=1, le=256, description="S, draws of random features.")] = 8
    seed: Annotated[int, Field(ge=0, le=2**62, description="The first of the S seeds.")] = 0
    test_size: Annotated[int, Field(ge=100, le=1_000_000, description="Points at which errors are measured.")] = 20_000
    # Every kind's class attribute `reference` is its bibliography key; in JSON the field is still called so.
    reference_search: Annotated[ReferenceSearch, Field(alias="reference")] = ReferenceSearch()

    statement: ClassVar[str] = "E|f* − f_m|² ≈ c m^γ over the widths m: γ by least squares of the logarithms"
    formula: ClassVar[str] = (
        r"\inf_{f \in \mathcal{H}_m} \mathbb{E} \left| f(x) - f^*(x) \right|^2 \approx c \, m^{\gamma}, \qquad "
        r"\hat\gamma = \frac{\sum_m (\ln m - \overline{\ln m}) \ln e_m}{\sum_m (\ln m - \overline{\ln m})^2}"
    )
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        Assumption(name="known_target", text="f* is known and fresh points of its law can be drawn."),
        Assumption(
            name="best_function_found",
            text="Outside linear spaces, the restarts come near the best function of the space at every width.",
        ),
    )
    reference: ClassVar[str] = "devore1998nonlinear"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "kind": "approximation_rate",
            "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2},
            "hypothesis_space": [{"kind": "random_features"}, {"kind": "piecewise_linear"}],
            "widths": [9, 16, 36, 64],
            "seeds": 3,
            "test_size": 2000,
            "reference": {"effort": "quick"},
        },
    )

    @model_validator(mode="after")
    def _widths_make_a_curve(self) -> "ApproximationRate":
        if len(set(self.widths)) != len(self.widths):
            refuse("/widths", "A width is named twice.")
        for space in self.spaces:
            sizes: set[int] = set()
            for width in sorted(self.widths):
                try:
                    at_width = space.with_width(width)
                except ValidationError as error:
                    refuse("/widths", f"The space {space.kind!r} has no width {width}: {error.errors()[0]['msg']}.")
                if at_width.depends_on_sample:
                    refuse("/hypothesis_space", f"{space.kind} is built on a sample, so it has no best function.")
                reason = at_width.check_dimension(self.data.dimension)
                if reason is not None:
                    refuse("/widths", reason)
                sizes.add(self._functions(at_width))
            if len(sizes) < len(self.widths):
                refuse("/widths", f"Several widths give the space {space.kind!r} the same functions; set them apart.")
        return self

    def _functions(self, space: HypothesisSpace) -> int:
        return space.feature_count(self.data.dimension) if space.linear else int(space.model_dump()["width"])

    @property
    def spaces(self) -> tuple[HypothesisSpace, ...]:
        """The spaces, one or several."""
        return self.hypothesis_space if isinstance(self.hypothesis_space, tuple) else (self.hypothesis_space,)

    def grid_cells(self) -> int:
        """Spaces times widths."""
        return len(self.spaces) * len(self.widths)

    def _rows(self) -> list[list[HypothesisSpace]]:
        return [[space.with_width(width) for width in sorted(self.widths)] for space in self.spaces]

    def plan(self, tables: Mapping[str, TableShape]) -> Plan:
        """The cost of the projections and searches, and of the test points."""
        budget = BUDGETS[self.reference_search.effort]
        return rate_plan(self._rows(), self.data.dimension, self.seeds, self.test_size, budget)

    def run(self, context: RunContext) -> ExperimentResult:
        """Errors of every space and width, the fitted power laws, and a sentence for each space.

        Raises:
            NumericalFailure: a prediction is not finite.
            Stopped: the context asked for it; polled at every block of a projection and every step of a search.
        """
        problem = self.data.problem(context, Randomness(self.seed))
        shared = Randomness(self.seed).child("approximation_rate")
        setting = DecompositionSetting(
            population=problem,
            dimension=problem.dimension,
            output_dimension=len(problem.output_names),
            sample_sizes=(),
            seeds=tuple(Randomness(self.seed + index) for index in range(self.seeds)),
            test_inputs=problem.inputs(self.test_size, shared, "test"),
            budget=BUDGETS[self.reference_search.effort],
            shared=shared,
            device=context.device,
        )
        rows = self._rows()
        tasks = [(space, index) for row in rows for space in row for index in range(runs(space, self.seeds))]

        def compute(place: int) -> Part:
            space, index = tasks[place]
            randomness = setting.seeds[index] if space.linear else shared

            def report(step: int, total: int, empirical_risk: float | None = None) -> None:
                advance(context, "approximation", place, len(tasks))

            return best_errors(
                space,
                setting,
                randomness,
                report,
            )

        parts = context.parts("approximation", len(tasks), compute, self.plan({}).estimated_seconds)
        mean_square = float((problem.target.evaluate(setting.test_inputs) ** 2).sum(dim=1).mean())
        found, start = [], 0
        for row in rows:
            count = runs(row[0], self.seeds)
            of_row = [parts[start + place] for place in range(len(row) * count)]
            found.append(self._space(row, of_row, count, problem, mean_square))
            start += len(of_row)
        summary = {
            "target": {"kind": problem.target.kind, "mean_square": mean_square},
            "dimension": problem.dimension,
            "spaces": found,
            "reference_effort": self.reference_search.effort,
        }
        return ExperimentResult(summary=summary)

    def _space(
        self, row: list[HypothesisSpace], parts: list[Part], count: int, problem: SyntheticProblem, mean_square: float
    ) -> dict[str, Any]:
        space = row[0]
        errors: Float[Tensor, "s w i"] = torch.stack([part[ERRORS] for part in parts]).unflatten(0, (-1, count))
        errors = errors.transpose(0, 1)
        if space.contains_narrower and not space.linear:
            errors = non_increasing(errors[0], torch.stack([part[SELECTION] for part in parts]))[None]
        sizes = [self._functions(one) for one in row]
        law = power_law(sizes, errors, mean_square)
        means = mean_errors(errors, "monte_carlo" if space.linear else "best_of_restarts")
        theory = theoretical_rate(space, problem)
        return {
            "hypothesis_space": space.model_dump(mode="json", exclude={"width"}),
            "widths": sizes,
            "errors": [error.model_dump(mode="json") for error in means],
            **_fitted(law),
            "theory": None if theory is None else theory.model_dump(mode="json"),
            "reading": reading(space.kind, law, theory),
        }


def _fitted(law: PowerLaw | None) -> dict[str, Any]:
    if law is None:
        return {"fitted_widths": [], "exponent": None, "local_exponents": [], "curvature": None}
    return {
        "fitted_widths": list(law.widths),
        "exponent": law.exponent.model_dump(mode="json"),
        "local_exponents": [one.model_dump(mode="json") for one in law.local],
        "curvature": law.curvature.model_dump(mode="json"),
    }
