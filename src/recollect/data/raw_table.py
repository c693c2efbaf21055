"""The step between a file and a log: columns as they were read, in file order, with where each row came from.

Here rows without ids or times are counted and left out, bad times are answered with their line, and ids get their kind.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from recollect.data.log import DataError, Dropped, EventLog, build_log
from recollect.data.moments import EXPECTED, Moments, read_moments
from recollect.data.reading import OnBad, Reading
from recollect.data.roles import Roles, shown
from recollect.data.side_table import as_values, line_up


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """One file's rows. `line(k)` says where row k stands (`ratings.csv line 17`), asked only if something is wrong."""

    frame: pl.DataFrame
    line: Callable[[int], str]
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    """How the file was understood, where that was no matter of course."""


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """Side data of users or items: any columns, one of them the ids."""

    frame: pl.DataFrame
    key: str
    notes: tuple[str, ...] = ()
    """What was left out of it, and how the file was understood."""


@dataclasses.dataclass(frozen=True, slots=True)
class RawTable:
    """All pieces of a source, in order, and which columns are which."""

    name: str
    pieces: Sequence[Piece]
    roles: Roles
    users: Side | None = None
    items: Side | None = None
    notes: tuple[str, ...] = ()
    place: str = ""
    """Where it comes from, for errors; the name if empty."""

    def to_log(self, reading: Reading | None = None) -> EventLog:
        """Code, sort and count. DataError for a time that is none (unless `on_bad` is skip), or if nothing is left."""
        reading = reading or Reading()
        where = self.place or self.name
        frame = _joined([piece.frame.select(self.roles.columns) for piece in self.pieces], where)
        dropped = [entry for piece in self.pieces for entry in piece.dropped]
        sides = [note for side in (self.users, self.items) if side is not None for note in side.notes]
        notes = [*self.roles.notes, *self.notes, *(note for piece in self.pieces for note in piece.notes), *sides]
        if len(frame) == 0:
            raise DataError(f"{where}: no events in it, only {_before(dropped) or 'a header'}; give a log with rows")
        keep = np.ones(len(frame), bool)
        users, items = key(frame, self.roles.user), key(frame, self.roles.item)
        no_user, no_item = _missing(users), _missing(items)
        moments = read_moments(frame.select(self.roles.time), reading.time_format) if self.roles.time else None
        empty = no_user & no_item & (True if moments is None else moments.missing)
        for reason, gone in (("empty line", empty), ("no user id", no_user), ("no item id", no_item)):
            self._leave_out(reason, gone, keep, dropped)
        if moments is not None:
            self._leave_out("no time", moments.missing, keep, dropped)
            self._answer_bad_times(frame, moments, keep, dropped, reading.on_bad)
        if not keep.any():
            raise DataError(
                f"{where}: none of its {len(frame)} rows can be used ({_before(dropped)}); check the columns"
            )
        if moments is not None and moments.note:
            notes.append(moments.note)
        kept = frame if keep.all() else frame.filter(pl.Series(keep))
        log = build_log(
            code_ready(users.filter(pl.Series(keep)), where),
            code_ready(items.filter(pl.Series(keep)), where),
            None if moments is None else moments.exact[keep],
            {name: as_values(kept[name]) for name in self.roles.values},
            ties=reading.ties,
            name=self.name,
            dropped=tuple(dropped),
        )
        return self._finish(log, moments, notes)

    def where(self, row: int) -> str:
        """The place of a row of the joined table, for people."""
        for piece in self.pieces:
            if row < len(piece.frame):
                return piece.line(row)
            row -= len(piece.frame)
        raise IndexError(row)

    def _finish(self, log: EventLog, moments: Moments | None, notes: list[str]) -> EventLog:
        times, clock = log.times, log.clock
        if moments is not None:
            starts = log.offsets[:-1]
            # Some published logs keep each event's place in its history where a time should be.
            clock = not np.array_equal(log.times, np.arange(len(log)) - starts[log.users])
            if clock:
                times = moments.seconds(log.times)  # sorted by exact moments; whole seconds keep that order
            else:
                notes.append(f"{shown(self.roles.time)} is each event's position (0, 1, 2, ...): an order, not a clock")
        return dataclasses.replace(
            log,
            times=times,
            clock=clock,
            notes=tuple(notes),
            user_table=None if self.users is None else line_up(self.users.frame, self.users.key, log.user_ids),
            item_table=None if self.items is None else line_up(self.items.frame, self.items.key, log.item_ids),
        )

    def _leave_out(self, reason: str, gone: np.ndarray, keep: np.ndarray, dropped: list[Dropped]) -> None:
        gone = gone & keep
        if gone.any():
            dropped.append(Dropped(reason, int(gone.sum()), f"first at {self.where(int(gone.argmax()))}"))
            keep &= ~gone

    def _answer_bad_times(
        self, frame: pl.DataFrame, moments: Moments, keep: np.ndarray, dropped: list[Dropped], on_bad: OnBad
    ) -> None:
        bad = moments.bad & keep
        if not bad.any():
            return
        if on_bad == "stop":
            row = int(bad.argmax())
            value = shorten(repr(" ".join(str(frame[name][row]) for name in self.roles.time)))
            raise DataError(
                f"{self.where(row)}: {value} in column {shown(self.roles.time)!r} is no time "
                f"({int(bad.sum())} such rows); "
                f"{EXPECTED}; correct it, or leave such rows out with --on-bad skip"
            )
        self._leave_out("not a time", bad, keep, dropped)


