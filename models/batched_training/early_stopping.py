"""models.early_stopping for networks of one space: all weight decays that are tried advance in one batch."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.batched_training.rows import StackedRows, random_passes, stacked_rows
from models.batched_training.stacking import StackableSpace
from models.batched_training.training import TrainedNetwork, train_networks
from models.checkpoints import NO_CHECKPOINTS, Checkpoints, StageCheckpoints, number
from models.early_stopping import HOPELESS, PATIENCE, Trained, held_for_validation, parted
from models.errors import TrainingDiverged
from models.minibatch_descent import Schedule
from models.optimisation import CURVE_POINTS, Advance, LearningCurve, Opening
from models.randomness import Randomness
from models.samples import Sample


@dataclass(frozen=True)
class Runs:
    """The runs of one fit: each of `steps` steps at most, on minibatches of at most `batch_size` rows.

    `decays`: what is tried; the first is what holds without validation. `advice`: the sentence of a TrainingDiverged.
    Other names as in `train_networks`.
    """

    decays: Sequence[float]
    rate: float
    steps: int
    batch_size: int
    schedule: Schedule
    averaging: float
    gradient_clip: float | None
    advice: str
    compiled: bool = True


def train_together(
    space: StackableSpace,
    opening: Opening,
    runs: Runs,
    validation_fraction: float,
    randomness: Randomness,
    advance: Advance,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> Trained[float]:
    """As models.early_stopping.train: what is chosen is the same up to rounding, but a run that diverges is none.

    All decays start at once from one start on the same rows; those after a HOPELESS one end when it is known.
    Randomness: streams `validation_rows`, and `batches`, which the last run begins anew.

    Raises:
        TrainingDiverged: every candidate, or the last run.
        Stopped: from `advance`.
    """
    data, begun = opening.data, checkpoints.resumed()
    held = held_for_validation(validation_fraction, data.size)
    chosen, last_step, done = (-1 if held else 0), runs.steps, 0
    if begun is not None:
        chosen, last_step, done = (int(begun[name]) for name in ("chosen", "last_step", "done"))

    def stage() -> StageCheckpoints:
        nonlocal begun
        kept, begun = begun, None
        return StageCheckpoints(
            checkpoints, kept, lambda: {"chosen": number(chosen), "last_step": number(last_step), "done": number(done)}
        )

    if chosen < 0:
        training, validation = parted(data, held, randomness)

        def report(step: int, total: int, empirical_risk: float | None = None) -> None:
            nonlocal done
            done = step
            advance(step, 2 * total, empirical_risk)

        tried = _train(space, opening, runs, training, runs.decays, randomness, report, runs.steps, stage(), validation)
        found = [(one.validation_risk, index) for index, one in enumerate(tried) if one.diverged_at is None]
        if not found:
            raise _diverged(tried[0], runs)
        chosen = min(found)[1]
        last_step = max(1, tried[chosen].best_step or 0)

    def report_last(step: int, total: int, empirical_risk: float | None = None) -> None:
        advance(done + step, done + total, empirical_risk)

    (last,) = _train(
        space,
        opening,
        runs,
        data,
        [runs.decays[chosen]],
        randomness,
        report_last,
        last_step,
        stage(),
    )
    if last.diverged_at is not None:
        raise _diverged(last, runs)
    curve = LearningCurve(last_step, data.labels, runs.advice)
    curve.points.extend(last.curve)
    advance(done + last_step, done + last_step, curve.points[-1].empirical_risk)
    return Trained(last.parameters, curve, last_step, runs.decays[chosen])


def _train(
    space: StackableSpace,
    opening: Opening,
    runs: Runs,
    rows: Sample,
    decays: Sequence[float],
    randomness: Randomness,
    advance: Advance,
    last_step: int,
    checkpoints: Checkpoints,
    validation: Sample | None = None,
) -> list[TrainedNetwork]:
    stacked = _stacked(rows)
    return train_networks(
        space,
        random_passes(stacked, min(rows.size, runs.batch_size), [randomness.generator("batches")]),
        [opening.start] * len(decays),
        [runs.rate] * len(decays),
        runs.steps,
        last_step=last_step,
        weight_decays=decays,
        schedule=runs.schedule,
        averaging=runs.averaging,
        gradient_clip=runs.gradient_clip,
        watched=stacked if validation is None else None,
        curve_points=CURVE_POINTS if validation is None else 1,
        validation=None if validation is None else _stacked(validation),
        patience=PATIENCE,
        hopeless=HOPELESS,
        advance=advance,
        compiled=runs.compiled,
        checkpoints=checkpoints,
    )


def _stacked(rows: Sample) -> StackedRows:
    return stacked_rows([rows], rows.inputs.dtype, rows.inputs.device)


def _diverged(network: TrainedNetwork, runs: Runs) -> TrainingDiverged:
    return TrainingDiverged(f"The risk has left every bound at step {network.diverged_at}. {runs.advice}", "/learner")
