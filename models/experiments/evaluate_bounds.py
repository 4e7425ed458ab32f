"""Evaluate bounds for a learned model that exists already."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from models.assumptions import Assumption
from models.bound_evaluation import BoundList, Delta, bound_subject, chosen_bounds, evaluate_all, joint_confidence
from models.errors import AssumptionFailed
from models.experiments.base import Experiment, ExperimentResult
from models.plan import Plan, TableShape
from models.provenance import draw_samples, read_provenance
from models.run_context import RunContext

UNKNOWN_SIZE_BYTES = 2**28
"""Memory set aside for a model and samples whose sizes are known only when they are read."""


class EvaluateBounds(Experiment):
    """Draw the model's training and held-out samples again, from its manifest, and evaluate bounds on them.

    The same bounds at the same delta as the job that trained it give the same numbers. Each holds at its own delta; the
    summary says what a union bound leaves for all of them, and names the best at delta over their number, which may be
    chosen after looking.
    """

    kind: Literal["evaluate_bounds"]
    model_id: Annotated[str, Field(pattern=r"^mdl_[0-9a-z]{1,40}$", description="The learned model.")]
    bounds: Annotated[Literal["all"] | BoundList, Field(description='"all": one of each kind with its defaults.')] = (
        "all"
    )
    delta: Delta = 0.05

    statement: ClassVar[str] = "P(R(f̂) > bound) ≤ δ or P(R(f̂) − R̂_n(f̂) > bound) ≤ δ, for each bound"
    formula: ClassVar[str] = (
        r"\mathbb{P}\left(R(\hat{f}) > \text{bound}\right) \le \delta \quad \text{or} \quad "
        r"\mathbb{P}\left(R(\hat{f}) - \hat{R}_n(\hat{f}) > \text{bound}\right) \le \delta"
    )
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        Assumption(name="samples_repeatable", text="The data and the seed of the model's manifest give its samples."),
    )
    reference: ClassVar[str] = "shalev2014understanding"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "evaluate_bounds", "model_id": "mdl_0123456789abcdef"},
        {
            "kind": "evaluate_bounds",
            "model_id": "mdl_0123456789abcdef",
            "bounds": [{"kind": "path_norm_ball", "sign_draws": 4000}],
            "delta": 0.01,
        },
    )

    def model_ids(self) -> frozenset[str]:
        """The model."""
        return frozenset({self.model_id})

    def plan(self, tables: Mapping[str, TableShape]) -> Plan:
        """A nominal cost: the sizes are known only when the model is read."""
        return Plan(
            parameters=0, peak_memory_bytes=UNKNOWN_SIZE_BYTES, floating_point_operations=0.0, estimated_seconds=1.0
        )

    def run(self, context: RunContext) -> ExperimentResult:
        """Evaluate.

        Raises:
            InvalidData: the manifest does not say how to draw the samples, or the table does not serve any more.
            AssumptionFailed: the model is not clipped to a range.
            Stopped: polled before every bound.
        """
        stored = context.learned_model(self.model_id)
        if stored.model.output_range is None:
            raise AssumptionFailed("The model's predictions are not clipped, so its loss has no a priori range.")
        source = read_provenance(stored.manifest)
        drawn = draw_samples(context, source.data, source.sample_size, source.test_size, source.seed)
        problem, training, held_out = drawn
        subject = bound_subject(stored.model, problem, training, held_out, source.scaled_from_sample, source.randomness)
        reports = evaluate_all(chosen_bounds(self.bounds), subject, self.delta, context)
        return ExperimentResult(
            summary={
                "model_id": self.model_id,
                "sample_size": training.size,
                "held_out_size": held_out.size,
                "loss_cap": subject.loss_cap,
                "bounds": [report.model_dump(mode="json") for report in reports],
                "joint_confidence": joint_confidence(reports, self.delta),
            },
            evaluated_bounds={self.model_id: reports},
        )