def key(frame: pl.DataFrame, role: Sequence[str]) -> pl.Series:
    """The ids of one side: a column, or several joined with the first sign that none of them holds."""
    if len(role) == 1:
        return frame[role[0]]
    texts = [frame[name].cast(pl.String) for name in role]
    sign = next(s for s in (",", "|", "/", "\x1f") if not any(t.str.contains(s, literal=True).any() for t in texts))
    return pl.select(pl.concat_str([pl.lit(text) for text in texts], separator=sign)).to_series().alias(shown(role))


def code_ready(column: pl.Series, where: str = "table") -> np.ndarray:
    """Ids as int64 if every one of them is a canonical integer, else as text (object of str). No id is missing here."""
    kind = column.dtype
    if kind.is_float():
        whole = column.cast(pl.Int64, strict=False)
        if whole.null_count() == 0 and (whole.cast(kind) == column).all() and (column.abs() < 2.0**53).all():
            return whole.to_numpy()
        return column.cast(pl.String).to_numpy()
    if kind.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        return whole.to_numpy() if whole.null_count() == 0 else column.cast(pl.String).to_numpy()
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        raise DataError(f"{where}: column {column.name!r} holds {kind}, which cannot be an id; give text or integers")
    text = column.cast(pl.String)
    for candidate in (text, text.str.strip_chars()):  # "1, 5, 97": the space is the writer's, not the id's
        whole = candidate.cast(pl.Int64, strict=False)
        if whole.null_count() == 0 and (whole.cast(pl.String) == candidate).all():
            return whole.to_numpy()
    return text.to_numpy()


def shorten(text: str, limit: int = 60) -> str:
    """A long value cut for an error that must stay one line."""
    return text if len(text) <= limit else f"{text[: limit - 12]}... ({len(text)} characters)"


def _missing(column: pl.Series) -> np.ndarray:
    nothing = column.is_null()
    if column.dtype == pl.String:
        nothing = nothing | (column.str.strip_chars() == "").fill_null(True)
    elif column.dtype.is_float():
        nothing = nothing | column.is_nan().fill_null(True)
    return nothing.to_numpy().copy()


def _joined(frames: list[pl.DataFrame], where: str) -> pl.DataFrame:
    if len(frames) == 1:
        return frames[0]
    try:
        return pl.concat(frames, how="vertical_relaxed", rechunk=True)
    except pl.exceptions.PolarsError:
        pass
    try:  # one file's ids are numbers and another's are text: as text they agree
        return pl.concat([frame.cast(pl.String) for frame in frames], rechunk=True)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{where}: its files do not fit together: {shorten(str(error).splitlines()[0])}") from None


def _before(dropped: list[Dropped]) -> str:
    return ", ".join(f"{entry.events} x {entry.reason}" for entry in dropped)
