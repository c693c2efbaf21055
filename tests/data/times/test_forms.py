"""Moments in the forms that logs have read back as they were; where day and month cannot be told, they are asked about.

The oracle is Python's own datetime, formatting and parsing by other code than that which reads.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.data.times.column import read_moments
from recollect.data.times.forms import form_of

Moment = dt.datetime
Write = Callable[[Moment], str]
MOMENT = st.datetimes(Moment(1990, 1, 1), Moment(2024, 12, 31))
MOMENTS = st.lists(MOMENT, min_size=1, max_size=8)
DAY, HOUR, MINUTE, SECOND = (dt.timedelta(**{unit: 1}) for unit in ("days", "hours", "minutes", "seconds"))
MILLI, MICRO = dt.timedelta(milliseconds=1), dt.timedelta(microseconds=1)
EAST, WEST = dt.timedelta(hours=5, minutes=30), dt.timedelta(hours=8)


def _as(pattern: str) -> Write:
    return lambda m: m.strftime(pattern)


# How it is written, and the finest part that is written.
PLAIN: dict[str, tuple[Write, dt.timedelta]] = {
    "day": (_as("%Y-%m-%d"), DAY),
    "day, slashes": (_as("%Y/%m/%d"), DAY),
    "day, dots": (_as("%Y.%m.%d"), DAY),
    "day without zeros": (lambda m: f"{m.year}-{m.month}-{m.day}", DAY),
    "hour": (_as("%Y-%m-%d %H"), HOUR),
    "hour after T": (_as("%Y-%m-%dT%H"), HOUR),
    "minute": (_as("%Y-%m-%dT%H:%M"), MINUTE),
    "minute, slashes": (lambda m: f"{m.year}/{m.month}/{m.day} {m.hour}:{m.minute:02d}", MINUTE),
    "second": (_as("%Y-%m-%d %H:%M:%S"), SECOND),
    "second after T": (_as("%Y-%m-%dT%H:%M:%S"), SECOND),
    "fraction": (lambda m: m.isoformat(timespec="microseconds"), MICRO),
    "python": (str, MICRO),
    "python's log": (lambda m: f"{m:%Y-%m-%d %H:%M:%S},{m.microsecond // 1000:03d}", MILLI),
    "javascript's JSON": (lambda m: m.isoformat(timespec="milliseconds") + "Z", MILLI),
    "ends in UTC": (_as("%Y-%m-%d %H:%M:%S UTC"), SECOND),
    "offset": (lambda m: (m + EAST).isoformat(timespec="seconds") + "+05:30", SECOND),
    "offset without colon": (lambda m: f"{m - WEST:%Y-%m-%d %H:%M:%S} -0800", SECOND),
    "offset of hours": (lambda m: f"{m - WEST:%Y-%m-%d %H:%M:%S}-08", SECOND),
    "offset and zone": (lambda m: f"{(m + EAST).isoformat(timespec='seconds')}+05:30[Asia/Kolkata]", SECOND),
    "basic": (_as("%Y%m%dT%H%M%SZ"), SECOND),
    "basic with a space": (_as("%Y%m%d %H%M%S"), SECOND),
    "Chinese": (lambda m: f"{m.year}年{m.month}月{m.day}日", DAY),
    "RFC 2822": (lambda m: email.utils.format_datetime(m.replace(tzinfo=dt.UTC)), SECOND),
    "RFC 2822 of a zone": (lambda m: f"{m - WEST:%a, %d %b %Y %H:%M:%S} PST", SECOND),
    "HTTP": (lambda m: email.utils.format_datetime(m.replace(tzinfo=dt.UTC), usegmt=True), SECOND),
    "Twitter": (_as("%a %b %d %H:%M:%S +0000 %Y"), SECOND),
    "Apache in brackets": (lambda m: f"[{m - WEST:%d/%b/%Y:%H:%M:%S} -0800]", SECOND),
    "Apache without a zone": (_as("[%d/%b/%Y:%H:%M:%S]"), SECOND),
    "Apache's errors": (_as("[%a %b %d %H:%M:%S %Y]"), SECOND),
    "Apache's errors, with microseconds": (_as("[%a %b %d %H:%M:%S.%f %Y]"), MICRO),
    "ctime": (lambda m: m.ctime(), SECOND),
    "date(1)": (_as("%a %b %e %H:%M:%S UTC %Y"), SECOND),
    "Apache": (lambda m: f"{m + EAST:%d/%b/%Y:%H:%M:%S} +0530", SECOND),
    "JavaScript": (lambda m: f"{m - WEST:%a %b %d %Y %H:%M:%S} GMT-0800 (Pacific Standard Time)", SECOND),
    "Wikipedia": (lambda m: f"{m:%H:%M}, {m.day} {m:%B} {m.year} (UTC)", MINUTE),
    "day, month by name": (lambda m: f"{m.day} {m:%b} {m.year}", DAY),
    "day-month": (_as("%d-%b-%Y %H:%M"), MINUTE),
    "Oracle": (lambda m: f"{m:%d-%b-%y}".upper(), DAY),
    "Oracle's timestamp": (lambda m: f"{m:%d-%b-%y %I.%M.%S.%f}000 {m:%p}".upper(), MICRO),
    "Db2": (_as("%Y-%m-%d-%H.%M.%S.%f"), MICRO),
    "digits, then colons": (_as("%Y%m%d %H:%M:%S"), SECOND),
    "German, in words": (lambda m: f"{m.day}. {m:%B} {m.year}, {m:%H:%M}", MINUTE),
    "American": (lambda m: f"{m:%b} {m.day}, {m.year}", DAY),
    "American with hours": (lambda m: f"{m:%B} {m.day}, {m.year} at {m:%I:%M %p}", MINUTE),
    "ordinal": (lambda m: f"{m:%B} {m.day}{'st' if m.day == 1 else 'th'}, {m.year}", DAY),
    "Amazon": (lambda m: f"{m.month:02d} {m.day}, {m.year}", DAY),
    "month": (_as("%Y-%m"), DAY),
    "digits, day": (_as("%Y%m%d"), DAY),
    "digits, hour": (_as("%Y%m%d%H"), HOUR),
    "digits, minute": (_as("%Y%m%d%H%M"), MINUTE),
    "digits, second": (_as("%Y%m%d%H%M%S"), SECOND),
    "digits, millisecond": (lambda m: f"{m:%Y%m%d%H%M%S}{m.microsecond // 1000:03d}", MILLI),
}


@pytest.mark.parametrize("zone", ["(CET)", "[Europe/Berlin]", "(PST)", "CET"])
def test_a_named_zone_without_an_offset_is_not_taken_for_utc(zone: str) -> None:
    assert form_of(f"2024-05-31 12:30:00 {zone}") is None
    column = pl.DataFrame({"t": [f"2024-05-31 12:30:00 {zone}", "2024-05-31 12:30:00"]})
    assert read_moments(column).bad.tolist() == [True, False]
    if zone != "CET":
        assert _exact([f"2024-05-31 12:30:00+02:00 {zone}"]) == [Moment(2024, 5, 31, 10, 30)]


def _down_to(moment: Moment, part: dt.timedelta) -> Moment:
    return moment - (moment - Moment(1, 1, 1)) % part


def _exact(column: list[str], form: str | None = None) -> list[Moment]:
    """What was read, exactly; no row may be in question."""
    moments = read_moments(pl.DataFrame({"t": column}), form)
    assert [(problem.reason, problem.why(int(problem.rows.argmax()))) for problem in moments.problems()] == []
    assert moments.usable.all()
    units = dt.timedelta(seconds=1) / moments.per_second if moments.per_second <= 10**6 else None
    assert units is not None
    return [Moment(1970, 1, 1) + units * int(count) for count in moments.exact]


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=50)  # a column costs much more than a moment in it
@given(moments=st.lists(MOMENT, min_size=1, max_size=16))
def test_every_form_reads_back(name: str, moments: list[Moment]) -> None:
    write, part = PLAIN[name]
    wanted = [_down_to(m.replace(day=1) if name == "month" else m, part) for m in moments]
    assert _exact([write(m) for m in moments]) == wanted


@given(moments=MOMENTS, unit=st.sampled_from([1, 1000, 10**6]), text=st.booleans())
def test_unix_times_read_back(moments: list[Moment], unit: int, text: bool) -> None:
    counts = [(m - Moment(1970, 1, 1)) // (dt.timedelta(seconds=1) / unit) for m in moments]
    column = pl.DataFrame({"t": list(map(str, counts)) if text else counts})
    read = read_moments(column)
    assert not list(read.problems()) and read.exact.tolist() == counts and read.per_second == unit


ORDERS = {"day-first": "%d{0}%m{0}{1}", "month-first": "%m{0}%d{0}{1}", "year-first": "{1}{0}%m{0}%d"}
CLOCKS: dict[str, tuple[str, dt.timedelta]] = {
    "": ("", DAY),
    "hours": (" %H", HOUR),
    "minutes": (" %H:%M", MINUTE),
    "seconds": (" %H:%M:%S", SECOND),
    "after a comma": (", %H:%M:%S", SECOND),
    "half days": (" %I:%M %p", MINUTE),
    "short half days": (" %I:%M%p", MINUTE),
    "dotted half days": ("\u202f%I:%M:%S\u202f%p", SECOND),
}


def _parsed(texts: list[str], pattern: str) -> list[Moment | None]:
    """By Python; None where a text is no date of this form. Two digits of a year are of POSIX's century."""
    found: list[Moment | None] = []
    for text in texts:
        try:
            found.append(Moment.strptime(text, pattern))
        except ValueError:
            found.append(None)
    return found


