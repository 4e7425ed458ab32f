"""The service's processes. They are run, not imported, so that signals and the exit code are their own."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer()


def _become(module: str, *arguments: str) -> None:
    """Replace this process."""
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


@commands.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to bind; anything but loopback needs an API key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8000,
    data_directory: Annotated[Path, typer.Option(help="Database, broker file and artefacts.")] = Path(".riskscope"),
    slots: Annotated[int, typer.Option(min=1, help="Jobs that run at the same time.")] = 1,
) -> None:
    """Run everything on this machine: database, broker, worker and API. Ctrl-C stops it."""
    _become(
        "worker.supervisor",
        f"--host={host}",
        f"--port={port}",
        f"--data-directory={data_directory}",
        f"--slots={slots}",
    )


@commands.command()
def api() -> None:
    """Run the API alone (RISKSCOPE_HOST, RISKSCOPE_PORT, RISKSCOPE_DATABASE_URL, RISKSCOPE_BROKER_URL)."""
    _become("api")


@commands.command()
def worker() -> None:
    """Run a worker alone (RISKSCOPE_DATABASE_URL, RISKSCOPE_BROKER_URL, RISKSCOPE_SLOTS, RISKSCOPE_DEVICE)."""
    _become("worker")
