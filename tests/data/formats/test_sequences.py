"""One line a user: every item an event, in order, whatever stands between them; and uneven rows are told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from recollect.data import sources
from recollect.data.log import DataError

LINES = [["1", "1", "2", "3"], ["2", "8"], ["3", "8", "1", "8", "5", "6"], ["1", "9"]]


@pytest.mark.parametrize("separator", [" ", "\t", ",", "  ", "::"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_items_in_order(separator: str, ends: str, tmp_path: Path) -> None:
    path = tmp_path / "Beauty.txt"
    path.write_bytes("".join(separator.join(line) + ends for line in LINES).encode())
    log = sources.read(path, format="sequences")
    assert log.user_ids.decode(log.users).tolist() == [1, 1, 1, 1, 2, 3, 3, 3, 3, 3]
    assert log.item_ids.decode(log.items).tolist() == [1, 2, 3, 9, 8, 8, 1, 8, 5, 6] and not log.clock


def test_a_user_without_items_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("1 5 6\n2\n\n3 7\n")
    log = sources.read(path, format="sequences")
    assert len(log) == 3
    assert [(one.reason, one.events, one.detail[-6:]) for one in log.dropped] == [
        ("nothing in user and item", 1, "line 3"),
        ("no item id", 1, "line 2"),
    ]


def test_uneven_rows_are_refused_and_told_of_it(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("".join(" ".join(line) + "\n" for line in LINES))
    with pytest.raises(DataError, match=r"no header line.*--format sequences"):
        sources.read(path)
    with pytest.raises(DataError, match=r"line 2: 2 fields where there are 4 columns .*--format sequences"):
        sources.read(path, user="1", item="2")


def test_there_are_no_columns_to_name(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("1 2 3\n")
    with pytest.raises(DataError, match="have no column 'time'"):
        sources.read(path, format="sequences", time="time")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("u1\ta,b,c\nu2\tb\nu3\tc,a\n", "--format lists --user 1 --item 2"),
        ("user,item,time\nu1,a,1700000000\nu2,b,1700000001\n", "is a header: one event a line"),
    ],
    ids=["a list in one column", "a log of events"],
)
def test_other_tables_are_not_taken_for_sequences(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(text)
    with pytest.raises(DataError, match=what):
        sources.read(tmp_path / "x.txt", format="sequences")


def test_a_colon_behind_the_user_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("u1: a b\nu2: b\n")
    assert sources.read(tmp_path / "x.txt", format="sequences").user_ids.ids.tolist() == ["u1", "u2"]
