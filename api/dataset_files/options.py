"""How a CSV file is to be read, where the file alone does not tell."""

from dataclasses import dataclass, fields
from typing import Literal

from api.dataset_files.refusals import refuse_file

Delimiter = Literal["comma", "semicolon", "tab", "pipe"]
Decimal = Literal["point", "comma"]
Encoding = Literal[
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "windows-1252", "iso-8859-15", "shift-jis", "gb18030"
]

MARKS: dict[Delimiter, str] = {"semicolon": ";", "tab": "\t", "pipe": "|", "comma": ","}
"""Of marks that split the rows equally well the first is taken: commas may be decimal."""


@dataclass(frozen=True)
class CsvOptions:
    """None: read off the file. `header` False: the first row is data, and the columns are named column_1, column_2."""

    header: bool | None = None
    delimiter: Delimiter | None = None
    encoding: Encoding | None = None
    decimal: Decimal | None = None

    @property
    def given(self) -> list[str]:
        """Names of the options that are set."""
        return [option.name for option in fields(self) if getattr(self, option.name) is not None]

    def check_format(self, file_format: str) -> None:
        """Refuse options beside a file of another format."""
        if self.given and file_format != "csv":
            refuse_file(f"{self.given[0]!r} says how CSV is read; this file is {file_format}.", f"/{self.given[0]}")
