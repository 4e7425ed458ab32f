"""Error decompositions over HTTP."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.commands.output import Json, print_table
from api.commands.service import ApiKey, Url, service

if TYPE_CHECKING:
    from api.client.documents.decompositions import Decomposition, Estimate

commands = typer.Typer()

_COLUMNS = ("job", "space", "data", "m", "n", "noise", "approximation", "estimation", "optimization", "risk", "buy")


@commands.command()
def decompositions(
    job_id: Annotated[str | None, typer.Option(help="Cells of this job.")] = None,
    hypothesis_space: Annotated[str | None, typer.Option(help="A kind, such as two_layer.")] = None,
    target: Annotated[str | None, typer.Option(help="A kind, such as cosine_ridge.")] = None,
    dataset_id: Annotated[str | None, typer.Option(help="Cells of this table.")] = None,
    dimension: Annotated[int | None, typer.Option(min=0)] = None,
    width: Annotated[int | None, typer.Option(min=0, help="m")] = None,
    sample_size: Annotated[int | None, typer.Option(min=0, help="n")] = None,
    min_sample_size: Annotated[int | None, typer.Option(min=0)] = None,
    max_sample_size: Annotated[int | None, typer.Option(min=0)] = None,
    order_by: Annotated[
        Literal["created_at", "trained_risk", "approximation", "estimation", "optimization", "width", "sample_size"],
        typer.Option(),
    ] = "created_at",
    order: Annotated[Literal["asc", "desc"], typer.Option()] = "asc",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every number of every cell, as CSV.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Where the error comes from: a row for each cell of a grid, with its risk terms and what to buy."""
    if as_csv and as_json:
        raise typer.BadParameter("give --csv or --json, not both", param_hint="--csv")
    with service(url, api_key, as_json) as client:
        search = client.decompositions.search(
            job_id=job_id,
            hypothesis_space=hypothesis_space,
            target=target,
            dataset_id=dataset_id,
            dimension=dimension,
            width=width,
            sample_size=sample_size,
            min_sample_size=min_sample_size,
            max_sample_size=max_sample_size,
            order_by=order_by,
            order=order,
            limit=limit,
        )
        if as_csv:
            typer.echo(search.to_csv(), nl=False)
            return
        cells = list(search)
    if as_json:
        typer.echo(json.dumps([cell.as_json() for cell in cells]))
    else:
        print_table(_COLUMNS, [_row(cell) for cell in cells])


def _row(cell: "Decomposition") -> tuple[object, ...]:
    terms = cell.risk_terms
    return (
        cell.job_id,
        cell.hypothesis_space["kind"],
        cell.dataset_id or (cell.target or {}).get("kind"),
        cell.width,
        cell.sample_size,
        _shown(cell.risks.noise),
        _shown(terms.approximation) or _shown(terms.approximation_and_noise, " with noise"),
        _shown(terms.estimation),
        _shown(terms.optimization),
        _shown(cell.risks.trained),
        cell.advice.buy,
    )


def _shown(estimate: "Estimate | None", note: str = "") -> str | None:
    if estimate is None:
        return None
    error = "" if not estimate.standard_error else f" ± {estimate.standard_error:.1g}"
    return f"{estimate.value:.4g}{error}{note}"
