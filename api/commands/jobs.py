"""Jobs over HTTP: submitted, watched, listed, cancelled, run again, read."""

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.commands.inputs import json_object, pairs
from api.commands.output import Json, print_fields, print_table, tell
from api.commands.service import ApiKey, Url, interruptible, service

if TYPE_CHECKING:
    from api.client import Job

commands = typer.Typer()
jobs = typer.Typer(help="Jobs of the service.", no_args_is_help=True)
commands.add_typer(jobs, name="jobs")

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
Metadata = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="May be given several times.")]
Timeout = Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Stop waiting then; the job goes on.")]


@commands.command()
def submit(
    file: Annotated[Path, typer.Argument(metavar="FILE|-", help="JSON: a specification, or a whole submission.")],
    wait: Annotated[bool, typer.Option("--wait", help="Show progress, and end when the job does.")] = False,
    timeout: Timeout = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; nothing is queued.")] = False,
    metadata: Metadata = None,
    priority: Annotated[int | None, typer.Option(min=-100, max=100, help="Higher is claimed earlier.")] = None,
    webhook: Annotated[str | None, typer.Option(metavar="URL", help="Called when the job ends.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key is the same job.")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Submit a job and print its id."""
    content = json_object(file)
    body: dict[str, Any] = content if "spec" in content else {"spec": content}
    if unknown := sorted(set(body) - {"spec", "metadata", "priority", "webhook"}):
        raise typer.BadParameter(f"a submission has no {unknown[0]!r}")
    called = webhook or body.get("webhook", {}).get("url")
    labels = {**body.get("metadata", {}), **pairs(metadata or [], "--metadata")}
    chosen = body.get("priority", 0) if priority is None else priority
    with service(url, api_key, as_json) as client:
        if dry_run:
            plan = client.jobs.plan(body["spec"]).as_json()
            if as_json:
                typer.echo(json.dumps(plan))
            else:
                print_fields({name.replace("_", " "): value for name, value in plan.items() if name != "object"})
            return
        job = client.submit(
            body["spec"], metadata=labels, priority=chosen, webhook=called, idempotency_key=idempotency_key
        )
        if not wait:
            tell(job.id, _document(job), as_json)
            return
        if not as_json:
            typer.echo(job.id)
        with interruptible(job, as_json):
            job.wait(timeout=timeout, progress=not as_json)
        if as_json:
            typer.echo(json.dumps(_document(job)))


@commands.command()
def watch(
    job_id: JobId, timeout: Timeout = None, url: Url = None, api_key: ApiKey = None, as_json: Json = False
) -> None:
    """Show a job's progress until it ends. With --json: its events, one on each line."""
    with service(url, api_key, as_json) as client:
        job = client.jobs.get(job_id)
        with interruptible(job, as_json):
            if as_json:
                job.wait(timeout=timeout, on_event=lambda event: typer.echo(json.dumps(event.as_json())))
            else:
                job.wait(timeout=timeout, progress=True)
                typer.echo(f"{job.id} {job.status}")


@jobs.command("list")
def list_jobs(
    status: Annotated[
        Literal["queued", "running", "succeeded", "failed", "cancelled"] | None, typer.Option(help="Only these.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Of the experiment, such as fit.")] = None,
    dataset_id: Annotated[str | None, typer.Option(help="Jobs that use it.")] = None,
    metadata: Metadata = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """The newest jobs."""
    with service(url, api_key, as_json) as client:
        labels = pairs(metadata or [], "--metadata")
        found = client.jobs.list(status=status, kind=kind, dataset_id=dataset_id, metadata=labels)
        listed = list(itertools.islice(found, limit))
    if as_json:
        typer.echo(json.dumps([_document(job) for job in listed]))
        return
    rows = [(job.id, job.kind, job.status, _progress(job), f"{job.document.created_at:%F %T}") for job in listed]
    print_table(("job", "kind", "status", "progress", "created (UTC)"), rows)


@jobs.command()
def show(job_id: JobId, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """One job."""
    with service(url, api_key, as_json) as client:
        job = client.jobs.get(job_id)
    if as_json:
        typer.echo(json.dumps(_document(job)))
        return
    document = job.document
    print_fields(
        {
            "job": job.id,
            "kind": job.kind,
            "status": job.status,
            "progress": _progress(job),
            "created": document.created_at,
            "started": document.started_at,
            "finished": document.finished_at,
            "error": None if job.error is None else f"{job.error.message} ({job.error.code})",
            "metadata": ", ".join(f"{key}={value}" for key, value in document.metadata.items()),
            "models": ", ".join(document.model_ids),
            "specification": json.dumps(document.spec),
        }
    )


@jobs.command()
def cancel(job_id: JobId, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Ask for a job's end; it is cancelled when the work has stopped."""
    with service(url, api_key, as_json) as client:
        job = client.jobs.get(job_id).cancel()
    asked = job.status if job.is_finished else f"{job.status}, asked to stop"
    tell(f"{job.id} {asked}", _document(job), as_json)


@jobs.command()
def retry(job_id: JobId, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Run a failed or cancelled job again."""
    with service(url, api_key, as_json) as client:
        job = client.jobs.get(job_id).retry()
    tell(f"{job.id} {job.status}", _document(job), as_json)


@jobs.command()
def result(job_id: JobId, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """What a job found: JSON, indented without --json."""
    with service(url, api_key, as_json) as client:
        found = client.jobs.get(job_id).result()
    typer.echo(json.dumps(found, indent=None if as_json else 2))


@jobs.command()
def report(
    job_id: JobId,
    file: Annotated[Path, typer.Argument(help="An HTML file to write.")],
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Write what a job found as one HTML file."""
    with service(url, api_key, as_json) as client:
        size = file.write_text(client.jobs.get(job_id).report(), encoding="utf-8")
    tell(f"{file}: {size} characters", {"file": str(file), "characters": size}, as_json)


def _document(job: "Job") -> dict[str, Any]:
    return job.document.as_json()


def _progress(job: "Job") -> str | None:
    report = job.progress
    if report is None or job.is_finished:
        return None
    return report.phase if report.fraction is None else f"{report.phase} {report.fraction:.0%}"
