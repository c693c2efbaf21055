"""The figures of a summary, against counting by hand in plain Python."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data import sources
from recollect.data.log import Dropped, build_log
from recollect.data.summary import summarise

EVENTS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 6)), min_size=1, max_size=40)


@given(EVENTS)
def test_every_figure_is_what_counting_gives(events: list[tuple[int, int, int]]) -> None:
    users, items, times = (np.array(column) for column in zip(*events, strict=True))
    summary = summarise(build_log(users, items, times))
    lengths = sorted(Counter(users.tolist()).values())
    assert (summary.users, summary.items, summary.events) == (len(lengths), len(set(items.tolist())), len(events))
    assert (summary.length_min, summary.length_max) == (lengths[0], lengths[-1])
    assert summary.length_mean == pytest.approx(len(events) / len(lengths))
    assert summary.users_one_event == lengths.count(1)
    together = Counter((u, t) for u, _, t in events)
    assert summary.ties == pytest.approx(sum(n for n in together.values() if n > 1) / len(events))
    pairs = sum(n - 1 for n in lengths)
    assert summary.tied_pairs == pytest.approx(sum(n - 1 for n in together.values()) / pairs if pairs else 0)
    assert summary.repeats == pytest.approx(1 - len({e[:2] for e in events}) / len(events))
    assert summary.duplicate_rows == len(events) - len(set(events))


def test_it_is_plain_json_and_lines_for_people() -> None:
    log = build_log(
        np.array([1, 1, 2]), np.array(["a", "b", "a"], dtype=object), np.array([-86400, 0, 5]),
        name="shop", dropped=(Dropped("no user id", 4, "first at x.csv line 9"),),
    )  # fmt: skip
    summary = summarise(log)
    read = json.loads(json.dumps(summary.as_dict()))
    assert read["first"] == "1969-12-31T00:00:00" and read["last"] == "1970-01-01T00:00:05"
    assert read["dropped"] == [{"reason": "no user id", "events": 4, "detail": "first at x.csv line 9"}]
    text = "\n".join(summary.lines())
    for part in (log.digest, "1969-12-31", "4 x no user id (first at x.csv line 9)", "1 with one event"):
        assert part in text


def test_a_log_without_clock_shows_no_times() -> None:
    summary = summarise(build_log(np.array([1, 1]), np.array([1, 1]), None))
    assert (summary.ties, summary.first, summary.duplicate_rows) == (None, None, None)
    assert "only an order" in "\n".join(summary.lines()) and summary.repeats == 0.5


def test_times_beyond_the_calendar_do_not_break_it() -> None:
    summary = summarise(build_log(np.array([1, 1]), np.array([1, 2]), np.array([-(10**12), 10**13])))
    assert summary.first is not None and summary.first.startswith("-2")


def test_ml_1m(data_folder: object) -> None:
    summary = summarise(sources.read("ml-1m", data_dir=data_folder))  # type: ignore[arg-type]
    assert (summary.users_from_200, summary.users_from_1000, summary.length_max) == (1589, 41, 2314)
    assert summary.ties == pytest.approx(0.77, abs=0.005) and summary.repeats == 0
