"""A job's progress for the eye: a bar on a terminal, a line for each phase where there is none."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from api.client.documents.jobs import FINISHED, JobEvent, JobProgress

_MARKS = {"succeeded": "[green]succeeded", "failed": "[red]failed", "cancelled": "[yellow]cancelled"}


class ProgressBar:
    """Shows events on a console, standard error where none is given. A context manager."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._title = title
        self._told = ""
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[phase]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=1.0, phase="", left="")

    def __enter__(self) -> Self:
        """The bar appears."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The bar stays as it is."""
        self._bar.stop()

    def show(self, event: JobEvent) -> None:
        """A status or a report of progress."""
        if event.type == "progress":
            report = JobProgress.model_validate(event.data)
            left = "" if report.eta_seconds is None else f"about {duration(report.eta_seconds)} left of this phase"
            risk = "" if report.empirical_risk is None else f", risk {report.empirical_risk:.3g}"
            self._bar.update(self._task, completed=report.fraction or 0.0, phase=report.phase + risk, left=left)
            self._tell(report.phase)
            return
        phase = _MARKS.get(event.type, event.type.replace("_", " "))
        done = 1.0 if event.type == "succeeded" else None
        self._bar.update(self._task, completed=done, phase=phase, left="")
        if event.type in FINISHED:
            self._bar.stop_task(self._task)
        self._tell(event.type)

    def _tell(self, phase: str) -> None:
        if not self._console.is_terminal and phase != self._told:
            self._told = phase
            self._console.print(f"{self._title}: {phase}", markup=False, highlight=False)


def duration(seconds: float) -> str:
    """In words that are as exact as an estimate is: 42 s, 3 min, 2 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
