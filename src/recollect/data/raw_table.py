"""The step between a file and a log: columns as they were read, in file order, with where each row came from.

Here rows without ids or times are counted and left out, bad times are answered with their line, and ids get their kind.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from recollect.data import ids, overlap
from recollect.data.kinds import describe_kinds, weigh
from recollect.data.left_out import LeftOut
from recollect.data.log import DataError, Dropped, EventLog, assemble, turned
from recollect.data.reading import OnBad, Reading
from recollect.data.roles import Roles, shown
from recollect.data.side_table import Side, as_values, describe, with_candidates
from recollect.data.times.column import read_moments
from recollect.data.times.direction import files_backwards, neighbours_alike, rows_backwards, tied_backwards
from recollect.data.times.moments import Moments, Problem
from recollect.data.where import Where, parse

REPEATED = "the header line again"
"""Why a row of a piece was left out that is nobody's fault."""
_FILES_SHOWN = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """One file's rows. `line(k)` says where row k stands (`ratings.csv line 17`), asked only if something is wrong."""

    frame: pl.DataFrame
    line: Callable[[int], str]
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    """How the file was understood, where that was no matter of course."""
    names: tuple[str, ...] = ()
    """What its header line calls the columns, those that are not read too; empty where it is no text or has none."""


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
        absent = {name for name in self.roles.watched if not all(name in piece.frame for piece in self.pieces)}
        columns = [name for name in self.roles.columns if name not in absent]
        frame = joined([piece.frame.select(columns) for piece in self.pieces], where)
        dropped = [entry for piece in self.pieces for entry in piece.dropped]
        sides = [note for side in (self.users, self.items) if side is not None for note in side.notes]
        notes = [*self.roles.notes, *self.notes, *(note for piece in self.pieces for note in piece.notes), *sides]
        if len(frame) == 0:
            raise DataError(f"{where}: no events in it, only {_before(dropped) or 'a header'}; give a log with rows")
        left = LeftOut(len(frame), dropped, self.where)
        if reading.where is not None:
            notes += _leave_out_others(frame, parse(reading.where), left, where)
        for piece in self.pieces:  # before floats of different sizes become one kind
            for name in dict.fromkeys((*self.roles.user, *self.roles.item)):
                ids.refuse_rounded(piece.frame[name], where)
        notes += self._days_among_moments()
        users, items = (
            ids.code(frame, role, where, keep_words=reading.keep_missing_words)
            for role in (self.roles.user, self.roles.item)
        )
        self._refuse_other_header(frame, users, items)
        moments = None
        if self.roles.time:
            moments = read_moments(frame.select(self.roles.time), reading.time_format, reading.time_zone)
        empty = users.missing & items.missing & (True if moments is None else moments.missing)
        left.fault(f"nothing in user{', item and time' if moments is not None else ' and item'}", empty)
        for side, coded in (("user", users), ("item", items)):
            said = ", ".join(f"{word!r} x {rows:,}" for word, rows in coded.words)
            words = f"; for nothing stands {said} (--keep-missing-words takes it for an id)" if said else ""
            left.fault(f"no {side} id", coded.missing, words)
        every = np.cumsum([0, *(len(piece.frame) for piece in self.pieces)])  # where each file begins
        if moments is not None:
            moments = moments.by_file(every)
            left.fault("no time", moments.missing)
            self._answer_bad_times(frame, moments, left, reading.on_bad)
        keep = left.keep
        if not keep.any():
            raise DataError(
                f"{where}: none of its {len(frame)} rows can be used ({_before(dropped)}); check the columns"
            )
        notes += self._answer_fallen_files(left, reading.on_bad, every)
        notes += [*users.notes, *items.notes]
        rows = slice(None) if keep.all() else keep
        weights, targets = weigh(frame, self.roles.kind, reading, where)
        if targets is not None and self.roles.kind is not None:
            notes.append(describe_kinds(frame[self.roles.kind].filter(pl.Series(keep)), targets[rows], where))
        values = {name: as_values(frame[name].filter(pl.Series(keep))) for name in self.roles.values}
        if len(self.pieces) > 1:
            values[overlap.PLACE] = np.arange(int(keep.sum()), dtype=np.min_scalar_type(len(keep)))
        starts = every if keep.all() else np.searchsorted(np.flatnonzero(keep), every)  # among the rows that are kept
        log = assemble(
            *compact(users.codes[rows], users.ids),
            *compact(items.codes[rows], items.ids),
            None if moments is None else moments.exact[rows],
            values,
            weights=None if weights is None else weights[rows],
            targets=None if targets is None else targets[rows],
            ties=reading.ties,
            starts=starts,
        )
        log = dataclasses.replace(log, name=self.name, dropped=tuple(dropped))
        if len(self.pieces) > 1:
            log, found = self._overlaps(log, users.codes[rows], items.codes[rows], moments, keep, starts)
            notes += found
        same_user = neighbours_alike(users.codes, keep)
        if moments is not None:
            notes_of_order = [tied_backwards(log, moments.exact[rows], same_user, starts)]
            if moments.orders is not None:
                notes_of_order.append(moments.orders.far_apart(every, self.where))
        else:
            watched = [frame[name].filter(pl.Series(keep)) for name in self.roles.watched if name not in absent]
            kept = np.flatnonzero(keep)
            notes_of_order = [
                note
                for column in watched
                for note in (
                    rows_backwards(log, column, same_user, starts),
                    files_backwards(column, users.codes[rows], starts, lambda row: self.where(int(kept[row]))),
                )
            ]
        return self._finish(log, moments, notes, reading, [note for note in notes_of_order if note])

    def where(self, row: int) -> str:
        """The place of a row of the joined table, for people."""
        for piece in self.pieces:
            if row < len(piece.frame):
                return piece.line(row)
            row -= len(piece.frame)
        raise IndexError(row)

    def _finish(
        self, log: EventLog, moments: Moments | None, notes: list[str], reading: Reading, warnings: list[str]
    ) -> EventLog:
        times, clock = log.times, log.clock
        if moments is not None:
            starts = log.offsets[:-1]
            # Some published logs keep each event's place in its history where a time should be.
            clock = not np.array_equal(log.times, np.arange(len(log)) - starts[log.users])
            if clock or not moments.elapsed:
                notes += [remark.placed(self.where) for remark in moments.notes]
            if clock:
                times = moments.seconds(log.times)  # sorted by exact moments; whole seconds keep that order
            else:
                notes.append(f"{shown(self.roles.time)} is each event's position (0, 1, 2, ...): an order, not a clock")
        if reading.candidates == "table":
            if self.items is None:
                raise DataError(f"{self.name}: candidates = table wants an item table; name its file with --items")
            log = with_candidates(log, self.items)
        users = None if self.users is None else describe(self.users, log.user_ids, "user", notes)
        items = None if self.items is None else describe(self.items, log.item_ids, "item", notes, log.items)
        return dataclasses.replace(
            log,
            times=times,
            clock=clock,
            notes=(*notes, *warnings),
            date_order=moments.order if moments is not None else None,
            user_table=users,
            item_table=items,
        )

    def _days_among_moments(self) -> list[str]:
        """A note on files whose times are days, where those of other files are not: joined, both are moments."""
        if len(self.roles.time) != 1:
            return []
        days = [piece for piece in self.pieces if piece.frame[self.roles.time[0]].dtype == pl.Date and len(piece.frame)]
        if not days or len(days) == len(self.pieces):
            return []
        return [
            f"{sum(len(piece.frame) for piece in days):,} events have a day and no time of day, unlike the others "
            f"(first at {days[0].line(0)}): each is taken as the beginning of its day, before whatever else a user did "
            "on it"
        ]

    def _refuse_other_header(self, frame: pl.DataFrame, users: ids.Coded, items: ids.Coded) -> None:
        """DataError for a row that holds names of columns, as where files with columns in another order were joined."""
        known = {name for piece in self.pieces for name in piece.names}
        roles = dict.fromkeys((*self.roles.user, *self.roles.item, *self.roles.time))
        for row in (row for coded in (users, items) for row in coded.rows_of(known)):
            cells = [str(frame[name][row]).strip() for name in roles]
            if known.issuperset(cells):
                raise DataError(
                    f"{self.where(row)}: a second header, with the columns in another order "
                    f"({shorten(', '.join(cells))} where the first has {shorten(', '.join(roles))}); put the rows "
                    "below it into a file of their own"
                )

    def _overlaps(
        self,
        log: EventLog,
        users: np.ndarray,
        items: np.ndarray,
        moments: Moments | None,
        keep: np.ndarray,
        starts: np.ndarray,
    ) -> tuple[EventLog, list[str]]:
        """-> the log without the places of its rows, and what to say if files repeat each other's events."""
        kept = np.flatnonzero(keep)
        log, places = overlap.with_places(log)
        if moments is None:
            order = turned(starts) if log.ties == "file-reversed" else np.arange(len(kept))
            users, items, kept = users[order], items[order], kept[order]  # as they were done
            pairs = overlap.continued(users, items, starts)
        else:
            pairs = overlap.overlaps(log, places, moments.exact[kept], starts)
        said = [overlap.note(pairs, lambda row: self.where(int(kept[row])), moments is not None)] if pairs else []
        return log, said

    def _answer_fallen_files(self, left: LeftOut, on_bad: OnBad, starts: np.ndarray) -> list[str]:
        """DataError for a file that gives no event though it has rows; what to say of such files, where they are to be
        left out whole."""
        if len(self.pieces) == 1:
            return []
        said = [(self.where(one.first), one.why, one.rows) for one in left.fallen(starts)]
        for piece in self.pieces:
            faults = [entry for entry in piece.dropped if entry.reason != REPEATED]
            if faults and not len(piece.frame):
                place = faults[0].detail.removeprefix("first at ")
                said.append((place, faults[0].reason, sum(entry.events for entry in faults)))
        if not said:
            return []
        if on_bad != "skip-files":
            place, why, rows = said[0]
            such = f"{rows:,} such row{'s' if rows > 1 else ''}"
            more = f"; {len(said) - 1:,} more files are so" if len(said) > 1 else ""
            raise DataError(
                f"{place}: {why}, and no row of the file is left ({such}{more}); correct the file, or leave such files "
                "out with --on-bad skip-files"
            )
        shown_ones = ", ".join(f"{place} ({why})" for place, why, _ in said[:_FILES_SHOWN])
        more = f" and {len(said) - _FILES_SHOWN:,} more" if len(said) > _FILES_SHOWN else ""
        return [f"files that give no event: {len(said):,}, first rows {shown_ones}{more}"]

    def _answer_bad_times(self, frame: pl.DataFrame, moments: Moments, left: LeftOut, on_bad: OnBad) -> None:
        for problem in moments.problems():
            rows = problem.rows & left.keep
            if not rows.any():
                continue
            why = functools.partial(self._wrong_time, frame, problem)
            if on_bad == "stop" or problem.whole:
                row = int(rows.argmax())
                raise DataError(f"{self.where(row)}: {why(row)} ({int(rows.sum())} such rows); {problem.remedy}")
            left.fault(problem.reason, rows, why=why)

    def _wrong_time(self, frame: pl.DataFrame, problem: Problem, row: int) -> str:
        value = shorten(repr(" ".join(str(frame[name][row]) for name in self.roles.time)))
        return f"{value} in column {shown(self.roles.time)!r} {problem.why(row).placed(self.where)}"


def _leave_out_others(frame: pl.DataFrame, condition: Where, left: LeftOut, where: str) -> list[str]:
    """Leave out the rows that are no events by `where` -> what is to be said of how they were compared."""
    holds = condition.holds(frame, where)
    notes = condition.notes(frame)
    if not holds.any():
        raise DataError("; ".join([f"{where}: no row is {condition.text}", condition.values_of(frame), *notes]))
    if not holds.all():
        left.unwanted(condition.others, ~holds, condition.no_numbers(frame))
    return notes


def compact(codes: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes and ids without the ids that no row has any more."""
    used = np.bincount(codes, minlength=len(known)) > 0
    if used.all():
        return codes, known
    return (np.cumsum(used) - 1)[codes], known[used]


def shorten(text: str, limit: int = 60) -> str:
    """A long value cut for an error that must stay one line."""
    return text if len(text) <= limit else f"{text[: limit - 12]}... ({len(text)} characters)"


def joined(frames: list[pl.DataFrame], where: str) -> pl.DataFrame:
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
