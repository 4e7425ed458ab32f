"""CSV in every spelling: read as what it says, or refused by column and line without a value quoted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from uploaded_files import canonical, counts

from api.dataset_files.caps import Caps
from api.dataset_files.refusals import FileRefused


def test_csv_numbers_text_and_missing_values_are_told_apart(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfa,b,c\n1,x,true\n 2.5 ,"y\nz",FALSE\nNA,,\ninf,nan,\n'
    description, values = canonical(tmp_path, content, "csv")
    assert description.rows == 4
    assert counts(description) == {"a": ("number", 1, 1), "b": ("text", 1, 0), "c": ("number", 2, 0)}
    assert values["a"] == [1.0, 2.5, None, np.inf]
    assert values["b"] == ["x", "y\nz", None, "nan"]
    assert values["c"] == [1.0, 0.0, None, None]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiter_is_read_off_the_first_rows(tmp_path: Path, mark: str) -> None:
    assert canonical(tmp_path, f"a{mark}b\n1{mark}2\n".encode(), "csv")[1] == {"a": [1.0], "b": [2.0]}


def test_delimiter_that_splits_every_row_alike_wins(tmp_path: Path) -> None:
    content = b"name, first;age, years\nx;1\ny;2\n"
    assert list(canonical(tmp_path, content, "csv")[1]) == ["name, first", "age, years"]
    assert list(canonical(tmp_path, b"a;b,c\n1;2,3\n", "csv", delimiter="comma", decimal="point")[1]) == ["a;b", "c"]


@pytest.mark.parametrize(
    ("python_name", "options"),
    [
        ("utf-8", {}),
        ("utf-8-sig", {}),
        ("utf-8-sig", {"encoding": "utf-8"}),
        ("utf-16", {}),
        ("utf-16-le", {"encoding": "utf-16-le"}),
        ("utf-16-be", {"encoding": "utf-16-be"}),
        ("latin-1", {"encoding": "latin-1"}),
        ("cp1252", {"encoding": "windows-1252"}),
        ("iso-8859-15", {"encoding": "iso-8859-15"}),
    ],
)
def test_encoding_is_told_by_its_mark_or_by_name(tmp_path: Path, python_name: str, options: dict[str, Any]) -> None:
    content = "größe,ort\r\n1.5,Köln\r\n2,Zürich\r\n".encode(python_name)
    _, values = canonical(tmp_path, content, "csv", **options)
    assert values == {"größe": [1.5, 2.0], "ort": ["Köln", "Zürich"]}


def test_quotes_hold_delimiters_line_breaks_and_quotes(tmp_path: Path) -> None:
    content = b'"a,1","b ""q"""\n"1","x,\ny"\n"2","z"\n'
    assert canonical(tmp_path, content, "csv")[1] == {"a,1": [1.0, 2.0], 'b "q"': ["x,\ny", "z"]}


def test_quotation_marks_inside_a_cell_are_letters(tmp_path: Path) -> None:
    assert canonical(tmp_path, b'a,b\n5" pipe,1\nx,2\n', "csv")[1]["a"] == ['5" pipe', "x"]


def test_blank_lines_and_old_line_ends_are_no_rows(tmp_path: Path) -> None:
    assert canonical(tmp_path, b"\n\na,b\n\n1,2\n\n3,4", "csv")[1] == {"a": [1.0, 3.0], "b": [2.0, 4.0]}
    assert canonical(tmp_path, b"a,b\r1,2\r3,4\r", "csv")[1] == {"a": [1.0, 3.0], "b": [2.0, 4.0]}


@pytest.mark.parametrize("content", [b"1,2\n3,4\n", b"5.1,3.5,setosa\n4.9,3.0,setosa\n", b"1;2,5\n3;4,5\n"])
def test_first_row_of_numbers_is_refused_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FileRefused, match="header=false") as raised:
        canonical(tmp_path, content, "csv")
    assert raised.value.pointer == "/header"


