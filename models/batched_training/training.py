"""Adam for many networks of one shape at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.arrays import Parameters
from models.batched_training.looks import Choice, Record
from models.batched_training.rows import GATHERED_NUMBERS, Batches, OneByOne, RandomPasses, StackedRows
from models.batched_training.stacking import StackableSpace, Stacking
from models.batched_training.steps import CompiledSteps, Course, TorchSteps, steps_of
from models.checkpoints import NO_CHECKPOINTS, Checkpoints, State, fill, named, number, part
from models.minibatch_descent import Schedule
from models.optimisation import CURVE_POINTS, Advance, LearningCurvePoint, unwatched

STEPS_AT_ONCE = 64
"""Most steps without a look at divergence or at a request to stop."""

OPERATIONS_AT_ONCE = 1e9
"""Most operations without a look, above one step: some hundredths of a second."""


@dataclass(frozen=True)
class TrainedNetwork:
    """Where one network ended.

    `diverged_at`: the first step seen at which its risk was not finite or out of bounds; None: never. Its parameters
    are then those of its best step where there was a validation, and otherwise of no use. `best_step`: where the risk
    on the validation rows was smallest, and `validation_risk` that risk; None without these rows.
    """

    parameters: Parameters
    curve: tuple[LearningCurvePoint, ...]
    diverged_at: int | None
    best_step: int | None
    validation_risk: float | None


def train_networks(
    space: StackableSpace,
    batches: Batches,
    starts: Sequence[Parameters],
    rates: Sequence[float],
    steps: int,
    *,
    last_step: int | None = None,
    weight_decays: Sequence[float] | None = None,
    schedule: Schedule = "constant",
    averaging: float = 0.0,
    gradient_clip: float | None = None,
    watched: StackedRows | None = None,
    curve_points: int = CURVE_POINTS,
    validation: StackedRows | None = None,
    patience: float = 0.25,
    hopeless: float | None = None,
    advance: Advance = unwatched,
    compiled: bool = True,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> list[TrainedNetwork]:
    """Adam (betas 0.9 and 0.999, epsilon 1e-8) for each of B networks, as if it were alone.

    `starts`: parameters of `space`, all in the precision and place of the rows; network b trains at `rates[b]` (times
    the schedule's factor, which is that of `steps` steps even where a `last_step` ends training before) with decoupled
    `weight_decays[b]` (None: 0). Of G samples in the rows of a step, each is seen by B/G networks in turn: the first
    B/G see the first sample. `gradient_clip`: the largest joint norm of a network's gradient. `averaging` b > 0: what
    is watched, validated and returned is the running average A_{k+1} = b_k A_k + (1 - b_k) theta_{k+1},
    b_k = min(b, (1 + k)/(10 + k)).

    The curve is the risk on `watched` rows (None: the rows of the step) at about `curve_points` steps. Divergence is
    noticed there, and within the first steps and every STEPS_AT_ONCE steps by the iterate's risk on the rows of the
    step: the network is marked, and the others do not depend on it. With `validation`, a network ends, and returns its
    best step, when `patience` * `steps` steps brought no smaller risk on these rows; the batch ends with its last
    network. With `hopeless` as well, the networks stand in an order along which that risk has one valley: those after
    one that ended with more than `hopeless` times the smallest before it end too, with an infinite `validation_risk`.

    Deterministic but for the draws of `batches`. Rounding depends on which networks train together, and on whether the
    compiled kernel is there; without `compiled` results are those of an installation that lacks it.

    `checkpoints`: the state to go on from, and where one is offered before every few steps; `batches` are then
    RandomPasses, or a function that depends on the step alone.

    Raises:
        ValueError: B is no multiple of G, or a sequence has not B entries.
        Stopped: from `advance`, called before every few steps.
    """
    decays = [0.0] * len(starts) if weight_decays is None else weight_decays
    course = Course(rates, decays, schedule, steps, averaging, gradient_clip)
    stacking = Stacking(space)
    moving = steps_of(space, stacking.stacked(starts), course, compiled)
    feed = batches if isinstance(batches, RandomPasses) else OneByOne(batches)
    end = steps if last_step is None else last_step
    record = Record(moving, end, curve_points, watched, STEPS_AT_ONCE)
    choice = None if validation is None else Choice(moving, validation, steps, patience, hopeless)
    looks: list[Record | Choice] = [record] if choice is None else [record, choice]
    step, first, last = 0, 0, len(starts)

    def state() -> State:
        chosen = {} if choice is None else named("choice", choice.state())
        parts = {**named("moving", moving.state()), **named("feed", feed.state()), **named("record", record.state())}
        return {"step": number(step), **parts, **chosen}

    begun = checkpoints.resumed()
    if begun is not None:
        step = int(begun["step"])
        fill(moving.state(), part("moving", begun))
        feed.restore(part("feed", begun))
        record.restore(part("record", begun))
        if choice is not None:
            choice.restore(part("choice", begun))
        rows = feed.stretch(step, 1).at(0)
        first, last = _narrowed(moving, rows, record, first, last)
    while True:
        if step < end:
            try:
                advance(step, end, record.newest)
            finally:
                checkpoints.offer(state)
        if record.due(step):
            rows = feed.stretch(min(step, end - 1), 1).at(0)
            record.look(step, rows)
        if choice is not None and choice.due(step):
            choice.look(step, record)
        if step == end or not any(record.running):
            break
        first, last = _narrowed(moving, rows, record, first, last)
        at_once = _steps_at_once(space, rows, last - first)
        count = min(at_once, *(look.next_after(step) - step for look in looks))
        moving.take(feed.stretch(step, count), step, count)
        step += count
    ends = moving.seen if choice is None else choice.best
    return [
        TrainedNetwork(
            parameters,
            tuple(record.curves[index]),
            record.diverged_at[index],
            None if choice is None else choice.best_steps[index],
            None if choice is None else choice.smallest[index],
        )
        for index, parameters in enumerate(stacking.unstacked(ends))
    ]


def _narrowed(
    moving: TorchSteps | CompiledSteps, rows: StackedRows, record: Record, first: int, last: int
) -> tuple[int, int]:
    """Moves only from the first to the last network that runs, where all see one sample; was `first` to `last`."""
    running = [index for index, runs in enumerate(record.running) if runs]
    found = (running[0], running[-1] + 1) if rows.samples == 1 else (first, last)
    if found != (first, last):
        moving.narrow(slice(*found))
    return found


def _steps_at_once(space: StackableSpace, rows: StackedRows, networks: int) -> int:
    per_row = space.flops_per_row(rows.inputs.shape[2] - 1, rows.labels.shape[2])
    # The evaluation, the gradient in the weights, and that in the layer below.
    operations = 3.0 * per_row * rows.size * networks
    return max(1, int(min(GATHERED_NUMBERS / rows.inputs.numel(), OPERATIONS_AT_ONCE / operations)))
