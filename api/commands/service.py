"""The service as commands ask it, and what becomes of its refusals."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.exit_codes import ExitCode
from api.commands.output import refuse

if TYPE_CHECKING:
    from api.client import Job, RiskscopeClient

Url = Annotated[
    str | None, typer.Option("--url", envvar="RISKSCOPE_URL", help="Where the service is; else http://127.0.0.1:8000.")
]
ApiKey = Annotated[
    str | None, typer.Option("--api-key", envvar="RISKSCOPE_API_KEY", help="Better in the environment than in a shell.")
]


@contextmanager
def service(url: str | None, api_key: str | None, as_json: bool) -> "Iterator[RiskscopeClient]":
    """A client; what it raises ends the command with the words and the exit code of the case."""
    from api.client import (
        JobCancelled,
        JobFailed,
        RiskscopeClient,
        RiskscopeError,
        ServiceFailure,
        ServiceRefusal,
        ServiceUnreachable,
        WaitTimeout,
    )

    try:
        client = RiskscopeClient(url, api_key)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from error
    with client:
        try:
            yield client
        except (JobCancelled, WaitTimeout) as error:
            refuse(str(error), as_json, ExitCode.UNFINISHED, job_id=error.job.id, status=error.job.status)
        except JobFailed as error:
            reason = None if error.job.error is None else error.job.error.as_json()
            refuse(str(error), as_json, ExitCode.FAILED, job_id=error.job.id, status=error.job.status, reason=reason)
        except ServiceRefusal as error:
            code = ExitCode.UNREACHABLE if isinstance(error, ServiceFailure) else ExitCode.REFUSED
            refuse(str(error), as_json, code, status=error.status, problem=error.problem)
        except ServiceUnreachable as error:
            refuse(str(error), as_json, ExitCode.UNREACHABLE)
        except RiskscopeError as error:
            refuse(str(error), as_json)
        except BrokenPipeError:
            raise
        except OSError as error:
            refuse(f"{error.filename or 'file'}: {error.strerror}", as_json)


@contextmanager
def interruptible(job: "Job", as_json: bool) -> Iterator[None]:
    """While a job is waited for: Ctrl-C ends the waiting alone, and says so."""
    try:
        yield
    except KeyboardInterrupt:
        follow, end = f"riskscope watch {job.id}", f"riskscope jobs cancel {job.id}"
        message = f"Job {job.id} goes on: '{follow}' follows it again, '{end}' ends it."
        refuse(message, as_json, ExitCode.INTERRUPTED, job_id=job.id)
