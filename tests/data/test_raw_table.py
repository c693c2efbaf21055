"""From columns to a log: ids get their kind, missing ones are counted, order survives, and positions are no clock."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data import ids as id_columns
from recollect.data.log import DataError, EventLog
from recollect.data.raw_table import Piece, RawTable
from recollect.data.reading import Reading
from recollect.data.roles import Roles


def code_ready(column: pl.Series) -> np.ndarray:
    coded = id_columns.code(column.alias("x").to_frame(), ("x",))
    return coded.ids[coded.codes]


def _log(rows: list[tuple[object, object, object]], **options: object) -> EventLog:
    frame = pl.DataFrame(rows, schema=["u", "i", "t"], orient="row", strict=False)
    table = RawTable("small", [Piece(frame, lambda row: f"row {row}")], Roles(("u",), ("i",), ("t",)))
    return table.to_log(Reading(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "whole"),
    [
        (["1", "-5", "0"], True),
        ([" 1", "2 "], True),
        (["01", "2"], False),
        (["+1", "2"], False),
        (["-0", "2"], False),
        (["9223372036854775807"], True),
        (["9223372036854775808"], False),
        (["A1", "2"], False),
    ],
)
def test_only_canonical_integers_become_integers(ids: list[str], whole: bool) -> None:
    coded = code_ready(pl.Series(ids))
    assert (coded.dtype == np.int64) == whole
    assert coded.tolist() == ([int(i) for i in ids] if whole else ids)


def test_ids_of_other_kinds() -> None:
    assert code_ready(pl.Series([1, 2], dtype=pl.UInt8)).dtype == np.int64
    assert code_ready(pl.Series([2**64 - 1], dtype=pl.UInt64)).tolist() == [str(2**64 - 1)]
    assert code_ready(pl.Series(["b", "a"], dtype=pl.Categorical)).tolist() == ["b", "a"]
    assert code_ready(pl.Series([1.5, 2.0])).tolist() == ["1.5", "2.0"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["1", "2", None, " "]),
            st.sampled_from(["a", "b", None]),
            st.sampled_from(["5", "7", None, "x"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_row_is_either_kept_or_counted(rows: list[tuple[str | None, str | None, str | None]]) -> None:
    good = [(int(u), i, int(t)) for u, i, t in rows if u and u.strip() and i and t and t != "x"]
    if not good:
        with pytest.raises(DataError):
            _log(rows, on_bad="skip")
        return
    log = _log(rows, on_bad="skip")
    expected = sorted(good, key=lambda event: (event[0], event[2]))  # stable: file order inside a tie
    assert log.clock
    assert log.user_ids.decode(log.users).tolist() == [user for user, _, _ in expected]
    assert log.item_ids.decode(log.items).tolist() == [item for _, item, _ in expected]
    assert log.times.tolist() == [time for _, _, time in expected]
    assert len(log) + sum(entry.events for entry in log.dropped) == len(rows)


def test_bad_times_stop_and_missing_ones_do_not() -> None:
    with pytest.raises(DataError, match=r"^row 1: 'x' in column 't' is no time \(1 such rows\).*--on-bad skip$"):
        _log([("1", "a", "5"), ("1", "b", "x")])
    log = _log([("1", "a", "5"), ("1", "b", None), (None, "c", "x")])
    assert [(d.reason, d.events, d.detail) for d in log.dropped] == [
        ("no user id", 1, "first at row 2"),
        ("no time", 1, "first at row 1"),
    ]


def test_no_usable_row() -> None:
    with pytest.raises(DataError, match=r"none of its 2 rows can be used \(1 x no user id, 1 x no item id\)"):
        _log([(None, "a", "5"), ("1", None, "5")])


def test_milliseconds_order_events_inside_a_second() -> None:
    rows = [("1", "late", "1700000000900"), ("1", "early", "1700000000100")]
    for ties in ("file", "id", "random"):
        log = _log(rows, ties=ties)
        assert log.item_ids.decode(log.items).tolist() == ["early", "late"]
        assert log.times.tolist() == [1700000000] * 2


def test_positions_are_an_order_and_no_clock() -> None:
    log = _log([("1", "a", 1), ("1", "b", 0), ("2", "a", 0)])
    assert not log.clock and log.times.tolist() == [0, 1, 0] and "an order, not a clock" in log.notes[-1]
    assert log.item_ids.decode(log.items).tolist() == ["b", "a", "a"]
    assert _log([("1", "a", 1), ("1", "b", 0), ("2", "a", 1)]).clock
    assert _log([("1", "a", 0), ("1", "b", 0)]).clock


def test_the_log_is_the_same_whatever_the_kind_of_its_columns() -> None:
    text = _log([("10", "7", "100"), ("9", "8", "50")])
    whole = _log([(10, 7, 100), (9, 8, 50)])
    assert text.digest == whole.digest and text.user_ids.ids.tolist() == [9, 10]
