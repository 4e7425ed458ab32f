"""The largest table that is taken, and what its reading may cost."""

from dataclasses import dataclass

from api.dataset_files.refusals import too_large


@dataclass(frozen=True)
class Caps:
    """`decoded_bytes`: of all values together, decompressed, 8 for a number. `levels`: more are no category."""

    rows: int
    columns: int
    cells: int
    decoded_bytes: int
    levels: int

    def check(self, rows: int, columns: int) -> None:
        """Refuse a table of this shape where it is too large. Raises FileRefused (413) with the number."""
        if columns > self.columns:
            too_large(f"The table has {columns} columns; at most {self.columns} are allowed.")
        if rows > self.rows:
            too_large(f"The table has more than {self.rows} rows, the most that are allowed.")
        if rows * columns > self.cells:
            too_large(f"The table has more than {self.cells} cells (rows times columns), the most allowed.")

    def check_bytes(self, decoded: int) -> None:
        """Refuse values that take more memory than is allowed. Raises FileRefused (413) with the number."""
        if decoded > self.decoded_bytes:
            too_large(f"The table's values have more than {self.decoded_bytes} bytes, the most allowed, when decoded.")


@dataclass(frozen=True)
class ReadingLimits:
    """Of the process that reads one file: wall-clock seconds, bytes of data, and files read at the same time."""

    seconds: float
    memory_bytes: int
    parallel: int
    wait_seconds: float = 10.0
