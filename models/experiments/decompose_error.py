"""Where the error comes from: approximation, estimation and optimization over widths and sample sizes."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from models.assumptions import Assumption
from models.data import Data, DatasetData, TargetData
from models.decomposition.cost import decomposition_plan
from models.decomposition.progress import GridProgress
from models.decomposition.reference_training import BUDGETS, ReferenceSearch
from models.decomposition.sequential_stopping import SequentialStopping
from models.decomposition.setting import DecompositionSetting, Polls
from models.decomposition.table_decomposition import decompose_table, table_plan
from models.decomposition.table_grid import TableSetting
from models.decomposition.target_decomposition import decompose_target
from models.errors import AssumptionFailed, InvalidData, refuse
from models.experiments._several import Learners, Spaces
from models.experiments.base import Experiment, ExperimentResult
from models.hypothesis_spaces import HypothesisSpace
from models.learners import Learner
from models.plan import Plan, TableShape
from models.problems import SyntheticProblem
from models.randomness import Randomness
from models.run_context import Parts, RunContext
from models.table_splits import MOST_FOLDS, largest_fold

FEWEST_SEEDS = 8
"""From so many on a first error bar may decide whether seeds are added."""
FEWEST_TEST_ROWS = 2
MAX_UNITS = 20_000
"""Functions to train, with every fold: spaces x widths x sample sizes x seeds."""


class DecomposeError(Experiment):
    """R(f^) - noise in three terms for every space, width m and sample size n, each with its error bar and an advice.

    f_m is the best function of the space, f~ the best on the sample. In a linear space f_m is the L2(mu) projection
    over fresh noiseless points and f~ is least squares (of minimum norm where m > n); a learner's penalty belongs to
    f^, so its bias is part of the optimization term, and is given beside it: `regularization_bias` is
    R(f_{m,penalty}) - R(f_m), f_{m,penalty} the minimiser of R(f) + penalty |a|^2. In other spaces both are the best
    of restarts: approximation and estimation then move if more effort is spent, and approximation is the upper end of
    a bracket that starts at 0.

    Seed s uses the random tree of `seed` + s: its sample, draw and learner streams serve every space, width and n.
    All functions are measured at the same test inputs against f* itself; the noise variance is added exactly.
    On a table f* is unknown: rows that did not train measure the risks, R(f_m) is the limit of the learning curve over
    the `sample_sizes` (three or more), and approximation and noise are one number unless repeated inputs tell the
    noise. With few rows the risks are cross-validated (`folds`): every row tests once in the random order of each
    seed, and every choice of a learner is made within the training rows of the fold.
    Linear spaces are computed in float64, others in float32.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    kind: Literal["decompose_error"]
    data: Annotated[Data, Field(description="A synthetic target, or a table.")]
    hypothesis_space: Annotated[Spaces, Field(description="One space or up to 8; their own width is not used.")]
    learner: Annotated[Learners, Field(description="One learner for all spaces, or one for each.")]
    widths: Annotated[tuple[Annotated[int, Field(ge=1, le=65_536)], ...], Field(min_length=1, max_length=64)]
    sample_sizes: Annotated[tuple[Annotated[int, Field(ge=1, le=10_000_000)], ...], Field(min_length=1, max_length=64)]
    seeds: Annotated[int, Field(ge=1, le=256, description="S, independent repetitions.")] = 4
    precision: Annotated[
        float | None,
        Field(gt=0, lt=1, description="Standard error of each cell's excess risk over its value; seeds are added."),
    ] = None
    most_seeds: Annotated[int, Field(ge=1, le=256, description="With a `precision`: never more seeds.")] = 64
    seed: Annotated[int, Field(ge=0, le=2**62, description="The first of the S seeds.")] = 0
    test_size: Annotated[
        int, Field(ge=2, le=1_000_000, description="Test inputs common to all cells; a table has its own.")
    ] = 20_000
    requested_risk: Annotated[
        float | None, Field(gt=0, le=1e300, description="In label units squared: the cheapest purchase to reach it.")
    ] = None
    folds: Annotated[
        int | None,
        Field(
            ge=1,
            le=MOST_FOLDS,
            description="Of a table: V folds of cross-validation, at V times the trainings; 1 holds test_fraction out "
            "once. None: below 1,000 rows, unless test_rows are named, about 1/test_fraction; else 1.",
        ),
    ] = None
    # Every kind's class attribute `reference` is its bibliography key; in JSON the field is still called so.
    reference_search: Annotated[ReferenceSearch, Field(alias="reference")] = ReferenceSearch()

    statement: ClassVar[str] = "R(f̂) = σ² + [R(f_m) − R(f*)] + [R(f̃) − R(f_m)] + [R(f̂) − R(f̃)]"
    formula: ClassVar[str] = (
        r"\begin{split} R(\hat{f}) = \sigma^2 &+ \underbrace{R(f_m) - R(f^*)}_{\text{approximation}} \\ &+ "
        r"\underbrace{R(\tilde{f}) - R(f_m)}_{\text{estimation}} + \underbrace{R(\hat{f}) - "
        r"R(\tilde{f})}_{\text{optimization}} \end{split}"
    )
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        Assumption(
            name="known_target",
            text="f* is known and fresh points of its law can be drawn; or, on a table, risks follow a law of n.",
        ),
        Assumption(
            name="reference_functions_found",
            text="Outside linear spaces, the restarts come near the best function of the space and of the sample.",
        ),
    )
    reference: ClassVar[str] = "bottou2007tradeoffs"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "kind": "decompose_error",
            "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 3, "noise": 0.1},
            "hypothesis_space": {"kind": "random_features"},
            "learner": {"kind": "ridge", "penalty": 0.001},
            "widths": [4, 16],
            "sample_sizes": [32, 128],
            "seeds": 2,
            "test_size": 1000,
            "reference": {"effort": "quick"},
        },
    )

    @model_validator(mode="after")
    def _grid_can_be_run(self) -> "DecomposeError":
        learners = self.learner if isinstance(self.learner, tuple) else (self.learner,)
        if self.precision is not None and isinstance(self.data, DatasetData):
            refuse("/precision", "On a table seeds reorder the same rows; its error bars shorten with more rows.")
        if self.precision is not None and self.seeds < FEWEST_SEEDS:
            refuse("/seeds", f"Fewer than {FEWEST_SEEDS} seeds do not tell when to stop.")
        if self.precision is not None and self.most_seeds < self.seeds:
            refuse("/most_seeds", f"It is below the {self.seeds} seeds to begin with; raise it or lower seeds.")
        if isinstance(self.learner, tuple) and len(learners) != len(self.spaces):
            refuse("/learner", f"{len(learners)} learners cannot be paired with {len(self.spaces)} hypothesis spaces.")
        if self.folds is not None and self.folds > 1:
            if not isinstance(self.data, DatasetData):
                refuse("/folds", "A synthetic target is measured at fresh test inputs; folds are for tables.")
            if self.data.test_rows is not None:
                refuse("/folds", "Folds rotate the test rows; test_rows fixes them.")
        for name, values in (("widths", self.widths), ("sample_sizes", self.sample_sizes)):
            if len(set(values)) != len(values):
                refuse(f"/{name}", "A value is named twice.")
        if self.units > MAX_UNITS:
            refuse("/widths", f"The grid has {self.units} functions to train; at most {MAX_UNITS} are allowed.")
        for space, learner in self.pairs:
            if learner.standardise:
                refuse("/learner", "A learner that standardises changes the space with every sample; set it to false.")
            for width in self.widths:
                try:
                    at_width = space.with_width(width)
                except ValidationError as error:
                    refuse("/widths", f"The space {space.kind!r} has no width {width}: {error.errors()[0]['msg']}.")
                reason = learner.refuses(at_width)
                if reason is not None:
                    refuse("/learner", reason)
                if at_width.depends_on_sample:
                    refuse(
                        "/hypothesis_space",
                        f"{space.kind} is built on the sample, so its best function f_m is not defined without one; "
                        "its random features (kind random_features) approach it as their width grows.",
                    )
                if isinstance(self.data, TargetData):
                    reason = at_width.check_dimension(self.data.dimension)
                    if reason is not None:
                        refuse("/widths", reason)
        return self

    def dataset_ids(self) -> frozenset[str]:
        """The dataset of the data, if any."""
        return frozenset({self.data.dataset_id}) if isinstance(self.data, DatasetData) else frozenset()

    @property
    def spaces(self) -> tuple[HypothesisSpace, ...]:
        """The spaces, one or several."""
        return self.hypothesis_space if isinstance(self.hypothesis_space, tuple) else (self.hypothesis_space,)

    @property
    def pairs(self) -> tuple[tuple[HypothesisSpace, Learner], ...]:
        """Each space with its learner."""
        if isinstance(self.learner, tuple):
            return tuple(zip(self.spaces, self.learner, strict=True))
        return tuple((space, self.learner) for space in self.spaces)

    @property
    def units(self) -> int:
        """Functions to train at most: spaces x widths x sample sizes x seeds."""
        return len(self.spaces) * len(self.widths) * len(self.sample_sizes) * self.most_runs

    @property
    def most_runs(self) -> int:
        """Seeds that may run."""
        return self.seeds if self.precision is None else max(self.seeds, self.most_seeds)

    def grid_cells(self) -> int:
        """Spaces and learners, times widths, times sample sizes; every cell is computed for each seed."""
        return len(self.pairs) * len(self.widths) * len(self.sample_sizes)

    def plan(self, tables: Mapping[str, TableShape]) -> Plan:
        """The cost of the trainings, of the reference functions and of the common test inputs."""
        dimension, outputs, training = self.data.shape(tables)
        rows = [([space.with_width(width) for width in self.widths], learner) for space, learner in self.pairs]
        budget = BUDGETS[self.reference_search.effort]
        if not isinstance(self.data, DatasetData) or training is None:
            return decomposition_plan(
                rows, dimension, outputs, self.sample_sizes, self.most_runs, self.test_size, budget
            )
        table = tables[self.data.dataset_id]
        labelled = self.data.columns(table).labelled_rows(table)
        folds = self.data.fold_count(table, self.folds, max(self.sample_sizes))
        scored = table.rows - training if folds == 1 else labelled
        self._check_test_rows(self.data, labelled, folds)
        self._check_rows(training if folds == 1 else labelled - largest_fold(labelled, folds))
        if folds * self.units > MAX_UNITS:
            detail = f"{folds} folds make {folds * self.units} functions to train; at most {MAX_UNITS} are allowed."
            raise InvalidData(detail, "/folds")
        return table_plan(rows, dimension, outputs, self.sample_sizes, self.seeds, folds, scored, budget)

    def _check_test_rows(self, data: DatasetData, labelled: int, folds: int) -> None:
        named = data.test_rows is not None
        tested = labelled if folds > 1 else len(set(data.test_rows or ())) if named else data.held_out(labelled)
        if tested < FEWEST_TEST_ROWS:
            field = "/data/test_rows" if named else "/data/test_fraction"
            raise InvalidData(f"{tested} test row has no spread, and so no error bar: two are needed.", field)

    def _check_rows(self, training: int) -> None:
        if max(self.sample_sizes) > training:
            detail = f"{max(self.sample_sizes)} training rows are asked for; there are {training}."
            raise InvalidData(detail, "/sample_sizes")

    def run(self, context: RunContext) -> ExperimentResult:
        """The cells in the order spaces, widths, sample sizes, and a summary with one reading for each space.

        Raises:
            TrainingDiverged: a learner left every bounded set.
            Stopped: the context asked for it; polled every few optimization steps.
        """
        if isinstance(self.data, DatasetData):
            return self._run_table(context, self.data)
        problem = self.data.problem(context, Randomness(self.seed))
        if not isinstance(problem, SyntheticProblem):
            raise AssumptionFailed("The approximation error needs a known f*, or a table.", "/data")
        setting = DecompositionSetting(
            population=problem,
            dimension=problem.dimension,
            output_dimension=len(problem.output_names),
            sample_sizes=self.sample_sizes,
            seeds=tuple(Randomness(self.seed + index) for index in range(self.most_runs)),
            test_inputs=problem.inputs(self.test_size, Randomness(self.seed).child("decompose_error"), "test"),
            budget=BUDGETS[self.reference_search.effort],
            shared=Randomness(self.seed).child("decompose_error"),
            device=context.device,
        )
        polls, parts = self._surroundings(context, self.units, {})
        found = decompose_target(
            problem,
            self.pairs,
            self.widths,
            setting,
            None if self.precision is None else SequentialStopping(self.seeds, self.precision),
            self.requested_risk,
            self._place,
            polls,
            parts,
        )
        summary = found.summary | {"reference_effort": self.reference_search.effort}
        return ExperimentResult(summary=summary, decompositions=found.cells)

    def _run_table(self, context: RunContext, data: DatasetData) -> ExperimentResult:
        table, randomness = context.table(data.dataset_id), Randomness(self.seed)
        splits = data.splits(table, self.folds, max(self.sample_sizes), randomness)
        self._check_rows(splits.training_rows)
        setting = TableSetting(
            splits=splits,
            sample_sizes=self.sample_sizes,
            seeds=tuple(Randomness(self.seed + index) for index in range(self.seeds)),
            budget=BUDGETS[self.reference_search.effort],
            device=context.device,
        )
        tables = {data.dataset_id: table.shape(data.category_columns)}
        polls, parts = self._surroundings(context, splits.folds * self.units, tables)
        found = decompose_table(
            self.pairs, self.widths, setting, randomness, self.requested_risk, self._place, polls, parts
        )
        summary = found.summary | {"reference_effort": self.reference_search.effort}
        return ExperimentResult(summary=summary, decompositions=found.cells)

    def _surroundings(self, context: RunContext, units: int, tables: Mapping[str, TableShape]) -> tuple[Polls, Parts]:
        progress, seconds = GridProgress(context, units), self.plan(tables).estimated_seconds
        polls = Polls(progress.poll("training"), progress.poll("reference"), progress.unit_done)
        return polls, lambda name, count, compute: context.parts(name, count, compute, seconds)

    def _place(
        self, space: HypothesisSpace, learner: Learner, dimension: int, width: int, sample_size: int
    ) -> dict[str, Any]:
        return {
            "hypothesis_space": space.model_dump(mode="json"),
            "learner": learner.model_dump(mode="json"),
            "data": self.data.model_dump(mode="json"),
            "dimension": dimension,
            "width": width,
            "sample_size": sample_size,
        }