def _as_people_would(texts: list[str], patterns: dict[str, str]) -> list[Moment] | None:
    """The only way in which all texts can be meant, None if there are two."""
    ways = [found for pattern in patterns.values() if None not in (found := _parsed(texts, pattern))]
    if len(ways) > 1:
        believed = [way for way in ways if all(m and 1990 <= m.year <= dt.date.today().year + 1 for m in way)]
        ways = believed or ways
    first = [m for m in ways[0] if m]
    return first if all(way == ways[0] for way in ways) else None


@given(
    moments=MOMENTS,
    order=st.sampled_from(["day-first", "month-first"]),
    sign=st.sampled_from("/.-"),
    year=st.sampled_from(["%Y", "%y"]),
    clock=st.sampled_from(sorted(CLOCKS)),
    zeros=st.booleans(),
)
def test_day_and_month_are_told_apart_or_asked_about(
    moments: list[Moment], order: str, sign: str, year: str, clock: str, zeros: bool
) -> None:
    hours, part = CLOCKS[clock]
    patterns = {
        name: form.format(sign, year) + hours for name, form in ORDERS.items() if year == "%y" or name != "year-first"
    }
    texts = [m.strftime(patterns[order]) for m in moments]
    if clock == "dotted half days":
        texts = [text.replace("AM", "a.m.").replace("PM", "p.m.") for text in texts]
    if not zeros:
        texts = [
            sign.join(str(int(bit)) if bit.isdigit() and year == "%Y" else bit for bit in text.split(sign))
            for text in texts
        ]
    wanted = [_down_to(m, part) for m in moments]
    plain = [text.replace("a.m.", "AM").replace("p.m.", "PM") for text in texts]
    meant = _as_people_would(plain, patterns)
    read = read_moments(pl.DataFrame({"t": texts}))
    if meant is None:
        assert read.refusal is not None and read.refusal.whole and order in read.refusal.why(0).text
    else:
        assert meant == wanted and _exact(texts) == wanted
    assert _exact(texts, order) == wanted
    if clock != "dotted half days":
        assert _exact(texts, patterns[order]) == wanted


