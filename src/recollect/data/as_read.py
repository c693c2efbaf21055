"""Events written as a reading expects them, so that the log of a run can be continued by what a service took in.

A reading names the columns, the form of the times, what stands between the columns, and what a row must be to count.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from recollect.config import ConfigError
from recollect.data.formats.text.dialect import meant
from recollect.data.parquet import as_table
from recollect.data.reading import NO_TIME, Reading
from recollect.data.times import numbers
from recollect.data.times.column import read_moments
from recollect.data.times.pattern import has_offset, is_pattern
from recollect.data.times.span import DAY
from recollect.data.times.zone import on_the_wall
from recollect.data.where import Where, parse
from recollect.data.writing import Columns, checked_ending, write_blocks

FORMATS = {"delimited": ".csv", "json": ".jsonl", "parquet": ".parquet"}
"""Formats that are written, and the ending of each."""

_DAY, _CLOCK = "%Y-%m-%d", "%H:%M:%S"
_LOOKED_AT, _COMBINATIONS = 1000, 10_000


class AsRead:
    """Writes events (user, item and time, in unix seconds) to a file so that `reading` reads them back.

    Raises ConfigError, in words that go on from "its log", where that needs what an event of a service does not have,
    or a form that is not written.
    """

    def __init__(self, reading: Reading, path: Path) -> None:
        self._reading, self._path, ending = reading, path, checked_ending(path)
        if reading.format and FORMATS.get(reading.format) != ending:
            hint = f"; give a {FORMATS[reading.format]} file" if reading.format in FORMATS else ""
            raise ConfigError(f"is read as data.format={reading.format}, and {path} would be none{hint}")
        if reading.targets or reading.weights:
            raise ConfigError("tells kinds of events apart (data.kind), and an event of a service has no kind")
        self._separator = meant(reading.separator or ",")
        if ending == ".csv" and len(self._separator.encode()) > 1:
            raise ConfigError(f"has {self._separator!r} between its columns (data.separator); give .jsonl or .parquet")
        self._headed = not (ending == ".csv" and reading.header is False)
        self._placed = ending == ".csv" and not reading.header and (reading.by_number or not self._headed)
        self._user, self._item = reading.user or "user", reading.item or "item"
        if not self._headed:
            self._user, self._item = reading.user or "1", reading.item or "2"
        for role, name in (("user", self._user), ("item", self._item)):
            if "," in name:
                raise ConfigError(f"has a {role} of several columns ({name}), and an event of a service has one id")
        self._time = tuple(part.strip() for part in (reading.time or NO_TIME).split(","))
        if self._time == (NO_TIME,):  # a file without a header has no time either, where nobody said which it is
            self._time = ("time",) if self._headed else ()
        self._where = None if reading.where is None else parse(reading.where)
        self._constants: dict[str, str | None] | None = None
        self._cut = 0

    @property
    def notes(self) -> Iterator[str]:
        """What is not as it was, or what no event had, a sentence each; complete once the file is written."""
        if self._cut:
            yield f"{self._cut:,} times are cut to what {self._reading.time_format} says (data.time_format)"
        for name, value in (self._constants or {}).items():
            if value is not None:
                yield f"{name} is {value} in every row: only rows with {self._reading.where} are events (data.where)"

    def write(self, blocks: Iterable[Columns]) -> int:
        """Write blocks of events, oldest first -> rows."""
        if self._reading.ties == "file-reversed":  # the last row is the first event
            blocks = ({key: part[::-1] for key, part in block.items()} for block in reversed(list(blocks)))
        encoding = self._reading.encoding or "utf-8"
        columns = map(self._columns, blocks)
        return write_blocks(self._path, columns, separator=self._separator, header=self._headed, encoding=encoding)

    def _columns(self, block: Columns) -> Columns:
        rows = len(block["user"])
        columns = {self._user: block["user"], self._item: block["item"], **self._times(block["time"])}
        if self._constants is None:
            self._constants = {} if self._where is None else _constants(self._where, columns)
        kind = () if self._reading.kind is None else (self._reading.kind,)
        for name, value in {**dict.fromkeys((*self._reading.values, *kind)), **self._constants}.items():
            columns.setdefault(name, np.full(rows, value, dtype=object))
        if not self._placed:
            return columns
        titles = {self._user: "user", self._item: "item"} | {name: f"time {name}" for name in self._time}
        last = max(int(name) for name in columns if name.isdigit())
        nothing = np.full(rows, None, dtype=object)
        placed = {titles.get(name, name): columns.pop(name, nothing) for name in map(str, range(1, last + 1))}
        return placed | columns

    def _times(self, seconds: np.ndarray) -> dict[str, np.ndarray]:
        form = self._reading.time_format
        parts: list[tuple[np.ndarray, str | None]] = [(self._local(seconds, form), form)]
        if len(self._time) == 2 and is_pattern(form):
            if " " not in form:
                raise ConfigError(f"has times in two columns, and {form} (data.time_format) has no blank to part them")
            parts = [(self._local(seconds, form), part) for part in form.split(" ", 1)]
        elif len(self._time) == 2:
            days = form if form in (*numbers.FORMS, numbers.EXCEL) else _DAY
            local = self._local(seconds, days)
            parts = [(local // DAY * DAY, days), (local, _CLOCK)]
        columns = {name: _written(*part) for name, part in zip(self._time, parts, strict=False)}
        if is_pattern(form) and columns:
            again = read_moments(as_table(columns), form, self._reading.time_zone)
            if not again.usable.all():
                raise ConfigError(f"has times in a form that is not written, {form} (data.time_format)")
            self._cut += int((again.seconds(again.exact) != seconds).sum())
        return columns

    def _local(self, seconds: np.ndarray, form: str | None) -> np.ndarray:
        """Seconds as clocks of the reading's zone showed them, where the form says no offset."""
        naive = form == numbers.EXCEL or (is_pattern(form) and not has_offset(form))
        return on_the_wall(seconds, self._reading.time_zone) if naive else seconds


