"""Files of one log that repeat each other's events are said; events that merely happen twice are not."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data import filters, overlap, sources
from recollect.data.log import EventLog, build_log

Event = tuple[int, int, int]
DAY = 86_400
START = 1_700_000_000


def _events(seed: int, count: int, days: int, step: int = 1) -> list[Event]:
    """Random events in the order of time; `step`: their times are whole numbers of so many seconds."""
    draw = np.random.default_rng(seed)
    times = np.sort(START + draw.integers(0, days * DAY, count)) // step * step
    users, items = draw.integers(0, 40, count), draw.integers(0, 200, count)
    return list(zip(users.tolist(), items.tolist(), times.tolist(), strict=True))


def _read(folder: Path, *files: list[Event], time: bool = True) -> EventLog:
    for place, events in enumerate(files):
        lines = ["user,item,time" if time else "user,item"]
        lines += [",".join(map(str, event[: 2 + time])) for event in events]
        (folder / f"{place}.csv").write_text("\n".join(lines) + "\n")
    return sources.read(folder)


def _said(log: EventLog) -> list[str]:
    return [note for note in log.notes if note.startswith("files overlap")]


def test_a_file_that_holds_another_is_said_with_files_count_and_remedy(tmp_path: Path) -> None:
    events = list(dict.fromkeys(_events(0, 300, 60)))
    log = _read(tmp_path, events[:120], events)
    (note,) = _said(log)
    assert "120 events stand in two files" in note and "--set data.filters.duplicates=drop-exact" in note
    assert f"({tmp_path / '1.csv'} line 2 is {tmp_path / '0.csv'} line 2 again)" in note
    once = filters.apply(log, filters.FilterConfig(duplicates="drop-exact"))
    (tmp_path / "0.csv").unlink()
    alone = sources.read(tmp_path)
    assert once.digest == alone.digest and not _said(alone)
    assert log.values == {}


@pytest.mark.parametrize("step", [1, DAY])
def test_ends_that_overlap_are_said_and_parts_of_one_log_are_not(step: int, tmp_path: Path) -> None:
    events = list(dict.fromkeys(_events(1, 900, 90, step)))
    cuts = [0, 300, 600, len(events)]
    cuts = [next((k for k in range(cut, len(events)) if events[k][2] != events[k - 1][2]), cut) for cut in cuts]
    parts = [events[first:last] for first, last in pairwise(cuts)]
    assert not _said(_read(tmp_path, *parts))
    last = [event for event in parts[0] if event[2] >= parts[0][-1][2] - 2 * DAY]
    (note,) = _said(_read(tmp_path, parts[0], last + parts[1], parts[2]))
    assert f"{len(last):,} events stand in two files" in note and "more pairs" not in note


def test_double_clicks_in_shards_are_no_overlap(tmp_path: Path) -> None:
    events = _events(2, 4000, 30)
    events += events[::40]
    shard = np.random.default_rng(3).integers(0, 3, len(events))
    files = [[event for event, where in zip(events, shard, strict=True) if where == k] for k in range(3)]
    log = _read(tmp_path, *files)
    assert len(log) - len(set(events)) >= 100 and not _said(log)


def test_repeats_inside_one_file_are_another_matter(tmp_path: Path) -> None:
    events = _events(4, 50, 10)
    assert not _said(_read(tmp_path, events + events, _events(5, 50, 10)))


def test_a_chance_repeat_does_not_hide_an_overlap(tmp_path: Path) -> None:
    events = list(dict.fromkeys(_events(6, 2000, 100)))
    old, new = events[:1000], events[940:]
    (note,) = _said(_read(tmp_path, old, [*new, old[3]]))
    assert "61 events" in note


def test_many_pairs_are_counted_and_few_are_shown(tmp_path: Path) -> None:
    events = list(dict.fromkeys(_events(7, 600, 60)))
    files = [events[max(0, start - 20) : start + 100] for start in range(0, 600, 100)]
    (note,) = _said(_read(tmp_path, *files))
    assert "100 events stand in two files" in note and "and 2 more pairs of files" in note


def test_without_times_a_file_that_begins_with_another_is_said(tmp_path: Path) -> None:
    events = _events(8, 200, 60)
    (note,) = _said(_read(tmp_path, events[:80], events, time=False))
    assert "80 events" in note and "in the same order" in note and "drop-exact" not in note
    (tmp_path / "1.csv").unlink()
    assert not _said(_read(tmp_path, events[:80], events[80:], time=False))


def test_rows_that_are_left_out_shift_no_place(tmp_path: Path) -> None:
    head = "user,item,time\n"
    (tmp_path / "a.csv").write_text(head + "1,,5\n" + "".join(f"{k},{k},{START + k}\n" for k in range(9)))
    (tmp_path / "b.csv").write_text(head + ",3,5\n" + "".join(f"{k},{k},{START + k}\n" for k in range(9)))
    (note,) = _said(sources.read(tmp_path))
    assert "9 events" in note and "b.csv line 3 is" in note and "a.csv line 3 again" in note


FILES = st.lists(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 4)), max_size=12), max_size=4)


@given(FILES.filter(any))
def test_pairs_are_those_that_counting_by_hand_gives(files: list[list[Event]]) -> None:
    rows = [event for events in files for event in events]
    users, items, times = (np.array(column) for column in zip(*rows, strict=True))
    log = build_log(users, items, times, {overlap.PLACE: np.arange(len(rows))})
    log, places = overlap.with_places(log)
    starts = np.cumsum([0, *map(len, files)])
    counted: dict[tuple[int, int], list[int]] = {}
    for file, events in enumerate(files):
        for event in events:
            earliest = next(other for other in range(len(files)) if event in files[other])
            if earliest != file:
                counted.setdefault((earliest, file), []).append(event[2])
    expected = []
    for pair, shared in counted.items():
        inside = [sum(min(shared) <= event[2] <= max(shared) for event in files[file]) for file in pair]
        if len(shared) >= 2 and 2 * len(shared) >= min(inside):
            expected.append(len(shared))
    found = overlap.overlaps(log, places, times, starts)
    assert [pair.events for pair in found] == sorted(expected, reverse=True)
    for pair in found:
        assert rows[pair.row] == rows[pair.repeats] and pair.repeats < pair.row
