"""Which column is the time, where nobody said: by names that are known, and among several of those by their values.

A column of times is never passed over in silence: where no name is known and some column holds times, it is named and
the reading stops. Among columns that tell the same moments, the finest is taken, because ties decide results.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import polars as pl

from recollect.data.log import DataError
from recollect.data.times import clock, parts
from recollect.data.times.column import NUMBER, read_moments
from recollect.data.times.direction import falls
from recollect.data.times.forms import form_of
from recollect.data.times.moments import Moments
from recollect.data.times.names import CLOCK_NAMES, TIME_NAMES, known, of_no_event, of_no_time, says_time
from recollect.data.times.span import DAY, MICRO

ENOUGH = 0.9
"""Which share of a column's values has to be times for it to be a column of times."""
WHOLE = 900
"""A sample of fewer rows than this is all there is, and what is the same in all of it is the same everywhere."""
HOUR = 3600 * MICRO
ZONES = 14 * HOUR
"""A day in one zone and a moment in another may be this far apart."""
STEPS = (DAY * MICRO, HOUR, 60 * MICRO, MICRO, 1000, 1)

Kind = Literal["dates", "counts", "clock", "none"]


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What some rows of a column say: `dates` (or unix times), `counts` from some start, times of day, or none."""

    kind: Kind
    exact: np.ndarray
    """[n] int64 microseconds since 1970."""
    usable: np.ndarray
    step: int = 1
    """Microseconds: the coarsest unit that all its times are whole numbers of."""
    unclear: bool = False
    """They are dates, but of which order of day and month is not clear."""


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """The columns of the time (none, one, or a date and a time of day), and what has to be said about them.

    `watched`: where the order of the rows is used, a column that tells whether they run backwards.
    """

    time: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()


def choose(names: Sequence[str], taken: Sequence[str], sample: Callable[[], pl.DataFrame] | None, where: str) -> Choice:
    """The time among `names` without the `taken` ones. DataError if some column may be it, but none is known.

    `sample` gives some rows of all columns; without it only names count.
    """
    free = [name for name in names if name not in taken]
    by_name = known(free, TIME_NAMES)
    if sample is None or not free:
        return Choice(tuple(by_name[:1]))
    frame = sample()
    looks = {name: look(frame[name]) for name in free}
    dated = [name for name in free if looks[name].kind == "dates" and not of_no_event(name)]
    certain = sorted((name for name in by_name if name in dated), key=lambda name: looks[name].unclear)
    if certain:
        return _finest(certain, dated, looks, frame)
    counts = [name for name in by_name if looks[name].kind == "counts"]
    if counts or (by_name and not dated):
        best = (counts or by_name)[0]
        return Choice((best,), _also(best, dated))
    likely = [name for name in dated if says_time(name)]
    if likely and _all_agree(likely, looks):
        return _finest(likely, dated, looks, frame)
    if dated:
        raise DataError(_ask(dated, looks, frame, where))
    in_parts = parts.found_among({name: frame[name] for name in free})
    if in_parts:
        raise DataError(
            f"{where}: no column is known as the time, but {', '.join(map(repr, in_parts))} hold one in parts; "
            f"say --time {','.join(in_parts)}, or --time none to use the order of the rows"
        )
    passed = [name for name in free if looks[name].kind == "dates"]
    notes = (f"dates that are taken for no times of events, by their names: {', '.join(passed)}",) if passed else ()
    return Choice((), notes, _watched([], free, frame))


def watch(names: Sequence[str], taken: Sequence[str], sample: Callable[[], pl.DataFrame] | None) -> tuple[str, ...]:
    """Where the order of the rows was asked for: a column that tells whether they run backwards."""
    free = [name for name in names if name not in taken]
    if sample is None or not free:
        return ()
    frame = sample()
    dated = [name for name in free if not of_no_event(name) and look(frame[name]).kind == "dates"]
    return _watched([*known(dated, TIME_NAMES), *dated], free, frame)


def look(column: pl.Series) -> Look:
    """What a column holds. Text is read only if its first values promise something."""
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    rows = len(column)
    nothing = Look("none", np.zeros(rows, np.int64), np.zeros(rows, bool))
    kind = column.dtype
    if kind == pl.Time:
        return dataclasses.replace(nothing, kind="clock")
    if kind == pl.String:
        promised = _promise(column)
        if promised in ("none", "clock"):
            return dataclasses.replace(nothing, kind=promised)
    elif not (kind.is_numeric() or kind == pl.Date or isinstance(kind, pl.Datetime)):
        return nothing
    if 1 < rows < WHOLE and column.drop_nulls().n_unique() == 1 and not known([column.name], TIME_NAMES):
        return nothing  # the day of the export, say
    moments = read_moments(column.to_frame())
    there = int((~moments.missing).sum())
    if not there or moments.usable.sum() < ENOUGH * there:
        return nothing
    exact = _microseconds(moments)
    if moments.refusal is not None and not moments.elapsed:
        dates = moments.refusal.reason != "unclear time"
        return Look("dates" if dates else "none", exact, moments.usable, DAY * MICRO, unclear=True)
    number = kind.is_numeric() or (kind == pl.String and promised == "counts")
    if moments.elapsed or (number and of_no_time(column.name)):
        return dataclasses.replace(nothing, kind="counts" if moments.elapsed else "none")
    step = next(step for step in STEPS if not (exact[moments.usable] % step).any())
    return Look("dates", exact, moments.usable, step)


def _promise(column: pl.Series) -> Kind:
    texts = [text.strip() for text in column.drop_nulls().head(200).to_list() if text.strip(" -")][:50]
    shares: dict[Kind, int] = {
        "dates": sum(form_of(text) is not None for text in texts),
        "counts": sum(bool(NUMBER.fullmatch(text)) for text in texts),
        "clock": sum(map(clock.is_clock, texts)),
    }
    best = max(shares, key=lambda kind: shares[kind])
    return best if shares[best] > len(texts) / 2 else "none"


def _microseconds(moments: Moments) -> np.ndarray:
    exact = moments.exact.astype(np.float64) * (MICRO / moments.per_second)
    near = np.abs(exact) < 2.0**62
    if moments.per_second > MICRO:
        return moments.exact // (moments.per_second // MICRO)
    return np.where(near, moments.exact, 0) * (MICRO // moments.per_second)


def _finest(candidates: Sequence[str], dated: Sequence[str], looks: dict[str, Look], frame: pl.DataFrame) -> Choice:
    """The best name, unless another column tells the same moments in a finer unit."""
    first = best = candidates[0]
    rivals = candidates[1:] if looks[first].step <= MICRO else dict.fromkeys([*candidates[1:], *dated])
    for rival in rivals:
        if looks[rival].step < looks[best].step and _agree(looks[best], looks[rival]):
            best = rival
    notes = [] if best == first else [f"{best} is the time: it tells the same as {first}, and finer"]
    notes += _also(best, [name for name in candidates if name not in (best, first)])
    beside = _clock_beside(best, looks, frame)
    if beside:
        notes.insert(0, f"{beside} is a time of day and belongs to the dates of {best}")
    return Choice((best, beside) if beside else (best,), tuple(notes))


def _clock_beside(day: str, looks: dict[str, Look], frame: pl.DataFrame) -> str:
    """The column with the time of day of a column of days, '' if there is none or it has its own."""
    if looks[day].step < DAY * MICRO:
        return ""
    for name in dict.fromkeys([*known(list(looks), CLOCK_NAMES), *looks]):
        kind = looks[name].kind
        if name == day or kind not in ("clock", "counts") or (kind == "counts" and not known([name], CLOCK_NAMES)):
            continue
        if kind == "clock" or not clock.read_clock(frame[name], frame[name].is_null().to_numpy()).bad.any():
            return name
    return ""


def _agree(coarse: Look, fine: Look) -> bool:
    """Whether both tell the same moments, as far as the coarser one knows them."""
    both = coarse.usable & fine.usable
    if coarse.unclear or fine.unclear or not both.any():
        return False
    slack = ZONES if coarse.step > MICRO else 0
    apart = fine.exact[both] - coarse.exact[both]
    return bool(((apart >= -slack) & (apart < coarse.step + slack)).mean() >= ENOUGH)


def _all_agree(candidates: Sequence[str], looks: dict[str, Look]) -> bool:
    finest = min(candidates, key=lambda name: looks[name].step)
    return all(name == finest or _agree(looks[name], looks[finest]) for name in candidates)


def _also(best: str, others: Sequence[str]) -> tuple[str, ...]:
    left = [name for name in others if name != best]
    return (f"{best} is the time; {', '.join(left)} could be too: --time takes another",) if left else ()


def _ask(dated: Sequence[str], looks: dict[str, Look], frame: pl.DataFrame, where: str) -> str:
    first = min(dated, key=lambda name: (looks[name].unclear, looks[name].step))
    shown = str(frame[first].drop_nulls()[0])
    beside = _clock_beside(first, looks, frame)
    others = [name for name in dated if name != first]
    also = f" ({', '.join(map(repr, others[:3]))} {'do' if len(others) > 1 else 'does'} too)" if others else ""
    return (
        f"{where}: no column is known as the time, but {first!r} holds dates or unix times, as {shown[:40]!r}{also}; "
        f"say --time {first}{beside and ',' + beside}, or --time none to use the order of the rows"
    )


def _watched(dated: Sequence[str], free: Sequence[str], frame: pl.DataFrame) -> tuple[str, ...]:
    """The first of the dates; else a column of names or numbers of events, if it falls from row to row."""
    if dated:
        return (dated[0],)
    for name in free:
        if of_no_time(name):
            column = frame[name]
            if column.dtype in (pl.Categorical, pl.Enum):
                column = column.cast(pl.String)
            if not (column.dtype.is_numeric() or column.dtype == pl.String):
                continue
            numbers = column.cast(pl.Float64, strict=False)
            if not numbers.null_count() and falls(numbers.to_numpy()):
                return (name,)
    return ()
