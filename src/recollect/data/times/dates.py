"""Columns of text that are dates: the form is found in some of the text, and then reads all of it.

What one form leaves over is looked at again, so that seconds that are only sometimes there, or offsets that differ, do
no harm. A date and a time without a zone are UTC.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections import Counter
from collections.abc import Iterable

import numpy as np
import polars as pl

from recollect.data.times import span
from recollect.data.times.forms import TIDY, Form, form_of
from recollect.data.times.moments import ROW, Moments, Problem, Remark, nothing
from recollect.data.times.order import decide
from recollect.data.times.other_order import Orders
from recollect.data.times.span import MICRO

SAMPLE = 1000
FORMS_A_COLUMN = 16
YEARS = (1000, 9999)
"""Polars takes `12` for the year 12 where it expects four digits: what is outside is no date that anybody wrote."""
PIVOT = 2069
"""POSIX reads two digits from 69 on as 19xx; Polars does so from 70 on."""


def some_of(text: pl.Series) -> list[str]:
    """At most `SAMPLE` values and their like, from all over a column; nulls are left out."""
    step = max(len(text) // SAMPLE, 1)
    return pl.concat([text.head(100), text.gather_every(step)]).drop_nulls().to_list()


def read_dates(text: pl.Series, missing: np.ndarray, order: str | None = None, *, as_it_is: bool = False) -> Moments:
    """Moments of text that holds dates; `order` of day and month, if it is said. Rows of another form are bad."""
    text = text.set(pl.Series(missing), None) if missing.any() else text
    forms = _forms(some_of(text))
    families: Counter[str] = Counter()
    for form, count in forms.items():
        families[form.family] += count
    family = families.most_common(1)[0][0] if families else ""
    orders = list(dict.fromkeys(each for form in forms if form.family == family for each in form.orders))
    both = {each: _parsed(text, forms, family, each) for each in orders}
    read = {each: found for each, (found, _, _) in both.items()}
    chosen, problem = orders[0] if orders else "", None
    if order in orders:
        chosen = order
    elif len(read) > 1:
        chosen, problem = decide(read, text)
    found = read[chosen] if read else pl.Series(text.name, [None] * len(text), dtype=pl.Datetime("us"))
    bad = found.is_null().to_numpy() & ~missing
    note = (Remark(f"dates are read {chosen}: {_example(text, found)}"),) if chosen else ()
    if read and (bare := both[chosen][1]) is not None:
        note = (*note, _without_clock(text, bare))
    local = both[chosen][2] if read else False
    made = from_datetimes(found, missing, bad, note, problem, as_it_is=as_it_is, local=local)
    if len(read) > 1 and problem is None:
        made = dataclasses.replace(made, orders=Orders(chosen, read))
    if not bad.any() or found.null_count() == len(found):
        return dataclasses.replace(made, order=chosen or None)
    foreign, others = _of_another_family(text, bad, family), str(text[int(found.is_not_null().arg_max() or 0)])
    return dataclasses.replace(made, order=chosen or None, foreign=foreign, others=others)


def from_datetimes(
    column: pl.Series,
    missing: np.ndarray,
    bad: np.ndarray,
    notes: tuple[Remark, ...] = (),
    refusal: Problem | None = None,
    *,
    as_it_is: bool = False,
    local: np.ndarray | bool = False,
) -> Moments:
    """Moments of datetimes in UTC; those outside the span are doubtful, unless all are to be taken as they are."""
    exact = column.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
    doubtful = nothing(len(exact))
    usable = ~(missing | bad)
    if usable.any() and not as_it_is:
        low, high = (exact.min(where=usable, initial=2**63 - 1), exact.max(where=usable, initial=-(2**63)))
        if not span.inside(np.array([low, high]), MICRO).all():
            doubtful = usable & ~span.inside(exact, MICRO)
            if (doubtful == usable).all() and _historic(low, high):
                doubtful = nothing(len(exact))
                years = f"{span.date_of(low / MICRO)[:10]} to {span.date_of(high / MICRO)[:10]}"
                notes = (*notes, Remark(f"every event is before {span.FIRST_YEAR}: {years}"))
    return Moments(exact, MICRO, missing, bad, doubtful, notes, refusal, local=local)


def parse(text: pl.Series, pattern: str) -> pl.Series:
    """Datetimes in UTC by one pattern, null where the text is none of its kind."""
    zone = "UTC" if re.search(r"%[#:]*z|%\+", pattern) else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = text.str.to_datetime(pattern, strict=False, time_unit="us", time_zone=zone)
    found = found.dt.replace_time_zone(None) if zone else found
    if "%y" in pattern:
        late = (found.dt.year() >= PIVOT).fill_null(False)
        found = found.set(late, None).fill_null(found.dt.offset_by("-100y")) if late.any() else found
    years = found.dt.year()
    if years.min() is not None and not (years.min() >= YEARS[0] and years.max() <= YEARS[1]):  # type: ignore[operator]
        found = found.set(~years.is_between(*YEARS).fill_null(True), None)
    return found


def _historic(low: int, high: int) -> bool:
    """Whether dates that are all outside the span are those of an old archive. Dates that are all in the first days of
    1970, with times of day, come from numbers that somebody took for a finer unit than they had."""
    first = span.bounds()[0] * MICRO
    fault = 0 <= low and high < 40 * span.DAY * MICRO and (low % (span.DAY * MICRO) or high % (span.DAY * MICRO))
    return high < first and low >= int(np.datetime64("1700-01-01", "us").astype(np.int64)) and not fault


def _forms(texts: Iterable[str]) -> Counter[Form]:
    return Counter(form for form in map(form_of, texts) if form is not None)


def _of_another_family(text: pl.Series, bad: np.ndarray, family: str) -> np.ndarray:
    """[rows] bool: the bad rows that hold dates, though not as the column has them; told by where their digits are."""
    shapes = text.set(pl.Series(~bad), None).str.replace_all(r"[0-9]", "0")
    forms = {shape: form_of(shape) for shape in shapes.drop_nulls().unique().to_list()}
    others = [shape for shape, form in forms.items() if form is not None and form.family != family]
    return shapes.is_in(pl.Series(others, dtype=pl.String).implode()).fill_null(False).to_numpy()


def _parsed(
    text: pl.Series, forms: Counter[Form], family: str, order: str
) -> tuple[pl.Series, np.ndarray | None, np.ndarray]:
    """The column by all forms of one family, in one order; [rows] bool, which dates have no time of day, None where
    all or none have one; [rows] bool, which have no offset."""
    found = pl.Series(text.name, [None] * len(text), dtype=pl.Datetime("us"))
    tried: set[Form] = set()
    clocked, bare, local = False, nothing(len(text)), nothing(len(text))
    while len(tried) < FORMS_A_COLUMN:
        rows = (found.is_null() & text.is_not_null()).arg_true()
        if not len(rows):
            break
        left = text if len(rows) == len(text) else text.gather(rows)
        todo = forms if not tried else _forms(some_of(left))
        fresh = [form for form, _ in todo.most_common() if form.family == family and form not in tried]
        if not fresh:
            break
        tried.add(fresh[0])
        one = parse(_tidied(left, fresh[0]), fresh[0].pattern(order))
        found = one if len(rows) == len(text) else found.scatter(rows, one)
        if fresh[0].clocked:
            clocked |= one.null_count() < len(one)
        else:
            bare[rows.to_numpy()] = one.is_not_null().to_numpy()
        if not fresh[0].zoned:
            local[rows.to_numpy()] = one.is_not_null().to_numpy()
    return found, bare if clocked and bare.any() else None, local


def _without_clock(text: pl.Series, bare: np.ndarray) -> Remark:
    """What is said of dates without a time of day among dates that have one."""
    first, count = int(bare.argmax()), int(bare.sum())
    return Remark(
        f"{count:,} of the dates have no time of day, unlike the others ({text[first]!r} first at {ROW}): each is "
        "taken as the beginning of its day, before whatever else a user did on it",
        first,
    )


def _tidied(text: pl.Series, form: Form) -> pl.Series:
    for place in form.tidy:
        what, by = TIDY[place]
        text = text.str.replace_all(what, by)
    return text + form.suffix if form.suffix else text


def _example(text: pl.Series, found: pl.Series) -> str:
    row = found.is_not_null().arg_max()
    return f"{text[row]} is {found[row]:%Y-%m-%d}" if row is not None and found[row] is not None else "none"
