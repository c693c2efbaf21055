"""Whether the first line is a header, in the forms that people have; a value is never taken for a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from recollect.data import sources
from recollect.data.log import DataError

T = 1_600_000_000
ROWS = [(f"{k % 3}", f"{k + 10}", f"{T + k}") for k in range(8)]
BY_NUMBER = {"user": "1", "item": "2", "time": "3"}


def _write(path: Path, *rows: tuple[str, ...], separator: str = ",") -> Path:
    path.write_text("".join(separator.join(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    "header",
    [("user", "item", "time"), ("wer", "was", "wann"), ("0", "1", "2"), ("1", "2", "3"), ("User ID", "SKU", "Ordered")],
)
def test_columns_by_number_never_make_an_event_of_a_header(header: tuple[str, ...], tmp_path: Path) -> None:
    log = sources.read(_write(tmp_path / "x.csv", header, *ROWS), **BY_NUMBER)
    assert len(log) == len(ROWS) and log.times.min() >= T


@pytest.mark.parametrize("first", [("1", "12", f"{T}"), ("u1", "i2", "2020-05-01T10:00:00Z"), ("u1", "", f"{T}")])
def test_columns_by_number_of_a_file_without_header(first: tuple[str, ...], tmp_path: Path) -> None:
    rows = [first] + [(first[0], first[1] or "i3", first[2]) for _ in range(5)]
    log = sources.read(_write(tmp_path / "x.csv", *rows), **BY_NUMBER)
    assert len(log) + sum(one.events for one in log.dropped) == 6


@pytest.mark.parametrize("word", ["item", "date", "user", "product"])
def test_a_value_is_not_taken_for_a_name(word: str, tmp_path: Path) -> None:
    rows = [(f"u{k}", word, f"{T + k}") for k in range(5)]
    path = _write(tmp_path / "x.csv", *rows)
    with pytest.raises(DataError, match=r"no header line.*--user 1 --item 2 --time 3"):
        sources.read(path)
    assert len(sources.read(path, **BY_NUMBER)) == 5


def test_number_names_are_names_if_the_header_is_said_to_have_them(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", ("0", "1", "2"), *ROWS)
    with pytest.raises(DataError, match="no column 0: columns are counted from 1, and there are 3; .* add --header"):
        sources.read(path, user=0, item=1, time=2)
    named = sources.read(path, user=0, item=1, time=2, header=True)
    assert named.digest == sources.read(path, **BY_NUMBER).digest
    with pytest.raises(DataError, match=r"x\.csv line 1: '2' in column '3' would be 1970"):
        sources.read(path, **BY_NUMBER, header=False)
    assert len(sources.read(path, **BY_NUMBER, header=False, time_format="unix")) == len(ROWS) + 1


def test_what_only_the_user_can_know_is_asked(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", ("0", "1"), ("0", "2"), ("1", "3"))
    with pytest.raises(DataError, match="Say --header or --no-header"):
        sources.read(path)
    assert len(sources.read(path, header=False)) == 3
    assert len(sources.read(path, header=True, user="1", item="2")) == 2
    pairs = _write(tmp_path / "pairs.txt", ("0", "1"), ("0", "2"), ("1", "3"), separator=" ")
    assert len(sources.read(pairs)) == 3  # pandas writes no such thing


def test_the_header_of_pandas_with_an_index(tmp_path: Path) -> None:
    rows = [(str(k), *row) for k, row in enumerate(ROWS)]
    path = _write(tmp_path / "x.csv", ("", "0", "1", "2"), *rows)
    assert len(sources.read(path, user="2", item="3", time="4")) == len(ROWS)


def test_a_number_without_a_column(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", ("user", "item", "time"), *ROWS)
    with pytest.raises(DataError, match="no column 9: columns are counted from 1, and there are 3"):
        sources.read(path, user="1", item="9")


def test_the_first_line_that_excel_writes(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("sep=;\nuser;item;price;time\n" + "".join(f"{u};{i};1,5;{t}\n" for u, i, t in ROWS))
    log = sources.read(path)
    assert len(log) == len(ROWS)
    with pytest.raises(DataError, match="line 3: 'soon'"):
        path.write_text("sep=;\nuser;item;time\n1;2;soon\n")
        sources.read(path)


def test_a_name_with_a_line_end_in_it(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('"user\nid",item,time\n1,a,10\n1,b,soon\n')
    with pytest.raises(DataError, match="line 4: 'soon'"):
        sources.read(path, user="user\nid")
    assert len(sources.read(path, user="user\nid", on_bad="skip")) == 1


@pytest.mark.parametrize("notes", ["\n;\n", ";\n", "\n;;\n;;\n;;\n"])
def test_a_first_record_over_several_lines(notes: str, tmp_path: Path) -> None:
    """What stands in quotes further below is no row to measure the first one by."""
    path = tmp_path / "x.csv"
    path.write_text("".join(f'"{notes if k else ";" + chr(10)}";{u};{i};{t}\n' for k, (u, i, t) in enumerate(ROWS)))
    assert len(sources.read(path, user="2", item="3", time="4")) == len(ROWS)


def test_parts_of_a_file_that_was_split_take_the_header_of_the_first(tmp_path: Path) -> None:
    _write(tmp_path / "part-1.csv", ("user", "item", "time"), *ROWS[:4])
    _write(tmp_path / "part-2.csv", *ROWS[4:])
    log = sources.read(tmp_path)
    assert len(log) == len(ROWS) and any("no header line" in note for note in log.notes)


def test_the_separator_is_the_one_of_all_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("user,item,time\n" + "".join(f"{k % 3},Star::{k} | x; y,{T + k}\n" for k in range(8)))
    log = sources.read(path)
    assert "Star::3 | x; y" in log.item_ids.ids.tolist()
    path.write_text("user;item;price;time\n" + "".join(f"{k % 3};{k};1,{k};{T + k}\n" for k in range(8)))
    assert len(sources.read(path)) == 8


def test_names_of_known_files_promise_nothing(tmp_path: Path) -> None:
    for name in ("ratings.dat", "u.data"):
        (tmp_path / name).write_text("user\titem\ttime\n1\ta\t10\n1\tb\t20\n")
        assert len(sources.read(tmp_path / name)) == 2
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    "again", ["user,item,time", "\ufeffuser,item,time", "User, Item, Time", '"user","item","time"', "USER,ITEM,TIME"]
)
def test_a_header_inside_is_no_row_however_it_is_written(again: str, tmp_path: Path) -> None:
    """As in exports of several months, put together."""
    (tmp_path / "x.csv").write_text(f"user,item,time\nu,a,{T}\nv,b,{T + 1}\n{again}\nu,c,{T + 2}\n")
    log = sources.read(tmp_path / "x.csv")
    assert log.item_ids.ids.tolist() == ["a", "b", "c"]
    assert [(one.reason, one.events) for one in log.dropped] == [("the header line again", 1)]


@pytest.mark.parametrize("row", [1, 9000])
def test_a_nul_byte_is_named_by_its_line(row: int, tmp_path: Path) -> None:
    lines = [f"u,a{place},{T + place}" for place in range(10_000)]
    lines[row] = f"u,a\0b,{T}"
    (tmp_path / "x.csv").write_text("\n".join(["user,item,time", *lines]))
    with pytest.raises(DataError, match=rf"line {row + 2}: a NUL byte, which no text has \(1 in the file\)"):
        sources.read(tmp_path / "x.csv")


@pytest.mark.parametrize("remarks", ["% bip weighted\n% 8 3 8\n", "# export of May\n", "#\n# by hand, for you\n"])
@pytest.mark.parametrize("header", ["", "user\titem\ttime\n", "#user\titem\ttime\n"])
def test_remarks_above_the_table_are_left_out_and_said(remarks: str, header: str, tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text(remarks + header + "".join("\t".join(row) + "\n" for row in ROWS))
    log = sources.read(tmp_path / "x.tsv", **({} if header else BY_NUMBER))
    assert len(log) == len(ROWS)
    assert any("of remarks at the top left out" in note for note in log.notes)


def test_rows_that_begin_as_remarks_do_are_rows(tmp_path: Path) -> None:
    _write(tmp_path / "x.csv", ("#1", "a", f"{T}"), ("#2", "b", f"{T + 1}"), ("3", "c", f"{T + 2}"))
    assert len(sources.read(tmp_path / "x.csv", **BY_NUMBER)) == 3


def test_items_of_lines_that_are_all_as_long_are_not_lost_without_a_word(tmp_path: Path) -> None:
    _write(tmp_path / "x.txt", ("1", "5", "6", "7"), ("2", "6", "8", "9"), ("3", "1", "2", "3"), separator=" ")
    log = sources.read(tmp_path / "x.txt", user="1", item="2")
    assert any("3, 4 not used" in note and "--format sequences" in note for note in log.notes)


def test_one_column_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1\n2\n3\n")
    with pytest.raises(DataError, match=r"one column only.*--separator"):
        sources.read(tmp_path / "x.csv")
