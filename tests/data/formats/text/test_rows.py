"""The fast reader and the line-by-line reader must agree with Python's own csv module, and name the line of a fault."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.formats.text import head as heads
from recollect.data.formats.text.careful import records
from recollect.data.formats.text.dialect import Dialect
from recollect.data.formats.text.head import Head
from recollect.data.formats.text.opening import Text, open_text
from recollect.data.formats.text.rows import read_rows
from recollect.data.log import DataError
from recollect.data.raw_table import Piece
from recollect.data.reading import OnBad, Reading
from recollect.data.sources import read

FIELD = st.text(alphabet='abc 07",;\n\té\x1f', max_size=6)


def _read(
    path: Path,
    content: str | bytes,
    dialect: Dialect,
    columns: list[str],
    on_bad: OnBad = "stop",
    names: tuple[str, ...] = (),
) -> Piece:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    text = open_text(path, "utf-8")
    head = heads.without_header(text, dialect, names) if names else heads.with_header(text, dialect)
    return read_rows(text, dialect, head, columns, on_bad)


@given(rows=st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=1, max_size=8))
def test_whatever_csv_writes_comes_back(
    rows: list[tuple[str, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    piece = _read(path, text.getvalue(), Dialect(","), ["c", "a"])
    expected = [(row[2] or "", row[0] or "") for row in rows]
    assert [(c or "", a or "") for c, a in piece.frame.rows()] == expected


@given(rows=st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=8))
def test_both_readers_see_the_same_rows_on_the_same_lines(rows: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    data = text.getvalue().encode()
    seen = list(records(Text(Path("x.csv"), data), Dialect(","), Head(("a", "b"))))
    assert [tuple(one.fields) for one in seen] == rows
    lines = [1 + sum(field.count("\n") for row in rows[:k] for field in row) + k for k in range(len(rows))]
    assert [one.line for one in seen] == lines


def test_a_separator_of_two_characters(tmp_path: Path) -> None:
    piece = _read(tmp_path / "r.dat", "1::a:b::3\n2::c::4\n", Dialect("::"), ["y", "z"], names=("x", "y", "z"))
    assert piece.frame.rows() == [("a:b", "3"), ("c", "4")]
    assert piece.line(1).endswith("r.dat line 2")


def test_the_stand_in_character_may_be_in_the_data(tmp_path: Path) -> None:
    piece = _read(tmp_path / "r.dat", "1::a\x1fb\n", Dialect("::"), ["x", "y"], names=("x", "y"))
    assert piece.frame.rows() == [("1", "a\x1fb")]


@pytest.mark.parametrize(
    ("body", "line", "what"),
    [
        ("1,2\n3,4,5\n", 3, "3 fields where there are 2 columns"),
        ('1,2\n\n3,"4\n5,6\n', 4, "never closed"),
        ('1,"x\ny"\n3,"4"5\n', 4, "quotes do not fit"),
        (b"1,2\n3,caf\xe9\n", 3, "not UTF-8 (byte 0xe9"),
    ],
)
def test_a_fault_stops_with_its_line_or_is_counted(tmp_path: Path, body: str | bytes, line: int, what: str) -> None:
    content = b"a,b\n" + (body if isinstance(body, bytes) else body.encode()) + b"8,9\n"
    path = tmp_path / "bad.csv"
    with pytest.raises(DataError) as stopped:
        _read(path, content, Dialect(","), ["a", "b"])
    assert f"{path} line {line}: " in str(stopped.value) and what in str(stopped.value)
    piece = _read(path, content, Dialect(","), ["a", "b"], "skip")
    assert [entry.events for entry in piece.dropped] == [1]
    assert piece.dropped[0].detail.endswith(f"line {line}")
    assert piece.frame.rows()[-1] == ("8", "9")
    last = len(content.splitlines())
    assert piece.line(len(piece.frame) - 1) == f"{path} line {last}"


def test_rows_all_longer_than_the_header_are_not_taken_for_good(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: 3 fields where there are 2 columns"):
        _read(tmp_path / "x.csv", "a,b\n1,2,3\n4,5,6\n", Dialect(","), ["a", "b"])


def test_gzip_and_a_byte_order_mark(tmp_path: Path) -> None:
    piece = _read(tmp_path / "x.csv.gz", gzip.compress(b"\xef\xbb\xbfa,b\r\n1,2\r\n"), Dialect(","), ["a", "b"])
    assert piece.frame.rows() == [("1", "2")]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"PAR1....", "Parquet"),
        (b"a\x00b,c", "binary"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "damaged gzip"),  # no clock in the test's name
    ],
)
def test_what_is_no_text_is_answered(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=what) as error:
        open_text(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::"])
def test_a_wrong_separator_is_told_the_right_one(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(separator.join(("user id", "item id", "time")) + "\n")
    wrong = ";" if separator == "," else ","
    with pytest.raises(DataError, match="all in one column") as error:
        heads.find(open_text(path), Dialect(wrong), Reading())
    shown = "\\t" if separator == "\t" else separator
    assert f"--separator '{shown}'" in str(error.value)


def _songs(titles: dict[int, str], separator: str) -> str:
    rows = [
        separator.join((f"u{place % 5}", f"i{place % 7}", str(1_700_000_000 + place), titles.get(place, "Song")))
        for place in range(60)
    ]
    return "\n".join([separator.join(("user", "item", "time", "title")), *rows, ""])


@pytest.mark.parametrize("separator", [",", ";", "|"])
@pytest.mark.parametrize(
    "titles",
    [
        {20: '"Best of', 21: 'remix"'},
        {20: '"Best of', 22: '"'},
        {20: '"A', 22: 'b"', 40: '"A', 41: 'b"'},
        {**dict.fromkeys(range(0, 50, 5), '"one\ntwo"'), 51: '"A', 53: 'b"'},
    ],
    ids=["next row", "a lone quote", "two pairs", "beside titles that do span lines"],
)
def test_a_quote_that_closes_in_another_row_takes_no_row_with_it(
    tmp_path: Path, titles: dict[int, str], separator: str
) -> None:
    """Also where the column of the quotes is one that would tell rows apart."""
    piece = _read(tmp_path / "a.csv", _songs(titles, separator), Dialect(separator), ["user", "time"])
    assert piece.frame["time"].to_list() == [str(1_700_000_000 + place) for place in range(60)]


def test_an_id_that_holds_rows_of_the_file_is_refused(tmp_path: Path) -> None:
    """Too few rows to tell what rows look like: the quotes would be believed, and two rows be part of an id."""
    path = tmp_path / "a.csv"
    path.write_text('user,item,time\nu1,"a,1700000000\nu1,b,1700000100\nu2,c",1700000200\nu2,d,1700000300\n')
    with pytest.raises(DataError, match=r"a.csv line 2: the value in column 'item' holds rows of the file"):
        read(path)
