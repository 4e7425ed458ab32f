"""Predict every row of a stored table with a learned model, as it is served."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from models.assumptions import Assumption
from models.encoding import MISSING_TEXT, EncodedColumn, InputEncoding, RawRows, complete_numbers, level_text
from models.errors import InvalidData, NumericalFailure, refuse
from models.experiments.base import Experiment, ExperimentResult
from models.manifest import Manifest
from models.plan import Plan, TableShape
from models.run_context import RunContext, advance
from models.tables import Table

PREDICTIONS = "predictions"
FILE = "predictions.parquet"
ROWS_AT_A_TIME = 8192
LABEL = "label"
_MOST_LISTED = 10
MODEL_SIZE_BYTES = 2**28
"""Memory set aside for a model whose size is known only when it is read."""


class Predict(Experiment):
    """Send every row of a table through the model's exported graph and keep the outputs as a table.

    The result has one row for each row of the table, in its order: `keep_columns` first, then the outputs in label
    units, and `label`, the class with the largest output, where the model is a classification. The table may have more
    columns than the model takes; a value that the model does not take ends the job with its row and column.
    """

    kind: Literal["predict"]
    model_id: Annotated[str, Field(pattern=r"^mdl_[0-9a-z]{1,40}$", description="The learned model.")]
    dataset_id: Annotated[str, Field(pattern=r"^ds_[0-9a-z]{1,40}$", description="The table whose rows are predicted.")]
    keep_columns: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=500)], ...],
        Field(max_length=100, description="Columns of the table to stand before the outputs, such as an id."),
    ] = ()

    statement: ClassVar[str] = "ŷ_i = f̂(x_i) for every row x_i of the table"
    formula: ClassVar[str] = r"\hat{y}_i = \hat{f}(x_i), \qquad i = 1, \dots, n"
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        Assumption(name="columns_present", text="The table has every raw column of the model, of its type."),
    )
    reference: ClassVar[str] = "shalev2014understanding"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"kind": "predict", "model_id": "mdl_0123456789abcdef", "dataset_id": "ds_0123456789abcdef"},
        {
            "kind": "predict",
            "model_id": "mdl_0123456789abcdef",
            "dataset_id": "ds_0123456789abcdef",
            "keep_columns": ["id"],
        },
    )

    @model_validator(mode="after")
    def _columns_are_kept_once(self) -> "Predict":
        twice = next((name for name, times in Counter(self.keep_columns).items() if times > 1), None)
        if twice is not None:
            refuse("/keep_columns", f"Column {twice!r} is named twice.")
        return self

    def dataset_ids(self) -> frozenset[str]:
        """The table."""
        return frozenset({self.dataset_id})

    def model_ids(self) -> frozenset[str]:
        """The model."""
        return frozenset({self.model_id})

    def plan(self, tables: Mapping[str, TableShape]) -> Plan:
        """Memory does not grow with the rows; what the model costs is known only when it is read.

        Raises:
            InvalidData: a column to keep is not there.
        """
        shape = tables[self.dataset_id]
        unknown = next((name for name in self.keep_columns if name not in shape.columns), None)
        if unknown is not None:
            raise InvalidData(f"There is no column {unknown!r}.", "/keep_columns")
        piece = 4 * 8 * ROWS_AT_A_TIME * len(shape.columns)
        return Plan(
            parameters=0,
            peak_memory_bytes=MODEL_SIZE_BYTES + piece,
            floating_point_operations=0.0,
            estimated_seconds=1.0 + 1e-5 * shape.rows,
        )

    def check_models(self, tables: Mapping[str, TableShape], manifests: Mapping[str, Mapping[str, Any]]) -> None:
        """Whether the table has the model's columns, of their types, with a value wherever the model needs one.

        Raises:
            InvalidData: names every column that is missing or unfit.
        """
        shape = tables[self.dataset_id]
        encoding = _encoding(Manifest.model_validate(manifests[self.model_id]))
        missing = [name for name in encoding.names if name not in shape.columns]
        if missing:
            unknown = [name for name in shape.columns if name not in encoding.names]
            rest = f"; columns that the model does not know: {_listed(unknown)}" if unknown else ""
            raise InvalidData(
                f"The table has no column {_listed(missing)}, which the model takes{rest}.", "/dataset_id"
            )
        unfit = [reason for column in encoding.columns if (reason := _unfit(column, encoding, shape)) is not None]
        if unfit:
            raise InvalidData(" ".join(unfit[:_MOST_LISTED]), "/dataset_id")

    def run(self, context: RunContext) -> ExperimentResult:
        """Predict piece by piece.

        Raises:
            InvalidData: a column of the model is missing or of another type, or holds what the model does not take.
            NumericalFailure: a prediction is not finite.
            Stopped: polled before every piece.
        """
        graph = context.served_graph(self.model_id)
        manifest = Manifest.model_validate(graph.manifest)
        encoding = _encoding(manifest)
        levels = None if manifest.classes is None else tuple(level_text(level) for level in manifest.classes.levels)
        names = list(dict.fromkeys((*encoding.names, *self.keep_columns)))
        pieces = context.table_pieces(self.dataset_id, names, ROWS_AT_A_TIME)
        done = 0
        with context.table_writer(FILE) as write:
            for piece in pieces:
                advance(context, "predict", done, pieces.rows)
                rows = _raw_rows(piece, encoding, done)
                outputs = graph(rows)
                _check_finite(outputs, done)
                write(self._columns(piece, outputs, manifest.output_names, levels))
                done += piece.rows
        context.progress("predict", done, pieces.rows)
        return ExperimentResult(
            summary={
                "model_id": self.model_id,
                "dataset_id": self.dataset_id,
                "rows": done,
                "outputs": list(manifest.output_names),
            },
            files={PREDICTIONS: FILE},
        )

    def _columns(
        self,
        piece: Table,
        outputs: Float[Tensor, "n k"],
        names: tuple[str, ...],
        levels: tuple[str, ...] | None,
    ) -> dict[str, Tensor | list[str | None]]:
        columns: dict[str, Tensor | list[str | None]] = {}
        for name in self.keep_columns:
            columns[name] = piece.numbers[name] if name in piece.numbers else piece.texts[name]
        for place, name in enumerate(names):
            # A kept column may be called like an output: the label that was there, say.
            columns[name if name not in columns else f"predicted {name}"] = outputs[:, place]
        if levels is not None:
            chosen = outputs.argmax(dim=1).tolist()
            columns[LABEL if LABEL not in columns else f"predicted {LABEL}"] = [levels[place] for place in chosen]
        return columns


def _encoding(manifest: Manifest) -> InputEncoding:
    return manifest.encoding or complete_numbers(manifest.input_names)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_MOST_LISTED])
    return shown if len(names) <= _MOST_LISTED else f"{shown} and {len(names) - _MOST_LISTED} more"


def _unfit(column: EncodedColumn, encoding: InputEncoding, shape: TableShape) -> str | None:
    """Why the table's column is not what the model takes, as far as its description tells."""
    name, is_text = column.name, column.name in encoding.text_names
    if is_text == (name in shape.numeric):
        return f"Column {name!r} must be {'text' if is_text else 'numbers'}."
    if not column.accepts_missing and shape.incomplete.get(name, 0):
        return f"Column {name!r} misses {shape.incomplete[name]} values, and the model needs them."
    if not is_text and shape.infinite.get(name, 0):
        return f"Column {name!r} holds {shape.infinite[name]} infinite values."
    return None


