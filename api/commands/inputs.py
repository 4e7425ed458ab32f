"""What commands are given: files, standard input, KEY=VALUE."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

STANDARD_INPUT = Path("-")


def content_of(path: Path) -> bytes:
    """The bytes of a file, or of standard input for "-"; wrong usage where there is no such file."""
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from error


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; wrong usage where it is none."""
    shown = "standard input" if path == STANDARD_INPUT else str(path)
    try:
        found = json.loads(content_of(path))
    except ValueError as error:
        raise typer.BadParameter(f"{shown} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{shown} holds no JSON object.")
    return found


def pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """KEY=VALUE each."""
    split = [value.partition("=") for value in values]
    wrong = [value for value, (key, equals, _) in zip(values, split, strict=True) if not key or not equals]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is not KEY=VALUE", param_hint=option)
    return {key: value for key, _, value in split}
