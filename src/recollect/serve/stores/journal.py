"""The journal: every acknowledged event, in append-only files. It is the source of truth of the service.

Everything else (the index, the memories of users) is derived from it and can be rebuilt. A record is durable when
`append` returns: written and synced, with one sync for many records. Records are numbered from 1 without a gap and
every line has a checksum, so a lost or changed line is detected. What an interrupted write left at the very end was
never acknowledged and is truncated when the journal is opened. Damage anywhere else is an error, and never skipped.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from recollect.serve.stores.records import Forget, Gap, Header, Record, next_number, to_line
from recollect.serve.stores.segments import (
    JournalError,
    Segment,
    find_forgotten,
    has_header,
    is_void,
    read_lines,
    segments,
)

SEGMENT_BYTES = 64 << 20
"""A file of this size is closed and the next one started. Compaction rewrites one file at a time."""

LOCK = "lock"
_SYNC: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


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
        self.id = ""
        """What tells this journal from every other; the same in a copy of it."""
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
    def failure(self) -> str | None:
        """Why nothing is taken in any more until it is opened again; None while all is well."""
        return self._failure

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
                forgotten, concerned = find_forgotten(closed)
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
        if found and not has_header(found[-1]):  # killed while the file was being started
            found.pop().path.unlink()
        if not found:
            self._next, self.id = 1, uuid.uuid4().hex
            self._start_segment()
            return 0
        self._size = 0
        for number, record, line in read_lines(found[-1], last=True):
            self._next, self._size = next_number(number, record), self._size + len(line)
            self.id = record.id if isinstance(record, Header) else self.id
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
            header = to_line(self._next, Header(id=self.id))
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


def _write_compacted(path: Path, segment: Segment, forgotten: Mapping[str, int]) -> int:
    """Write a copy of a file with gaps for void events and Forget records -> how many events were removed."""
    events = 0
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        begin, missing = 0, 0  # of the gap before the next line
        for number, record, line in read_lines(segment):
            void = is_void(number, record, forgotten)
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


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
