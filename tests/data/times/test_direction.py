"""Logs that put the newest first: what they look like, and that ties can be taken from the last row up."""

from __future__ import annotations

import dataclasses

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
def test_files_that_are_watched_may_differ(tmp_path: object, other: str) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    NEWEST_FIRST.with_columns(pl.col("item").cast(pl.String)).write_csv(folder / "a.csv")
    (folder / "b.csv").write_text(other)
    log = sources.read(folder, time="none")
    assert len(log) == 81 and dataclasses.replace(log, ties="file").values == {}
