"""The files of a journal, read: in order, whole, and with every line checked. `Journal` is what writes them.

A record is one line (`records`); the name of a file is the number of its first record.
"""

from __future__ import annotations

import dataclasses
import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from recollect.serve.stores.records import (
    FORMAT,
    Event,
    Forget,
    Gap,
    Header,
    Record,
    count_whole,
    from_line,
    is_unfinished_end,
    next_number,
)


class JournalError(RuntimeError):
    """The journal cannot be read or written. The message says which file, what is wrong and what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """One file of the journal; its name is the number of its first record."""

    path: Path

    @property
    def first(self) -> int:
        return int(self.path.stem)


def read(folder: Path, after: int = 0) -> Iterator[tuple[int, Event | Forget]]:
    """Records with a number greater than `after`, oldest first. Needs no writer, but there may be one.

    Events of users who were forgotten later are included until compaction removes them. Raises JournalError where the
    journal is damaged.
    """
    for number, record in _read_segments(segments(folder), after):
        if number > after and isinstance(record, Event | Forget):
            yield number, record


def has_removed(folder: Path, after: int) -> bool:
    """Whether a compaction removed any record with a number greater than `after`."""
    return any(
        isinstance(record, Gap) and next_number(number, record) - 1 > after
        for number, record in _read_segments(segments(folder), after)
    )


def valid_events(folder: Path) -> Iterator[tuple[int, Event]]:
    """The events that are not void (whose user was not forgotten afterwards), oldest first."""
    forgotten = {record.user: number for number, record in read(folder) if isinstance(record, Forget)}
    for number, record in read(folder):
        if isinstance(record, Event) and not is_void(number, record, forgotten):
            yield number, record


def segments(folder: Path) -> list[Segment]:
    """The files of a journal, oldest first. Raises JournalError where there is no such folder."""
    if not folder.is_dir():
        raise JournalError(f"{folder}: no journal is there")
    return [Segment(path) for path in sorted(folder.glob("[0-9]*.log"))]


def find_forgotten(found: Sequence[Segment]) -> tuple[dict[str, int], list[Segment]]:
    """For each forgotten user the number of the last Forget record; and the files with any record of these users."""
    forgotten: dict[str, int] = {}
    concerned: list[Segment] = []
    after: Segment | None = None
    # Newest file first: which events of a file are void depends on it and on later files.
    for segment in reversed(found):
        users: set[str] = set()
        forgets: dict[str, int] = {}
        end = segment.first
        for number, record, _ in read_lines(segment):
            end = next_number(number, record)
            if isinstance(record, Forget):
                forgets[record.user] = number
            if isinstance(record, Event | Forget):
                users.add(record.user)
        if after is not None and end != after.first:
            raise _missing_records(after, end)
        forgotten = forgets | forgotten
        if not users.isdisjoint(forgotten):
            concerned.append(segment)
        after = segment
    return forgotten, concerned[::-1]


def _read_segments(found: Sequence[Segment], after: int) -> Iterator[tuple[int, Record]]:
    """The records of all files that may have one after `after`. Checks that no number is missing."""
    begin = max((place for place, one in enumerate(found) if one.first <= after + 1), default=0)
    expected: int | None = None
    if found and begin == 0 and found[0].first != 1:
        folder = found[0].path.parent
        raise JournalError(f"{folder}: the first file of the journal is missing; restore it from a backup")
    for place, segment in enumerate(found[begin:], begin):
        if expected is not None and expected != segment.first:
            raise _missing_records(segment, expected)
        expected = segment.first
        for number, record, _ in read_lines(segment, last=place == len(found) - 1):
            expected = next_number(number, record)
            yield number, record


def read_lines(segment: Segment, last: bool = False) -> Iterator[tuple[int, Record, bytes]]:
    """number, record, line. In the `last` file the unfinished end is left out."""
    expected, end = segment.first, 0
    with segment.path.open("rb") as file:
        for line in file:
            try:
                number, record = from_line(line)
            except ValueError:
                rest = file.read()
                if last and is_unfinished_end(line, rest):
                    return
                after = count_whole(rest) if last else None
                raise _damaged(segment, end, "this line is not what was written", after) from None
            if number != expected or (end == 0) != isinstance(record, Header):
                raise _damaged(segment, end, f"record {number} in the place of record {expected}")
            if isinstance(record, Header) and record.format > FORMAT:
                raise JournalError(f"{segment.path}: written in format {record.format}; update recollect")
            expected = next_number(number, record)
            end += len(line)
            yield number, record, line


def has_header(segment: Segment) -> bool:
    return next(iter(read_lines(segment, last=True)), None) is not None


def is_void(number: int, record: Record, forgotten: Mapping[str, int]) -> bool:
    return isinstance(record, Event) and number < forgotten.get(record.user, 0)


def _missing_records(segment: Segment, expected: int) -> JournalError:
    return JournalError(
        f"{segment.path}: records {expected} to {segment.first - 1} are missing before it; "
        "a file of the journal is lost, restore it from a backup"
    )


def _damaged(segment: Segment, where: int, what: str, after: int | None = None) -> JournalError:
    """`after`: how many complete records follow the damage, in the file that is being written."""
    advice = "restore the file from a backup"
    if after is not None:
        lost = f" ({after:,} whole records follow it, and would be lost)" if after else ""
        advice += f"; or, if a power cut left this and nothing after it was acknowledged, cut it off at {where}{lost}"
    return JournalError(f"{segment.path}: damaged at byte {where} ({what}); {advice}")


def checksum_of(folder: Path, number: int) -> bytes | None:
    """The checksum of a record as it stands in its line; None where the record is not in the files (any more)."""
    segment = next((one for one in reversed(segments(folder)) if one.first <= number), None)
    if segment is None or not segment.path.stat().st_size:
        return None
    with segment.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        # In a text of JSON a quote would have a backslash before it, so this stands only at the beginning of a line.
        place = data.find(b' {"n":%d,"user"' % number)
        if place < 0:
            place = data.find(b' {"n":%d,"forget"' % number)
        return None if place < 8 else data[place - 8 : place]


def last_record(folder: Path, upto: int) -> tuple[int, bytes] | None:
    """The number and checksum of the newest record up to this number that is still in the files."""
    for segment in reversed(segments(folder)):
        newest: tuple[int, bytes] | None = None
        if segment.first > upto:
            continue
        for number, record, line in read_lines(segment, last=True):
            if number > upto:
                break
            if isinstance(record, Event | Forget):
                newest = number, line[:8]
        if newest is not None:
            return newest
    return None
