"""A year, a month, a day and so on in columns of their own, against Python's datetime."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data import sources
from recollect.data.log import DataError
from recollect.data.times.choose import choose
from recollect.data.times.column import read_moments

NAMES = ("year", "month", "day", "hour", "minute", "second")
FIRST = (1990, 1, 1, 0, 0, 0)
KINDS: dict[str, Callable[[int], object]] = {
    "integer": int,
    "float": float,
    "text": str,
    "with zeros": lambda part: f"{part:02d}",
    "text of floats": lambda part: f"{part}.0",
    "with blanks": lambda part: f" {part} ",
}
MOMENTS = st.lists(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2024, 12, 31)), min_size=1, max_size=9)


def _parts(moments: list[dt.datetime], count: int, kind: str = "integer") -> pl.DataFrame:
    return pl.DataFrame({name: [KINDS[kind](getattr(m, name)) for m in moments] for name in NAMES[:count]})


@given(MOMENTS, st.integers(2, 6), st.sampled_from(sorted(KINDS)))
def test_parts_make_a_moment(moments: list[dt.datetime], count: int, kind: str) -> None:
    read = read_moments(_parts(moments, count, kind))
    assert not list(read.problems()) and read.usable.all()
    wanted = [dt.datetime(*(getattr(m, name) for name in NAMES[:count]), *FIRST[count:]) for m in moments]  # type: ignore[arg-type]
    assert [dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=int(one)) for one in read.exact] == wanted


def test_months_may_have_names_and_years_two_digits() -> None:
    wanted = int(dt.datetime(2024, 5, 31, tzinfo=dt.UTC).timestamp()) * 10**6
    for columns in ({"year": 2024, "month": "May", "day": 31}, {"year": "24", "month": "5", "day": "31"}):
        assert read_moments(pl.DataFrame({name: [value] for name, value in columns.items()})).exact.tolist() == [wanted]


def test_other_orders_are_read_by_a_pattern() -> None:
    columns = pl.DataFrame({"d": [1, 31], "m": [6, 5], "y": [2024, 2024]})
    assert not list(read_moments(columns, "%d %m %Y").problems())
    unclear = pl.DataFrame({"d": [1, 3], "m": [6, 5], "y": [2024, 2024]})
    assert "day-first" in next(iter(read_moments(unclear).problems())).remedy
    assert read_moments(unclear, "day-first").exact.tolist() == read_moments(unclear, "%d %m %Y").exact.tolist()


@pytest.mark.parametrize(("columns", "form"), [(7, None), (3, "unix"), (3, "excel")])
def test_what_does_not_go_together_is_refused(columns: int, form: str | None) -> None:
    table = pl.DataFrame({f"c{k}": [1] for k in range(columns)})
    with pytest.raises(DataError, match=r"do not go together; give .*year,month,day\[,hour"):
        read_moments(table, form)


def test_a_part_that_is_none_stops_and_one_that_is_missing_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("user,item,year,month,day\n1,1,2024,5,31\n1,2,2024,,30\n1,3,2024,5,29\n")
    log = sources.read(path, time=("year", "month", "day"))
    assert log.item_ids.decode(log.items).tolist() == [3, 1]
    assert [(one.reason, one.events) for one in log.dropped] == [("no time", 1)]
    path.write_text("user,item,year,month,day\n1,1,2024,5,31\n1,2,2024,13,30\n")
    with pytest.raises(DataError, match=r"line 3: '2024 13 30' in column 'year,month,day' is no time"):
        sources.read(path, time="year,month,day")


@pytest.mark.parametrize(("names", "count"), [(NAMES, 6), (NAMES, 3), (("Jahr", "Monat", "Tag", "Stunde"), 4)])
def test_parts_are_proposed_where_nothing_else_is_a_time(names: tuple[str, ...], count: int) -> None:
    moments = [dt.datetime(2023, 11, 2, 7, 5, 1) + dt.timedelta(hours=31 * k) for k in range(20)]
    parts = _parts(moments, count).rename(dict(zip(NAMES[:count], names[:count], strict=True)))
    frame = pl.DataFrame({"user": range(20), "item": range(20), "price": [1.5] * 20}).hstack(parts)
    wanted = ",".join(names[:count])
    with pytest.raises(DataError, match=f"hold one in parts; say --time {wanted}, or --time none"):
        choose(frame.columns, ("user", "item"), lambda: frame, "x.csv")
    named = frame.with_columns(pl.Series([f"{m:%B}" for m in moments]).alias(names[1]))
    with pytest.raises(DataError, match=f"say --time {wanted}, or"):
        choose(named.columns, ("user", "item"), lambda: named, "x.csv")
    timed = frame.with_columns(timestamp=pl.Series([1_700_000_000 + k for k in range(20)]))
    assert choose(timed.columns, ("user", "item"), lambda: timed, "x.csv").time == ("timestamp",)


@pytest.mark.parametrize(
    "columns",
    [
        {"year": [1994, 2001]},  # of a film
        {"year": [1994, 2001], "day": [3, 4]},
        {"year": [1954, 2001], "month": [3, 4]},
        {"year": [1, 2], "month": [3, 4], "day": [5, 6]},
        {"year": [2001, 2002], "month": [0.5, 4.0], "day": [5, 6]},
        {"year": ["first", "second"], "month": [3, 4], "day": [5, 6]},
        {"year": [None, None], "month": [3, 4], "day": [5, 6]},
    ],
)
def test_what_is_no_date_in_parts_is_not_proposed(columns: dict[str, list[object]]) -> None:
    frame = pl.DataFrame({"user": [1, 2], "item": [1, 2], **columns})
    assert choose(frame.columns, ("user", "item"), lambda: frame, "x.csv").time == ()
