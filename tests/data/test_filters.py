"""Filters against plain Python on small random logs: what stays is right, and what goes is counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recollect.data import prepared
from recollect.data.filters import FilterConfig, apply, parse_time
from recollect.data.log import DataError, EventLog, Table, build_log
from recollect.data.sources import read

EVENTS = st.lists(st.tuples(st.integers(1, 6), st.integers(10, 16), st.integers(0, 5)), min_size=1, max_size=40)


def _log(events: list[tuple[int, int, int]], clock: bool = True) -> EventLog:
    users, items, times = (np.array(column) for column in zip(*events, strict=True))
    log = build_log(users, items, times if clock else None, {"place": np.arange(len(events))})
    title = np.array([f"t{i}" for i in log.item_ids.ids], dtype=object)
    object.__setattr__(log, "item_table", Table({"title": title}))
    object.__setattr__(log, "user_table", Table({"number": log.user_ids.ids.astype(float)}))
    return log


def _rows(log: EventLog) -> list[tuple[int, int, int]]:
    return list(
        zip(
            log.user_ids.decode(log.users).tolist(),
            log.item_ids.decode(log.items).tolist(),
            log.times.tolist(),
            strict=True,
        )
    )


def _core(rows: list[tuple[int, int, int]], users: int, items: int) -> list[tuple[int, int, int]]:
    while True:
        per_user, per_item = Counter(r[0] for r in rows), Counter(r[1] for r in rows)
        left = [r for r in rows if per_user[r[0]] >= users and per_item[r[1]] >= items]
        if left == rows:
            return rows
        rows = left


def _check(log: EventLog, config: FilterConfig, expected: list[tuple[int, int, int]]) -> None:
    if not expected:
        with pytest.raises(DataError, match="leave none"):
            apply(log, config)
        return
    kept = apply(log, config)
    assert _rows(kept) == expected
    assert len(kept) + sum(entry.events for entry in kept.dropped) == len(log)
    assert kept.item_ids.ids.tolist() == sorted({row[1] for row in expected})
    assert kept.titles().tolist() == ["", *(f"t{i}" for i in kept.item_ids.ids)]
    assert kept.user_table is not None and kept.user_table["number"].tolist() == kept.user_ids.ids.tolist()
    assert len(kept.values["place"]) == len(kept)


@given(EVENTS, st.integers(1, 5), st.integers(1, 5))
def test_the_core_is_the_fixed_point(events: list[tuple[int, int, int]], users: int, items: int) -> None:
    log = _log(events)
    _check(log, FilterConfig(min_user_events=users, min_item_events=items), _core(_rows(log), users, items))


@given(EVENTS, st.integers(0, 6), st.integers(0, 6))
def test_the_time_window_is_half_open(events: list[tuple[int, int, int]], start: int, end: int) -> None:
    log = _log(events)
    expected = [row for row in _rows(log) if start <= row[2] < end]
    _check(log, FilterConfig(time_from=start, time_to=end), expected)


@given(EVENTS)
def test_duplicates(events: list[tuple[int, int, int]]) -> None:
    log = _log(events)
    rows = _rows(log)
    _check(log, FilterConfig(duplicates="drop-exact"), list(dict.fromkeys(rows)))
    new = [row for k, row in enumerate(rows) if k == 0 or row[:2] != rows[k - 1][:2]]
    _check(log, FilterConfig(duplicates="drop-consecutive"), new)
    firsts = {row[:2]: row for row in reversed(rows)}
    seen: set[tuple[int, int]] = set()
    expected = [row for row in rows if row[:2] not in seen and not seen.add(row[:2])]  # type: ignore[func-returns-value]
    assert set(expected) == set(firsts.values())
    _check(log, FilterConfig(duplicates="drop-repeats"), expected)
    assert apply(log, FilterConfig()) is log


def test_a_log_with_only_an_order_closes_up_and_has_no_window() -> None:
    log = _log([(1, 10, 0), (1, 10, 0), (1, 11, 0)], clock=False)
    kept = apply(log, FilterConfig(duplicates="drop-consecutive"))
    assert kept.times.tolist() == [0, 1] and not kept.clock
    with pytest.raises(DataError, match="only an order"):
        apply(log, FilterConfig(time_from=1))


def test_what_went_is_told_in_order_and_after_what_went_before() -> None:
    log = apply(_log([(1, 10, 0), (1, 11, 1), (2, 10, 2), (3, 10, 3), (3, 10, 3)]), FilterConfig(time_from=1))
    kept = apply(log, FilterConfig(duplicates="drop-exact", min_item_events=2))
    assert [(d.reason, d.events, d.detail) for d in kept.dropped] == [
        ("before 1", 1, ""),
        ("exact duplicate", 1, ""),
        ("item with fewer than 2 events", 1, "1 item"),
    ]


def test_times_are_checked_when_the_settings_are_made() -> None:
    assert parse_time("1970-01-02") == parse_time("86400") == 86400
    assert parse_time("1970-01-01T01:00:00+01:00") == 0 and parse_time("-5") == -5
    with pytest.raises(ValidationError, match="is no time"):
        FilterConfig(time_from="soon")
    with pytest.raises(ValidationError):
        FilterConfig(min_user_events=0)


@pytest.mark.parametrize("fields, said", [
    ({}, ""),
    ({"min_user_events": 5}, "min 5 events a user"),
    ({"min_user_events": 5, "min_item_events": 5}, "min 5 events"),
    ({"min_user_events": 2, "min_item_events": 3}, "min 2 events a user, min 3 events an item"),
    ({"duplicates": "drop-exact", "time_from": 0, "time_to": "2024-05-31"}, "from 0, before 2024-05-31, drop-exact"),
])  # fmt: skip
def test_what_is_kept_in_words(fields: dict[str, Any], said: str) -> None:
    assert FilterConfig(**fields).selection == said


def test_a_log_says_which_events_of_its_source_it_holds(tmp_path: Path) -> None:
    table = {
        "user": [1, 1, 1, 2, 2, 2, 3],
        "item": [1, 2, 3, 1, 2, 3, 3],
        "time": list(range(100, 107)),
        "rating": [5, 5, 5, 5, 5, 5, 1],
        "kind": ["view", "buy"] * 3 + ["buy"],
    }
    options: dict[str, Any] = {"where": "rating >= 1", "kind": "kind", "targets": ("buy",), "weights": {"view": 0.5}}
    log = apply(read(pl.DataFrame(table), **options), FilterConfig(min_user_events=2))
    assert log.selection == "where rating >= 1, targets buy, weights view 0.5, min 2 events a user" and len(log) == 6
    assert prepared.load(prepared.save(log, tmp_path / "log")).selection == log.selection
    assert read(pl.DataFrame(table)).selection == ""
