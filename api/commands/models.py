"""Learned models over HTTP: listed, asked for predictions, exported."""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from api.commands.inputs import STANDARD_INPUT, content_of
from api.commands.output import Json, print_table, tell
from api.commands.service import ApiKey, Url, service

commands = typer.Typer()

ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]
Version = Annotated[str | None, typer.Option(help="A number or an alias; else the newest.")]


@commands.command()
def models(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """The newest version of each learned model."""
    with service(url, api_key, as_json) as client:
        listed = list(itertools.islice(client.models.list(), limit))
    if as_json:
        typer.echo(json.dumps([model.as_json() for model in listed]))
        return
    rows = [
        (
            each.name,
            each.version,
            ", ".join(each.aliases),
            each.hypothesis_space.get("kind"),
            None if each.certificate is None else each.certificate.risk_upper_bound,
            f"{each.created_at:%F %T}",
        )
        for each in listed
    ]
    print_table(("model", "version", "aliases", "space", "risk at most", "created (UTC)"), rows)


@commands.command()
def predict(
    name: ModelName,
    file: Annotated[Path, typer.Argument(metavar="FILE|-", help="CSV, JSON, Parquet, Arrow or NPY, by its ending.")],
    form: Annotated[
        Literal["csv", "json", "parquet", "arrow", "npy"], typer.Option("--format", help="Of standard input.")
    ] = "csv",
    version: Version = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Predict a table: CSV on standard output, a row for each row."""
    from api.client.tables import MEDIA_TYPES, media_type_of

    try:
        media_type = MEDIA_TYPES[f".{form}"] if file == STANDARD_INPUT else media_type_of(file)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    content = content_of(file)
    accept = MEDIA_TYPES[".json" if as_json else ".csv"]
    with service(url, api_key, as_json) as client:
        answer = client.models.predict_bytes(name, content, media_type, accept=accept, version=version)
    typer.echo(answer.decode(), nl=as_json)


@commands.command()
def export(
    name: ModelName,
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    form: Annotated[
        Literal["onnx", "safetensors"] | None, typer.Option("--format", help="Else by the file's ending, ONNX first.")
    ] = None,
    version: Version = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Write the very file that is served; checked against its digest."""
    chosen = form or ("safetensors" if file.suffix == ".safetensors" else "onnx")
    with service(url, api_key, as_json) as client:
        client.models.export(name, file, version=version, format=chosen)
        content = file.read_bytes()
    found = {"file": str(file), "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    tell(f"{file}: {len(content)} bytes, sha256 {found['sha256']}", found, as_json)