def test_header_option_says_what_the_first_row_is(tmp_path: Path) -> None:
    assert canonical(tmp_path, b"1,2\n3,4\n", "csv", header=False)[1] == {"column_1": [1, 3], "column_2": [2, 4]}
    assert canonical(tmp_path, b"2019,2020\n3,4\n", "csv", header=True)[1] == {"2019": [3.0], "2020": [4.0]}
    assert canonical(tmp_path, b"x,y\nz,w\n", "csv", header=False)[1]["column_1"] == ["x", "z"]


def test_decimal_comma_is_refused_until_it_is_named(tmp_path: Path) -> None:
    content = b"a;b\n1;2\n-3;0,5\n;1,5e3\n"
    with pytest.raises(FileRefused, match=r"Column 'b', line 3: .*decimal=comma") as raised:
        canonical(tmp_path, content, "csv")
    assert raised.value.pointer == "/decimal"
    assert canonical(tmp_path, content, "csv", decimal="comma")[1] == {"a": [1.0, -3.0, None], "b": [2.0, 0.5, 1500.0]}
    assert canonical(tmp_path, content, "csv", decimal="point")[1]["b"] == ["2", "0,5", "1,5e3"]


def test_decimal_comma_delimits_nothing(tmp_path: Path) -> None:
    for options in ({"decimal": "comma"}, {"decimal": "comma", "delimiter": "semicolon"}):
        _, values = canonical(tmp_path, b"1;2,5\n3;4,5\n", "csv", header=False, **options)
        assert values == {"column_1": [1.0, 3.0], "column_2": [2.5, 4.5]}
    with pytest.raises(FileRefused, match=r"'column_2', line 1.*decimal=comma"):
        canonical(tmp_path, b"1;2,5\n3;4,5\n", "csv", header=False)


def test_points_beside_decimal_commas_are_no_numbers(tmp_path: Path) -> None:
    description, _ = canonical(tmp_path, b"a;b\n1.234,5;1\n2,5;2\n", "csv", decimal="comma")
    assert [column["type"] for column in description.columns] == ["text", "number"]


def test_late_text_makes_the_whole_column_text_and_names_its_row(tmp_path: Path) -> None:
    description, values = canonical(tmp_path, ("a,b\n" + "1,x\n" * 900 + "x,x\n").encode(), "csv")
    assert counts(description) == {"a": ("text", 0, 0), "b": ("text", 0, 0)}
    assert values["a"][0] == "1"
    assert [column["first_text_row"] for column in description.columns] == [901, None]


def test_text_in_a_later_block_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.dataset_files.delimited.BLOCK_BYTES", 1000)
    content = b"a\n" + b"1\n" * 900 + b"x\n" * 50
    assert canonical(tmp_path, content, "csv")[0].columns[0]["first_text_row"] == 901


@pytest.mark.parametrize(
    ("content", "status", "named"),
    [
        (b"", 422, "empty"),
        (b"\n \n", 422, "empty"),
        (b"a,b\n", 422, "no rows"),
        (b"a\n1,2\n", 422, "Line 2 has 2 cells; the first row has 1"),
        (b"a,b\n1,2\n1,2,3\n", 422, "Line 3 has 3 cells; the first row has 2"),
        (b'a,b\n"x\ny",2\n\n1\n', 422, "Line 5 has 1 cells"),
        (b"a,b\n" + b",".join([b"1"] * 10**6) + b"\n", 422, "Line 2 has 1000000 cells"),
        (b"a,a\n1,2\n", 422, "'a' is there twice"),
        (b"a,\n1,2\n", 422, "Column 2 of 2"),
        (b"a\x01,b\n1,2\n", 422, "control"),
        (b"a,b\n1,\xff\n", 422, "Line 2 is not UTF-8"),
        ("a,ü\n1,2\n".encode("latin-1"), 422, "windows-1252"),
        ("a,b\n1,2\n".encode("utf-16-le"), 422, "utf-16-le"),
        (b"a,b\n1,2\n1,\x00\n", 422, "Line 3 holds a NUL"),
        (b"a,b\n1,1e400\n", 422, "Column 'b', line 2"),
        (b'a,b\n"x\ny",1\nz,-1e999\n', 422, "Column 'b', line 4"),
        (b'a,b\n1,2\n1,"2\n3,4\n', 422, "opened after line 2 and never closed"),
        (b'a,b\n1,"' + b"x\n" * (9 * 2**20) + b'"\n3,4\n', 422, "8388608 bytes; is a quotation mark"),
        (b"PK\x03\x04", 422, "ZIP"),
        (b"\x1f\x8b\x08", 422, "gzip"),
        (b"PAR1", 422, "Parquet, not CSV"),
        (b"a\n" + b"1\n" * 1001, 413, "1000"),
        (b",".join(b"a%d" % index for index in range(51)) + b"\n", 413, "50"),
        (b",".join([b"a"] * 10**6) + b"\n", 413, "1000000 columns; at most 50"),
        (b"a" * (4 * 2**20 + 1), 413, "4194304"),
        (b"a,b\n" + (b"1," + b"x" * 10_000 + b"\n") * 110, 413, str(2**20)),
    ],
)
def test_bad_csv_is_refused_with_the_place_or_the_number(
    tmp_path: Path, content: bytes, status: int, named: str
) -> None:
    with pytest.raises(FileRefused) as raised:
        canonical(tmp_path, content, "csv")
    assert raised.value.status == status
    assert named in raised.value.detail


