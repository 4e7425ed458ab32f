"""The encoding of raw columns as ONNX nodes, so that a graph takes the table's own rows."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.encoding import MISSING_TEXT, CategoryColumn, InputEncoding, RawRows
from models.onnx_graph import OnnxGraph

INPUT = "inputs"
CATEGORIES = "categories"
"""Names of the two input tensors: numbers (float64, NaN where missing) and texts ("" where missing)."""


def raw_inputs(encoding: InputEncoding) -> dict[str, int]:
    """The graph's input tensors and their columns; a tensor without columns is not there."""
    columns = {INPUT: len(encoding.number_names), CATEGORIES: len(encoding.text_names)}
    return {name: count for name, count in columns.items() if count}


def encoded(graph: OnnxGraph, encoding: InputEncoding) -> str:
    """The value [N, d] of the encoded rows; the input tensors of `raw_inputs` become the graph's."""
    tensors = {name: graph.input(name) for name in raw_inputs(encoding)}
    if encoding.is_identity:
        return tensors[INPUT]
    parts = []
    if encoding.numbers:
        parts += _numbers(graph, encoding, tensors[INPUT])
    for column in encoding.categories:
        parts += _levels(graph, encoding, column, tensors)
    return parts[0] if len(parts) == 1 else graph.apply("Concat", *parts, axis=1)


def _gathered(graph: OnnxGraph, values: str, places: list[int], columns: int) -> str:
    if places == list(range(columns)):
        return values
    return graph.apply("Gather", values, graph.integers("columns", places), axis=1)


def _numbers(graph: OnnxGraph, encoding: InputEncoding, inputs: str) -> list[str]:
    places = [encoding.number_names.index(column.name) for column in encoding.numbers]
    values = _gathered(graph, inputs, places, len(encoding.number_names))
    if not any(column.accepts_missing for column in encoding.numbers):
        return [values]
    missing = graph.apply("IsNaN", values)
    # A column that does not accept missing values keeps its NaN, and so does the prediction.
    fill = [column.fill if column.accepts_missing else float("nan") for column in encoding.numbers]
    parts = [graph.apply("Where", missing, graph.constant("fill", torch.tensor(fill, dtype=torch.float64)), values)]
    marked = [index for index, column in enumerate(encoding.numbers) if column.indicator]
    if marked:
        chosen = _gathered(graph, missing, marked, len(encoding.numbers))
        parts.append(graph.cast_to_number(chosen))
    return parts


def _levels(graph: OnnxGraph, encoding: InputEncoding, column: CategoryColumn, tensors: dict[str, str]) -> list[str]:
    parts = []
    if column.values == "number":
        places = [encoding.number_names.index(column.name)]
        cells = _gathered(graph, tensors[INPUT], places, len(encoding.number_names))
        if column.levels:
            levels = torch.tensor([float(level) for level in column.levels], dtype=torch.float64)
            parts.append(graph.cast_to_number(graph.apply("Equal", cells, graph.constant("levels", levels))))
        if column.missing_level:
            parts.append(graph.cast_to_number(graph.apply("IsNaN", cells)))
        return parts
    places = [encoding.text_names.index(column.name)]
    cells = _gathered(graph, tensors[CATEGORIES], places, len(encoding.text_names))
    keys = [str(level) for level in column.levels] + ([MISSING_TEXT] if column.missing_level else [])
    if not keys:
        return parts
    codes = graph.text_codes(cells, keys)
    return [graph.cast_to_number(graph.apply("Equal", codes, graph.integers("codes", list(range(len(keys))))))]


def probe_rows(encoding: InputEncoding, numbers: Float[Tensor, "n c"]) -> RawRows:
    """Raw rows that try everything: `numbers` (one column a number), each fifth missing where that is accepted.

    A category goes through its levels, one that it does not know, and a missing value.
    """
    count, place = len(numbers), 0
    columns: list[Tensor] = []
    texts: list[list[str]] = []
    for turn, column in enumerate(encoding.columns):
        if isinstance(column, CategoryColumn):
            turns = [(row + turn) % (len(column.levels) + 2) for row in range(count)]
            if column.values == "text":
                known = [str(level) for level in column.levels]
                texts.append([[*known, "".join(known) + "?", MISSING_TEXT][choice] for choice in turns])
            else:
                levels = [float(level) for level in column.levels]
                cells = torch.tensor([*levels, max(levels, default=0.0) + 1, torch.nan], dtype=torch.float64)
                columns.append(cells[turns])
            continue
        values = numbers[:, place].clone()
        place += 1
        if column.accepts_missing:
            values[turn % 5 :: 5] = torch.nan
        columns.append(values)
    stacked = torch.stack(columns, dim=1) if columns else torch.zeros(count, 0, dtype=torch.float64)
    return RawRows(stacked, tuple(texts))
