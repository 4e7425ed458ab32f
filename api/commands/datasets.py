"""Datasets over HTTP."""

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.commands.inputs import STANDARD_INPUT, content_of
from api.commands.output import Json, print_fields, print_table, tell
from api.commands.service import ApiKey, Url, service

if TYPE_CHECKING:
    from api.client.documents.datasets import Dataset

commands = typer.Typer(name="datasets", help="Tables of the service.", no_args_is_help=True)

DatasetId = Annotated[str, typer.Argument(metavar="DATASET", help="The dataset's id.")]


@commands.command()
def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE|-", help="CSV, Parquet, Arrow IPC, NDJSON or NPZ.")],
    name: Annotated[str | None, typer.Option(help="Shown in lists; else the file's name.")] = None,
    file_name: Annotated[str, typer.Option(help="Of standard input; its ending tells the format.")] = "table.csv",
    header: Annotated[bool | None, typer.Option(help="CSV: whether the first row names the columns.")] = None,
    delimiter: Annotated[Literal["comma", "semicolon", "tab", "pipe"] | None, typer.Option(help="CSV.")] = None,
    encoding: Annotated[str | None, typer.Option(help="CSV, such as latin-1.")] = None,
    decimal: Annotated[Literal["point", "comma"] | None, typer.Option(help="CSV.")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Upload a table and print its id; the same bytes are the same dataset."""
    if file != STANDARD_INPUT and not file.is_file():
        raise typer.BadParameter(f"{file}: there is no such file")
    with service(url, api_key, as_json) as client:
        dataset = client.datasets.upload(
            content_of(file) if file == STANDARD_INPUT else file,
            name=name,
            file_name=file_name if file == STANDARD_INPUT else None,
            header=header,
            delimiter=delimiter,
            encoding=encoding,
            decimal=decimal,
        )
    tell(dataset.id, dataset.as_json(), as_json)


@commands.command("list")
def list_datasets(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """The newest tables."""
    with service(url, api_key, as_json) as client:
        listed = list(itertools.islice(client.datasets.list(), limit))
    if as_json:
        typer.echo(json.dumps([dataset.as_json() for dataset in listed]))
        return
    rows = [(each.id, each.name, each.rows, len(each.columns), f"{each.created_at:%F %T}") for each in listed]
    print_table(("dataset", "name", "rows", "columns", "created (UTC)"), rows)


@commands.command()
def show(dataset_id: DatasetId, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """One table and its columns."""
    with service(url, api_key, as_json) as client:
        dataset = client.datasets.get(dataset_id)
    if as_json:
        typer.echo(json.dumps(dataset.as_json()))
        return
    print_fields({"dataset": dataset.id, "name": dataset.name, "rows": dataset.rows, "sha256": dataset.sha256})
    typer.echo("")
    print_table(("column", "type", "missing", "not finite", "distinct"), _columns(dataset))


@commands.command()
def delete(dataset_id: DatasetId, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Delete a table; models that were trained on it stay."""
    with service(url, api_key, as_json) as client:
        client.datasets.delete(dataset_id)
    tell(f"{dataset_id} deleted", {"id": dataset_id, "deleted": True}, as_json)


def _columns(dataset: "Dataset") -> list[tuple[object, ...]]:
    return [(each.name, each.type, each.nulls, each.non_finite, each.distinct) for each in dataset.columns]
