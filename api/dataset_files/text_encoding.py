"""Text files as UTF-8: what the encoding is, and where the first byte stands that is none."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from api.dataset_files.options import CsvOptions
from api.dataset_files.refusals import refuse_file

_CHUNK_BYTES = 4 * 2**20
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_OTHER_FILES = {
    b"PK\x03\x04": "a ZIP archive (a spreadsheet, perhaps)",
    b"\x1f\x8b": "compressed with gzip",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow IPC",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"\x93NUMPY": "an NPY array",
}


@dataclass(frozen=True)
class Utf8File:
    """A file without a mark. `odd_quotes`: a quotation mark may stay open at its end."""

    path: Path
    odd_quotes: bool


def as_utf8(path: Path, options: CsvOptions) -> Utf8File:
    """The file itself where it is UTF-8 without a mark, else a copy in UTF-8 beside it.

    A byte order mark tells UTF-8 and UTF-16; other encodings must be named: guessing them reads wrong letters.

    Raises:
        FileRefused: another kind of file, bytes that are not of the encoding, or NUL; names the line.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        refuse_file("The file is empty.")
    for magic, what in _OTHER_FILES.items():
        if start.startswith(magic):
            refuse_file(f"The file is {what}, not CSV.")
    marked = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    encoding = marked if options.encoding in (None, "utf-8") and marked else options.encoding or "utf-8"
    if encoding == "utf-8":
        return Utf8File(path, sum(text.count('"') for text in _decoded(path, encoding)) % 2 == 1)
    copy, quotes = path.with_suffix(".utf8"), 0
    with copy.open("wb") as destination:
        for text in _decoded(path, encoding):
            quotes += text.count('"')
            destination.write(text.encode())
    return Utf8File(copy, quotes % 2 == 1)


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK_BYTES)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                lines += _line_breaks(error.object[: error.start].decode(encoding, "replace"))
                refuse_file(_undecodable(lines, encoding), "/file" if encoding == "utf-8" else "/encoding")
            position = text.find("\x00")
            if position >= 0:
                lines += _line_breaks(text[:position])
                hint = ": name its encoding, 'utf-16-le' or 'utf-16-be'" if encoding == "utf-8" and lines == 1 else ""
                refuse_file(f"Line {lines} holds a NUL byte, which is no text{hint}.")
            lines += _line_breaks(text)
            yield text
            if not chunk:
                return


def _line_breaks(text: str) -> int:
    return text.count("\n") or text.count("\r")


def _undecodable(line: int, encoding: str) -> str:
    if encoding == "utf-8":
        return f"Line {line} is not UTF-8: name the file's encoding in 'encoding', such as 'windows-1252'."
    return f"Line {line} is not {encoding.removesuffix('-sig').upper()}."