def _raw_rows(piece: Table, encoding: InputEncoding, first: int) -> RawRows:
    """The model's columns of a piece whose first row is the table's row `first`.

    Raises:
        InvalidData: names the column, and the row where a value is to blame.
    """
    numbers, texts = [], []
    for column in encoding.columns:
        name = column.name
        if name in encoding.text_names:
            if name not in piece.texts:
                raise InvalidData(f"Column {name!r} must be text.", "/dataset_id")
            cells = [cell or MISSING_TEXT for cell in piece.texts[name]]
            if not column.accepts_missing and MISSING_TEXT in cells:
                _refuse_cell(first + cells.index(MISSING_TEXT), name, "no text")
            texts.append(cells)
        else:
            if name not in piece.numbers:
                raise InvalidData(f"Column {name!r} must be numbers.", "/dataset_id")
            values = piece.numbers[name]
            bad = torch.isinf(values) if column.accepts_missing else ~torch.isfinite(values)
            if bool(bad.any()):
                _refuse_cell(first + int(torch.nonzero(bad)[0]), name, "no finite number")
            numbers.append(values)
    stacked = torch.stack(numbers, dim=1) if numbers else torch.zeros(piece.rows, 0, dtype=torch.float64)
    return RawRows(stacked, tuple(texts))


def _refuse_cell(row: int, name: str, what: str) -> None:
    raise InvalidData(f"Row {row}, column {name!r}: {what}, and the model needs one.", "/dataset_id")


def _check_finite(outputs: Float[Tensor, "n k"], first: int) -> None:
    bad = ~torch.isfinite(outputs).all(dim=1)
    if bool(bad.any()):
        raise NumericalFailure(f"The prediction of row {first + int(torch.nonzero(bad)[0])} is not finite.")
