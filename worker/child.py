"""`python -m worker.child`: the process of a job. It computes, writes files of its attempt, and touches no database.

Everything heavy is imported while it waits for its first assignment.
"""

import contextlib
import json
import os
import queue
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import IO, Any

import structlog

from db.logs import configure_logs
from worker.protocol import RESULT, Assignment, ChildOptions, write_whole

REUSABLE_BELOW_BYTES = 2**30

logger = structlog.get_logger(__name__)


class StopRequest:
    """What may be asked of a run: `stopping` to end; `handing_back`, too, to end where another process can go on."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.handing_back = threading.Event()

    def hand_back(self) -> None:
        """Ask for both, the reason first."""
        self.handing_back.set()
        self.stopping.set()


class WorkerPipe:
    """The two pipes to the worker. Nothing else may reach standard output: prints go to standard error."""

    def __init__(self) -> None:
        self._out: IO[str] = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        sys.stdout = sys.stderr
        self._lock = threading.Lock()
        self.assignments: queue.Queue[tuple[Path, StopRequest]] = queue.Queue()
        threading.Thread(target=self._listen, name="commands", daemon=True).start()

    def send(self, message: dict[str, Any]) -> None:
        """One line to the worker."""
        with self._lock:
            self._out.write(json.dumps(message) + "\n")
            self._out.flush()

    def _listen(self) -> None:
        stop = StopRequest()
        for line in sys.stdin.buffer:
            message = json.loads(line)
            if message["type"] == "run":
                stop = StopRequest()
                self.assignments.put((Path(message["assignment"]), stop))
            elif message["type"] == "cancel":
                stop.stopping.set()
            elif message["type"] == "hand_back":
                stop.hand_back()
        end_at_once()


def end_at_once() -> None:
    """The worker is gone and with it the claim: end this process and whatever it started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def run(
    assignment: Assignment, device: str, pipe: WorkerPipe, stop: StopRequest, options: ChildOptions
) -> dict[str, Any]:
    """Run one job to its end; the message that says how it ended."""
    from models.catalogue import parse_experiment
    from models.errors import ModelsError, Stopped
    from worker.checkpoints import CheckpointFile, identity
    from worker.context import ProcessContext, json_with_infinities
    from worker.failures import failure_of
    from worker.parts import RoundAsked, ShardDone

    try:
        experiment = parse_experiment(assignment.spec)
        file = None
        if assignment.checkpoint is not None:
            file = CheckpointFile(
                assignment.checkpoint,
                assignment.attempt,
                identity(assignment.spec, device),
                options.checkpoint_seconds,
                stop.handing_back.is_set,
            )
        context = ProcessContext(assignment, device, pipe.send, stop.stopping, options.shard_seconds, file)
        result = experiment.run(context)
        write_whole(assignment.directory / RESULT, json_with_infinities(result.model_dump(mode="json")))
    except ShardDone:
        return {"outcome": "succeeded", "error": None}
    except RoundAsked as asked:
        return {"outcome": "round", "error": None, "round": {"name": asked.name, "shards": asked.shards}}
    except Stopped:
        return {"outcome": "stopped", "error": None}
    except Exception as error:
        if not isinstance(error, ModelsError):
            logger.exception("job_raised")
        return {"outcome": "failed", "error": failure_of(error)}
    return {"outcome": "succeeded", "error": None}


def memory_in_use() -> int:
    """Largest resident size so far, in bytes."""
    # Linux counts into getrusage what the process that started this one had; the peak of its own memory is here.
    with contextlib.suppress(OSError, StopIteration):
        status = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in status if line.startswith("VmHWM:")).split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Wait, run, answer; wait again while this process is as good as new."""
    options = ChildOptions.model_validate_json(sys.argv[1])
    # Ctrl-C in a terminal is the supervisor's to hear.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if options.memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (options.memory_bytes, options.memory_bytes))
    with contextlib.suppress(OSError):
        # Of all processes here a job is the one to lose.
        Path("/proc/self/oom_score_adj").write_text("500")
    pipe = WorkerPipe()
    configure_logs(options.log_level, "console" if options.log_format == "console" else "json")

    import torch

    import models.catalogue  # noqa: F401  imported while nobody waits for it
    import worker.context  # noqa: F401
    from worker.devices import choose_device

    torch.set_num_threads(options.threads)
    device = choose_device(options.device, options.ordinal)
    pipe.send({"type": "ready", "device": device})
    # The first optimizer of a process imports eight hundred modules: one to two seconds that no job should wait for.
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    running: StopRequest | None = None

    def asked_to_end(*_: object) -> None:
        if running is None:
            os._exit(0)
        running.hand_back()

    signal.signal(signal.SIGTERM, asked_to_end)
    jobs, job = 0, ""
    while True:
        path, stop = pipe.assignments.get()
        assignment = Assignment.model_validate_json(path.read_bytes())
        # The shards of a grid are one job: a new process costs as much as a shard.
        before, job = job, assignment.of_job or assignment.job_id
        jobs += job != before
        structlog.contextvars.bind_contextvars(
            job_id=assignment.job_id, attempt=assignment.attempt, request_id=assignment.request_id
        )
        pipe.send({"type": "started"})
        running = stop
        done = run(assignment, device, pipe, stop, options)
        running = None
        # An accelerator's memory comes back for certain only with the end of the process.
        reusable = bool(
            done["outcome"] in ("succeeded", "round")
            and jobs < options.jobs
            and device == "cpu"
            and memory_in_use() < REUSABLE_BELOW_BYTES
        )
        pipe.send({"type": "done", **done, "reusable": reusable})
        if not reusable:
            break
    # Skips the slow ways out of the numerical libraries; everything worth keeping is on disk.
    os._exit(0)


if __name__ == "__main__":
    main()
