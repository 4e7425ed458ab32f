"""Train one model, measure it, certify it and store it."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from models.artefacts import ExportedModel, export, promoted
from models.assumptions import Assumption
from models.bound_evaluation import BoundList, Delta, bound_subject, chosen_bounds, evaluate_all, joint_confidence
from models.bounds import BoundReport, BoundSubject
from models.bounds.held_out_betting import HeldOutBetting, rows_outside_range
from models.data import Data, DatasetData
from models.errors import InvalidData, refuse
from models.experiments.base import Experiment, ExperimentResult, LearnedModelRecord
from models.fit_cost import fit_plan
from models.fit_reading import FitRisks, fit_advice, fit_risks, shown_predictions
from models.hypothesis_spaces import AnyHypothesisSpace
from models.learned_model import LearnedModel
from models.learners import AnyLearner, Fitted
from models.learning import label_range, learn
from models.manifest import Certificate
from models.plan import Plan, TableShape
from models.problems import Problem, TabularProblem
from models.provenance import Provenance, draw_samples
from models.run_context import RunContext, advance

FILES = {
    "weights": "models/0/weights.safetensors",
    "graph": "models/0/model.onnx",
    "manifest": "models/0/manifest.json",
}


class Fit(Experiment):
    """f^ of one learner in one space from one sample, with its risks, bounds and files.

    Predictions are clipped to the range of the training labels: what is measured, certified and served is the clipped
    model in float64. The held-out rows serve for the risk, the baseline and the certificate, and for nothing before
    them. Random streams: the subtrees `data`, `learning` and `bounds` of the seed.
    """

    kind: Literal["fit"]
    data: Data
    hypothesis_space: AnyHypothesisSpace
    learner: AnyLearner
    sample_size: Annotated[
        int | None, Field(ge=1, le=10_000_000, description="n; None: every training row of a dataset.")
    ] = None
    seed: Annotated[int, Field(ge=0, lt=2**63, description="The seed of every random stream.")] = 0
    model_name: Annotated[
        str | None,
        Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,99}$", description="Name to register under; None: the space's kind."),
    ] = None
    bounds: Annotated[
        Literal["all", "none"] | BoundList, Field(description='"all": one of each kind with its defaults.')
    ] = "all"
    delta: Delta = 0.05
    test_size: Annotated[
        int, Field(ge=2, le=1_000_000, description="Fresh test rows of a target; a dataset has its own test rows.")
    ] = 10_000

    statement: ClassVar[str] = "f̂ = learner(H_m, S),  R̂_n(f̂),  R(f̂) ± s.e.,  P(R(f̂) > bound) ≤ δ"
    formula: ClassVar[str] = (
        r"\begin{split} \hat{f} &= \operatorname{clip} \mathcal{A}(H_m, S), \quad \hat{R}_n(\hat{f}) = \frac{1}{n} "
        r"\sum_{i=1}^n |\hat{f}(x_i) - y_i|^2, \\ R(\hat{f}) &\approx \frac{1}{n'} \sum_{i=1}^{n'} |\hat{f}(x_i') - "
        r"y_i'|^2 \;\pm\; \text{s.e.}, \quad \mathbb{P}\left(R(\hat{f}) > \text{bound}\right) \le \delta \end{split}"
    )
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        Assumption(name="iid_rows", text="Training and test rows are i.i.d. from one law, the one of later inputs."),
    )
    reference: ClassVar[str] = "shalev2014understanding"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "kind": "fit",
            "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 3, "noise": 0.1},
            "hypothesis_space": {"kind": "random_features", "width": 30},
            "learner": {"kind": "ridge", "penalty": 0.001},
            "sample_size": 200,
            "test_size": 500,
            "model_name": "cosine",
        },
        {
            "kind": "fit",
            "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.0},
            "hypothesis_space": {"kind": "two_layer", "width": 16},
            "learner": {"kind": "adam", "steps": 100},
            "sample_size": 100,
            "seed": 1,
            "test_size": 500,
            "bounds": [{"kind": "path_norm_ball"}, {"kind": "held_out_betting"}],
            "delta": 0.01,
        },
    )

    @model_validator(mode="after")
    def _can_be_run(self) -> "Fit":
        if self.sample_size is None and not isinstance(self.data, DatasetData):
            refuse("/sample_size", "A synthetic target has any number of rows: name a sample_size.")
        reason = self.learner.refuses(self.hypothesis_space)
        if reason is not None:
            refuse("/learner", reason)
        return self

    def dataset_ids(self) -> frozenset[str]:
        """The dataset of the data, if any."""
        return frozenset({self.data.dataset_id}) if isinstance(self.data, DatasetData) else frozenset()

    @property
    def name(self) -> str:
        """The name that the model is registered under."""
        return self.model_name or self.hypothesis_space.kind

    def plan(self, tables: Mapping[str, TableShape]) -> Plan:
        """The cost of training, measuring and the bounds.

        Raises:
            InvalidData: a column does not serve, or there are fewer training rows than `sample_size`.
        """
        inputs, outputs, rows = self.data.shape(tables)
        size = self.sample_size if self.sample_size is not None else rows
        if size is None or (rows is not None and size > rows):
            raise InvalidData(f"{size} training rows are asked for; there are {rows}.", "/sample_size")
        test = self.test_size
        if isinstance(self.data, DatasetData) and rows is not None:
            test = tables[self.data.dataset_id].rows - rows
        reason = self.hypothesis_space.check_dimension(inputs)
        if reason is not None:
            raise InvalidData(reason, "/hypothesis_space")
        space = self.hypothesis_space.for_sample(size, standardised=False)
        return fit_plan(space, self.learner, inputs, outputs, size, test, chosen_bounds(self.bounds))

    def run(self, context: RunContext) -> ExperimentResult:
        """Train, measure, certify, export.

        Raises:
            InvalidData: the table does not serve.
            TrainingDiverged: from the learner.
            NumericalFailure: a prediction is not finite, or the exported graph is not the model.
            Stopped: polled every few optimization steps and before every bound.
        """
        problem, training, held_out = draw_samples(context, self.data, self.sample_size, self.test_size, self.seed)
        standardise = self.learner.standardise
        provenance = Provenance(
            data=self.data,
            sample_size=self.sample_size,
            test_size=self.test_size,
            seed=self.seed,
            scaled_from_sample=problem.scale_by_default if standardise is None else standardise,
            specification=self.model_dump(mode="json"),
        )
        learnt, found = learn(
            self.hypothesis_space,
            self.learner,
            training,
            provenance.randomness.child("learning"),
            lambda step, total, risk=None: advance(context, "training", step, total, risk),
            scale_by_default=problem.scale_by_default,
            output_range=label_range(training),
            device=context.device,
            checkpoints=context.checkpoints,
        )
        model = promoted(learnt)
        fitted = None if found.outputs is None else model.finished(found.outputs.cpu())
        risks = fit_risks(model, problem, training, held_out, context.device, fitted)
        subject = bound_subject(
            model, problem, training, held_out, provenance.scaled_from_sample, provenance.randomness, fitted
        )
        reports = evaluate_all(chosen_bounds(self.bounds), subject, self.delta, context)
        certificate = self._certificate(subject)
        exported = self._store(context, model, problem, provenance, certificate, math.sqrt(risks.trained.value))
        record = LearnedModelRecord(
            name=self.name,
            digest=exported.digest,
            manifest=exported.manifest,
            files=FILES,
            risks=risks.record(),
            bounds=reports,
            dataset_ids=tuple(sorted(self.dataset_ids())),
        )
        return ExperimentResult(
            summary=self._summary(problem, risks, reports, subject, found, exported),
            learned_models=(record,),
        )

    def _certificate(self, subject: BoundSubject) -> Certificate:
        """The held-out bound that travels with the model, whichever bounds the job reports."""
        report = HeldOutBetting(kind="held_out_betting").evaluate(subject, self.delta)
        return Certificate(
            risk_upper_bound=subject.loss_cap if report.value is None else report.value,
            loss_cap=subject.loss_cap,
            confidence=1 - self.delta,
            sample_size=subject.held_out.size,
            labels_outside_range=rows_outside_range(subject),
        )

    def _store(
        self,
        context: RunContext,
        model: LearnedModel,
        problem: Problem,
        provenance: Provenance,
        certificate: Certificate,
        root_risk: float,
    ) -> ExportedModel:
        exported = export(
            model,
            name=self.name,
            encoding=problem.encoding,
            output_names=problem.output_names,
            classes=problem.classes if isinstance(problem, TabularProblem) else None,
            provenance=provenance.model_dump(mode="json"),
            certificate=certificate,
            root_risk=root_risk,
        )
        context.save(FILES["weights"], exported.weights)
        context.save(FILES["graph"], exported.graph)
        context.save(FILES["manifest"], json.dumps(exported.manifest, ensure_ascii=False, indent=1).encode())
        return exported

    def _summary(
        self,
        problem: Problem,
        risks: FitRisks,
        reports: Sequence[BoundReport],
        subject: BoundSubject,
        fitted: Fitted,
        exported: ExportedModel,
    ) -> dict[str, Any]:
        return {
            "model_name": self.name,
            "digest": exported.digest,
            "hypothesis_space": self.hypothesis_space.model_dump(mode="json"),
            "learner": self.learner.model_dump(mode="json"),
            "dimension": subject.training.inputs.shape[1],
            "sample_size": subject.training.size,
            "input_columns": list(problem.encoding.names),
            **_table_summary(problem),
            "held_out_size": subject.held_out.size,
            "scaled_from_sample": subject.scaled_from_sample,
            "held_out": shown_predictions(subject.model, problem, subject.held_out),
            "risks": risks.record(),
            "loss_cap": subject.loss_cap,
            "certificate": exported.manifest["certificate"],
            "bounds": [report.model_dump(mode="json") for report in reports],
            "joint_confidence": joint_confidence(reports, self.delta),
            "training": {
                "unit": f"{'standardised' if subject.scaled_from_sample else 'label'} units squared",
                "curve": [{"step": point.step, "empirical_risk": point.empirical_risk} for point in fitted.curve],
                "details": dict(fitted.details),
            },
            "advice": fit_advice(risks, fitted.curve).model_dump(mode="json"),
        }


def _table_summary(problem: Problem) -> dict[str, Any]:
    if not isinstance(problem, TabularProblem):
        return {"unused_columns": []}
    return {
        "encoded_inputs": list(problem.encoding.encoded_names),
        "unused_columns": list(problem.unused_columns),
        "unlabelled_rows": problem.unlabelled_rows,
        "classes": None if problem.classes is None else list(problem.output_names),
    }