@given(
    moments=MOMENTS,
    order=st.sampled_from(["day-first", "month-first"]),
    hours=st.sampled_from(["", "%H%M", "%H%M%S"]),
    number=st.booleans(),
)
def test_digits_with_the_year_behind(moments: list[Moment], order: str, hours: str, number: bool) -> None:
    patterns = {name: ORDERS[name].format("", "%Y") + hours for name in ("day-first", "month-first")}
    texts = [m.strftime(patterns[order]) for m in moments]
    wanted = [_down_to(m, {"": DAY, "%H%M": MINUTE, "%H%M%S": SECOND}[hours]) for m in moments]
    column = pl.DataFrame({"t": [int(text) for text in texts] if number else texts})
    meant, read = _as_people_would(texts, patterns), read_moments(column)
    if meant is None:
        assert (
            read.refusal is not None and "--time-format day-first or --time-format month-first" in read.refusal.remedy
        )
    else:
        assert not list(read.problems())
        assert read.exact.tolist() == [(m - Moment(1970, 1, 1)) // MICRO for m in wanted]
    for said in (order, patterns[order]):
        read = read_moments(column, said)
        assert not list(read.problems())
        assert read.exact.tolist() == [(m - Moment(1970, 1, 1)) // MICRO for m in wanted]


@given(
    st.lists(
        st.tuples(
            st.datetimes(Moment(1990, 1, 1), Moment(2024, 12, 31)), st.sampled_from([*list(PLAIN)[:4], "second"])
        ),
        min_size=2,
        max_size=9,
    )
)
def test_forms_of_one_family_may_be_mixed(rows: list[tuple[Moment, str]]) -> None:
    assert _exact([PLAIN[name][0](m) for m, name in rows]) == [_down_to(m, PLAIN[name][1]) for m, name in rows]


@given(st.text(max_size=30))
def test_no_text_breaks_the_reading(text: str) -> None:
    read = read_moments(pl.DataFrame({"t": ["2024-05-31", "2024-06-01", text]}))
    assert read.usable[:2].all()
    assert int(read.missing[2]) + int(read.bad[2]) + int(read.doubtful[2]) <= 1
    assert read.exact.dtype == np.int64


def test_years_of_two_digits_are_those_of_posix() -> None:
    """Python's strptime: 69 is 1969, 68 is 2068."""
    texts = [f"31.12.{year:02d}" for year in range(100)]
    read = read_moments(pl.DataFrame({"t": texts}), "%d.%m.%y")
    assert [Moment(1970, 1, 1) + MICRO * int(count) for count in read.exact] == _parsed(texts, "%d.%m.%y")


def test_years_of_one_digit_or_two_never_stand_for_themselves() -> None:
    for text in ("5-12-11", "05-12-11", "12/05/11", "0005-12-11", "11-05-12"):
        read = read_moments(pl.DataFrame({"t": [text, text]}))
        years = [int(str(np.datetime64(int(count), "us"))[:4]) for count in read.exact[read.usable]]
        assert all(1900 < year < 2100 for year in years)
