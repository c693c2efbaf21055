"""Logs that put the newest first: what they look like, and that ties can be taken from the last row up."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data import sources
from recollect.data.log import EventLog, build_log
from recollect.data.times.direction import falls

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 4)), min_size=1, max_size=40)


def _events(log: EventLog) -> list[tuple[int, int]]:
    return list(zip(log.user_ids.decode(log.users).tolist(), log.item_ids.decode(log.items).tolist(), strict=True))


@given(ROWS)
def test_ties_from_the_last_row_up_are_the_ties_of_the_file_upside_down(rows: list[tuple[int, int, int]]) -> None:
    users, items, times = (np.array(column) for column in zip(*rows, strict=True))
    upside_down = build_log(users[::-1], items[::-1], times[::-1])
    log = build_log(users, items, times, ties="file-reversed")
    assert _events(log) == _events(upside_down) and log.digest == upside_down.digest and log.ties == "file-reversed"
    by_rows = build_log(users, items, None, ties="file-reversed")
    assert _events(by_rows) == _events(build_log(users[::-1], items[::-1], None))
    assert by_rows.times.tolist() == build_log(users[::-1], items[::-1], None).times.tolist()


def test_what_falls() -> None:
    assert falls(np.array([9, 7, 7, 2, 1])) and not falls(np.array([1, 2, 7, 7, 9]))
    assert not falls(np.array([9, 7])) and not falls(np.array([])) and not falls(np.array([5, 5, 5, 5]))
    assert not falls(np.random.default_rng(0).permutation(100))
    by_user = np.array([9, 8, 7, 99, 98, 97, 999, 998])  # each user's rows fall, one user after another
    alike = np.array([True, True, False, True, True, False, True])
    assert not falls(by_user) and falls(by_user, lambda: alike)


DAYS = [f"2024-05-{day:02d}" for day in range(1, 21)]
NEWEST_FIRST = pl.DataFrame(
    {
        "user": [1, 2] * 40,
        "item": list(range(80, 0, -1)),
        "date": [day for day in reversed(DAYS) for _ in range(4)],
    }
)


def test_an_export_with_the_newest_first_is_warned_about_where_ties_decide() -> None:
    log = sources.read(NEWEST_FIRST)
    assert log.notes[-1].startswith("newest first: times fall along the rows, so 40 events")
    assert "--ties file-reversed" in log.notes[-1]
    right = sources.read(NEWEST_FIRST, ties="file-reversed")
    assert not any("newest first" in note for note in right.notes)
    assert _events(right) == [(user, item) for user in (1, 2) for item in range(user % 2 + 1, 81, 2)]
    assert not any("newest first" in note for note in sources.read(NEWEST_FIRST[::-1]).notes)


def test_one_user_after_another_each_newest_first() -> None:
    grouped = NEWEST_FIRST.sort("user", maintain_order=True)
    assert "newest first" in sources.read(grouped).notes[-1]
    without_ties = grouped.with_columns(date=pl.Series([1_700_000_000 - k for k in range(80)]))
    assert not any("newest first" in note for note in sources.read(without_ties).notes)


def test_rows_that_run_backwards_are_warned_about_where_their_order_decides() -> None:
    log = sources.read(NEWEST_FIRST, time="none")
    assert log.notes[-1].startswith("newest first: date falls along the rows") and not log.clock
    assert "--ties file-reversed" in log.notes[-1] and "date" not in log.values
    right = sources.read(NEWEST_FIRST, time="none", ties="file-reversed")
    assert not any("newest first" in note for note in right.notes)
    assert _events(right) == _events(sources.read(NEWEST_FIRST, ties="file-reversed"))
    numbered = NEWEST_FIRST.drop("date").with_columns(order_id=pl.Series(range(980, 900, -1)))
    assert sources.read(numbered).notes[-1].startswith("newest first: order_id falls along the rows")
    assert not any("newest first" in note for note in sources.read(numbered[::-1]).notes)


def test_a_day_of_more_rows_than_a_sample_has_hides_nothing() -> None:
    long = pl.concat([NEWEST_FIRST[:1]] * 1500 + [NEWEST_FIRST])
    dated = long.with_columns(date=pl.when(pl.int_range(pl.len()) < 3).then(pl.lit("2024-05-21")).otherwise("date"))
    assert "newest first: date falls" in sources.read(dated, time="none").notes[-1]


@pytest.mark.parametrize("other", ["user,item\n1,a\n", "user,item,date\n1,a,2024-01-01\n"])
def test_files_that_are_watched_may_differ(tmp_path: Path, other: str) -> None:
    folder = tmp_path
    NEWEST_FIRST.with_columns(pl.col("item").cast(pl.String)).write_csv(folder / "a.csv")
    (folder / "b.csv").write_text(other)
    log = sources.read(folder, time="none")
    assert len(log) == 81 and dataclasses.replace(log, ties="file").values == {}


def _in_files(folder: Path, frames: dict[str, pl.DataFrame]) -> Path:
    for name, frame in frames.items():
        frame.write_csv(folder / f"{name}.csv")
    return folder


def test_several_files_that_put_the_newest_first_turn_their_rows_and_not_the_files(tmp_path: Path) -> None:
    """Oracle: the same events by their true times."""
    oldest_first = NEWEST_FIRST.with_columns(pl.Series("item", [f"i{item}" for item in NEWEST_FIRST["item"]]))[::-1]
    months = {"2024-01": oldest_first[:30], "2024-02": oldest_first[30:50], "2024-03": oldest_first[50:]}
    folder = _in_files(tmp_path, {name: frame[::-1] for name, frame in months.items()})
    for options in ({"time": "none"}, {}):
        assert "newest first" in sources.read(folder, **options).notes[-1]
        log = sources.read(folder, **options, ties="file-reversed")
        assert _events(log) == _events(sources.read(oldest_first))
        assert "3 files, in the order of their names, each from its last row up" in log.notes
        assert not any("newest" in note or "oldest" in note or "out of order" in note for note in log.notes)


def test_rows_that_are_turned_and_should_not_be_are_warned_about() -> None:
    for options in ({"time": "none"}, {}):
        log = sources.read(NEWEST_FIRST[::-1], ties="file-reversed", **options)
        assert log.notes[-1].startswith("oldest first: ") and "leave" in log.notes[-1]


@pytest.mark.parametrize("ties", ["file", "file-reversed"])
def test_files_that_come_newest_first_by_their_names_are_warned_about(tmp_path: Path, ties: Literal["file"]) -> None:
    oldest_first = NEWEST_FIRST[::-1]
    turned = slice(None, None, -1 if ties == "file-reversed" else 1)
    folder = _in_files(tmp_path, {"a": oldest_first[40:][turned], "b": oldest_first[:40][turned]})
    log = sources.read(folder, time="none", ties=ties)
    (note,) = (note for note in log.notes if "out of order" in note)
    assert (
        f"by date, the rows from {tmp_path / 'b.csv'} line 2 on are older than those from {tmp_path / 'a.csv'}" in note
    )
    of_one = pl.col("user") == 1
    _in_files(tmp_path, {"a": oldest_first[40:].filter(of_one), "b": oldest_first[:40].filter(~of_one)})
    assert not any("out of order" in note for note in sources.read(folder, time="none").notes)  # nobody is in both


def test_an_export_that_begins_with_newer_rows_and_holds_an_older_one_is_seen_to_overlap(tmp_path: Path) -> None:
    _in_files(tmp_path, {"1-jan": NEWEST_FIRST[40:], "2-jan-feb": NEWEST_FIRST})
    log = sources.read(tmp_path, time="none", ties="file-reversed")
    assert any(note.startswith("files overlap: 40 events") for note in log.notes)
    place = next(note for note in log.notes if note.startswith("files overlap"))
    assert f"{tmp_path / '2-jan-feb.csv'} line 81 is {tmp_path / '1-jan.csv'} line 41 again" in place


@pytest.mark.parametrize("options", [{"time": "none"}, {}])
def test_small_files_with_the_newest_first_are_warned_about_however_many_there_are(
    tmp_path: Path, options: dict[str, str]
) -> None:
    """Each file falls four times and the next one begins higher: the rises between files must not hide the falls."""
    days = NEWEST_FIRST.with_columns(pl.col("item").cast(pl.String))[::-1]
    weeks = {f"w{week}": days[20 * week : 20 * week + 20] for week in range(4)}
    _in_files(tmp_path, {name: frame[::-1] for name, frame in weeks.items()})
    assert "newest first" in sources.read(tmp_path, **options).notes[-1]
    _in_files(tmp_path, weeks)
    assert not any("newest first" in note for note in sources.read(tmp_path, **options).notes)
    assert "oldest first" in sources.read(tmp_path, ties="file-reversed", **options).notes[-1]