def test_numbers_at_the_edge_of_float64_are_numbers(tmp_path: Path) -> None:
    cells = ["1.7976931348623157e308", "-1e-400", "inf", "-Infinity", "nan", "NaN", "+5", ".5", "5.", "1e5"]
    _, values = canonical(tmp_path, ("a\n" + "\n".join(cells)).encode(), "csv")
    assert np.array_equal(values["a"], [float(cell) for cell in cells], equal_nan=True)


@pytest.mark.parametrize("cell", ["1_000", "0x10", "１２", "1,5", "1 000", "1d5", "--1"])
def test_what_only_some_read_as_a_number_is_text(tmp_path: Path, cell: str) -> None:
    description, _ = canonical(tmp_path, f'a,b\n"{cell}",1\n'.encode(), "csv", decimal="point")
    assert description.columns[0]["type"] == "text"


def test_options_of_csv_beside_another_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as raised:
        canonical(tmp_path, b"{}", "ndjson", decimal="comma")
    assert raised.value.pointer == "/decimal"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["2024-01-31", "2023-12-01"], "date"),
        (["2024-01-31T08:15:00Z", ""], "date"),
        (["2024-01-31 08:15", "2024/2/1 9:00"], "date"),
        (["31.12.2024", "1/2/2024"], "date"),
        (["08:15", "23:59:59"], "date"),
        (["2024-01-31", "soon"], "text"),
        (["2024", "2023"], "number"),
        (["1-2", "3-4"], "text"),
    ],
)
def test_csv_dates_are_told_from_text_and_numbers(tmp_path: Path, cells: list[str], kind: str) -> None:
    content = "day,x\n" + "".join(f"{cell},1\n" for cell in cells)
    description, _ = canonical(tmp_path, content.encode(), "csv")
    assert description.columns[0]["type"] == kind


def test_distinct_values_are_counted_up_to_what_categories_may_have(tmp_path: Path) -> None:
    rows = "".join(f"{row},{row % 7},{'ab'[row % 2]},{'' if row % 3 else row}\n" for row in range(1500))
    caps = Caps(rows=2000, columns=50, cells=20_000, decoded_bytes=2**20, levels=1000)
    description, _ = canonical(tmp_path, f"all,week,text,some\n{rows}".encode(), "csv", caps)
    assert [column["distinct"] for column in description.columns] == [None, 7, 2, 500]


def test_infinite_values_are_counted_apart_from_missing_ones(tmp_path: Path) -> None:
    description, _ = canonical(tmp_path, b'a\ninf\n-inf\nnan\n""\n?\n1\n', "csv")
    (column,) = description.columns
    assert (column["nulls"], column["non_finite"], column["infinite"], column["distinct"]) == (2, 3, 2, 1)
