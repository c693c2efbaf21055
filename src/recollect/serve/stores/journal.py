"""The journal: every acknowledged event, in append-only files. It is the source of truth of the service.

Everything else (the index, the memories of users) is derived from it and can be rebuilt. A record is durable when
`append` returns: written and synced, with one sync for many records. Records are numbered from 1 without a gap and
every line has a checksum, so a lost or changed line is detected. What an interrupted write left at the very end was
never acknowledged and is truncated when the journal is opened. Damage anywhere else is an error, and never skipped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    to_line,
)

SEGMENT_BYTES = 64 << 20
"""A file of this size is closed and the next one started. Compaction rewrites one file at a time."""

LOCK = "lock"
_SYNC: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class JournalError(RuntimeError):
    """The journal cannot be read or written. The message says which file, what is wrong and what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """One file of the journal; its name is the number of its first record."""

    path: Path

    @property
    def first(self) -> int:
        return int(self.path.stem)


class Journal:
    """The only writer of a journal; readers need no writer. Threads may share it.

    Opening makes the folder if there is none, and truncates what an interrupted write left at the end (`truncated`: how
    many bytes). Raises JournalError where another process writes to it, where the journal is damaged, or where the
    folder cannot be written.
    """

    def __init__(
        self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, sync: Callable[[int], None] = _SYNC
    ) -> None:
        self.folder = folder
        self._segment_bytes = segment_bytes
        self._sync = sync
        self._mutex = threading.RLock()
        self._failure: str | None = None
        self._file = -1
        self._compacting = threading.Lock()
        try:
            _make_folder(folder)
            self._lock = _acquire_lock(folder)
            try:
                self.truncated = self._open_last()
            except BaseException:
                os.close(self._lock)
                raise
        except OSError as error:
            raise JournalError(f"{folder}: the journal cannot be opened for writing ({_reason(error)})") from None

    @property
    def last(self) -> int:
        """The number of the newest record; 0 where there is none."""
        return self._next - 1

    def append(self, records: Sequence[Record]) -> int:
        """Write records and sync -> the number of the first. They are durable when this returns.

        Raises JournalError where that failed; then none of them counts.
        """
        with self._mutex:
            first = self._next
            data = b"".join(to_line(first + place, record) for place, record in enumerate(records))
            if not data:
                return first
            if self._failure is not None:
                raise JournalError(f"{self.folder}: {self._failure}")
            try:
                if self._size > self._segment_bytes:
                    self._start_segment()
                _write(self._file, data)
            except OSError as error:
                self._undo_write(error)
            try:
                self._sync(self._file)
            except OSError as error:
                # What the disk holds is unknown now, and a second sync that succeeds would not tell.
                self._failure = f"a sync to disk failed ({_reason(error)}); check the disk, then start again"
                with contextlib.suppress(OSError):  # so that the next to open it does not find them complete
                    os.ftruncate(self._file, self._size)
                raise JournalError(f"{self.folder}: {self._failure}") from None
            self._size += len(data)
            self._next += len(records)
            return first

    def compact(self) -> int:
        """Remove the events of forgotten users from the files for good -> how many there were.

        Appending and reading may go on meanwhile. A kill leaves each file either as it was or rewritten; compacting
        again does the rest.
        """
        with self._compacting:
            try:
                with self._mutex:
                    if self._failure is not None:
                        raise JournalError(f"{self.folder}: {self._failure}")
                    self._start_segment()
                    *closed, _ = segments(self.folder)  # nobody appends to these
                forgotten, concerned = _find_forgotten(closed)
                # A Forget record voids what comes before it. So it may be removed together with the events of its own
                # file once all earlier files are done.
                return sum(self._rewrite(one, forgotten) for one in concerned)
            except OSError as error:
                raise JournalError(f"{self.folder}: cannot be compacted ({_reason(error)})") from None

    @contextlib.contextmanager
    def without_compaction(self) -> Iterator[None]:
        """Hold back compaction: a reader could get events from an old file, and miss in a new one what voids them."""
        with self._compacting:
            yield

    def close(self) -> None:
        with self._mutex:
            if self._file >= 0:
                os.close(self._file)
                os.close(self._lock)
                self._file = -1
                self._failure = "the journal is closed"

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_last(self) -> int:
        """Open the last file for appending, without what was never acknowledged -> bytes truncated."""
        for temporary in self.folder.glob("*.new"):
            temporary.unlink()
        found = segments(self.folder)
        if found and not _has_header(found[-1]):  # killed while the file was being started
            found.pop().path.unlink()
        if not found:
            self._next = 1
            self._start_segment()
            return 0
        self._size = 0
        for number, record, line in _read_lines(found[-1], last=True):
            self._next, self._size = next_number(number, record), self._size + len(line)
        self._file = os.open(found[-1].path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        cut = os.fstat(self._file).st_size - self._size
        if cut:
            os.ftruncate(self._file, self._size)
        # A kill between a write and its sync leaves records that were not acknowledged yet, but will be when they are
        # sent again and found here. From now on they must be as durable as all others.
        self._sync(self._file)
        _sync_folder(self.folder)
        return cut

    def _start_segment(self) -> None:
        """Continue in a new file, unless the current one is still empty."""
        if self._file >= 0 and _segment_path(self.folder, self._next).exists():
            return
        path = _segment_path(self.folder, self._next)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            header = to_line(self._next, Header())
            _write(file, header)
            self._sync(file)
            _sync_folder(self.folder)
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = file, len(header)

    def _undo_write(self, error: OSError) -> None:
        """Undo a write that failed half way, so that the file ends with a complete line again."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._failure = "a failed write could not be undone; free some space, then start again"
        raise JournalError(f"{self.folder}: nothing was written ({_reason(error)})") from None

    def _rewrite(self, segment: Segment, forgotten: Mapping[str, int]) -> int:
        """Replace void events and Forget records by gaps, atomically -> how many events were removed."""
        temporary = segment.path.with_suffix(".new")
        try:
            events = _write_compacted(temporary, segment, forgotten)
            os.replace(temporary, segment.path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(self.folder)
        return events


def read(folder: Path, after: int = 0) -> Iterator[tuple[int, Event | Forget]]:
    """Records with a number greater than `after`, oldest first. Needs no writer, but there may be one.

    Events of users who were forgotten later are included until compaction removes them. Raises JournalError where the
    journal is damaged.
    """
    for number, record in _read_segments(segments(folder), after):
        if number > after and isinstance(record, Event | Forget):
            yield number, record


def valid_events(folder: Path) -> Iterator[tuple[int, Event]]:
    """The events that are not void (whose user was not forgotten afterwards), oldest first."""
    forgotten = {record.user: number for number, record in read(folder) if isinstance(record, Forget)}
    for number, record in read(folder):
        if isinstance(record, Event) and not _is_void(number, record, forgotten):
            yield number, record


def segments(folder: Path) -> list[Segment]:
    """The files of a journal, oldest first. Raises JournalError where there is no such folder."""
    if not folder.is_dir():
        raise JournalError(f"{folder}: no journal is there")
    return [Segment(path) for path in sorted(folder.glob("[0-9]*.log"))]


def _find_forgotten(found: Sequence[Segment]) -> tuple[dict[str, int], list[Segment]]:
    """For each forgotten user the number of the last Forget record; and the files with any record of these users."""
    forgotten: dict[str, int] = {}
    concerned: list[Segment] = []
    after: Segment | None = None
    # Newest file first: which events of a file are void depends on it and on later files.
    for segment in reversed(found):
        users: set[str] = set()
        forgets: dict[str, int] = {}
        end = segment.first
        for number, record, _ in _read_lines(segment):
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


def _write_compacted(path: Path, segment: Segment, forgotten: Mapping[str, int]) -> int:
    """Write a copy of a file with gaps for void events and Forget records -> how many events were removed."""
    events = 0
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        begin, missing = 0, 0  # of the gap before the next line
        for number, record, line in _read_lines(segment):
            void = _is_void(number, record, forgotten)
            events += void
            gone = record.count if isinstance(record, Gap) else int(void or isinstance(record, Forget))
            if gone:
                begin, missing = begin if missing else number, missing + gone
                continue
            if missing:
                file.write(to_line(begin, Gap(missing)))
                missing = 0
            file.write(line)
        if missing:
            file.write(to_line(begin, Gap(missing)))
        file.flush()
        os.fsync(file.fileno())
    return events


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
        for number, record, _ in _read_lines(segment, last=place == len(found) - 1):
            expected = next_number(number, record)
            yield number, record


def _read_lines(segment: Segment, last: bool = False) -> Iterator[tuple[int, Record, bytes]]:
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


def _has_header(segment: Segment) -> bool:
    return next(iter(_read_lines(segment, last=True)), None) is not None


def _is_void(number: int, record: Record, forgotten: Mapping[str, int]) -> bool:
    return isinstance(record, Event) and number < forgotten.get(record.user, 0)


def _segment_path(folder: Path, first: int) -> Path:
    return folder / f"{first:012}.log"


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _make_folder(folder: Path) -> None:
    """Make a folder and its missing parents durably, so that they survive a power cut."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        _sync_folder(one.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _acquire_lock(folder: Path) -> int:
    """Lock the folder for this process; the kernel releases the lock however the process ends."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise JournalError(f"{folder}: another process writes this journal; stop it first") from None
    return handle


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


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