def _written(seconds: np.ndarray, form: str | None) -> np.ndarray:
    """Unix seconds in a form. What is said of dates (`day-first`) leaves unix seconds as they are."""
    if form == numbers.EXCEL:
        return numbers.EXCEL_START + seconds / DAY
    if not is_pattern(form):
        return seconds * (numbers.FORMS[form].per_second if form in numbers.FORMS else 1)
    pattern = re.sub(r"([.,])%f", r"\g<1>000000", re.sub(r"%[-#](?=[a-yA-Y])", "%", form))
    moments = pl.from_epoch(pl.Series(seconds), time_unit="s").dt.replace_time_zone("UTC")
    text = np.empty(len(seconds), dtype=object)
    text[:] = moments.dt.strftime(pattern).to_list()
    return text


def _constants(where: Where, columns: Columns) -> dict[str, str | None]:
    """For every other column of a condition one value with which most of these rows are events.

    ConfigError where there is none with which any is.
    """
    rows = as_table({name: column[:_LOOKED_AT] for name, column in columns.items()})
    others = [name for name in where.columns if name not in columns]
    found: tuple[int, dict[str, str | None]] = (0, dict.fromkeys(others))
    for values in itertools.islice(itertools.product(*(_values(where, name) for name in others)), _COMBINATIONS):
        chosen = dict(zip(others, values, strict=True))
        table = rows.with_columns(pl.lit(value, dtype=pl.String).alias(name) for name, value in chosen.items())
        held = int(where.holds(table, "an export").sum())
        found = max(found, (held, chosen), key=lambda one: one[0])
        if held == rows.height:
            return chosen
    if not found[0]:
        raise ConfigError(f"has only rows with {where.text} as events (data.where), and no export can be so")
    return found[1]


def _values(where: Where, name: str) -> list[str | None]:
    """Nothing, what the conditions compare a column with, and for numbers something below, between and above."""
    said = [value for one in where.conditions if one.column == name for value in one.values]
    try:
        marks = sorted({float(value) for value in said})
    except ValueError:
        return [None, *said]
    between = [(low + high) / 2 for low, high in itertools.pairwise(marks)]
    return [None, *said, *(f"{number:.15g}" for number in (marks[0] - 1, *between, marks[-1] + 1))]
