"""The journal: every event that was ever acknowledged, in files that are only appended to. The truth of the service.

All else (indices, memories of users) is made from it and can be made again. A record is durable when `append` returns:
written and synced, many at once at the price of one sync. Records are numbered from 1 without a gap, and every line has
a checksum, so that a lost, changed or missing line is found. Whatever an interrupted write left at the very end was
never acknowledged and is cut off when the journal is opened; damage anywhere else is refused and said, never skipped.
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
    Gone,
    Record,
    Start,
    following,
    from_line,
    to_line,
    unfinished,
    whole_in,
)

SEGMENT_BYTES = 64 << 20
"""A file that has grown to this is closed and another begun: what compaction rewrites at a time."""

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
    """The one writer of a journal; readers need none. Threads may share it.

    Opening makes the folder if there is none, and cuts off what an interrupted write left at the end (`cut`: how many
    bytes). Raises JournalError where another process writes already, where the journal is damaged, or where the folder
    cannot be written.
    """

    def __init__(
        self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, sync: Callable[[int], None] = _SYNC
    ) -> None:
        self.folder = folder
        self._segment_bytes = segment_bytes
        self._sync = sync
        self._mutex = threading.RLock()
        self._trouble: str | None = None
        self._file = -1
        self._compacting = threading.Lock()
        try:
            _make(folder)
            self._lock = _locked(folder)
            try:
                self.cut = self._open_last()
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
        """Write records and sync -> the number of the first. When this returns they are durable.

        Raises JournalError where that failed; none of them counts then.
        """
        with self._mutex:
            first = self._next
            data = b"".join(to_line(first + place, record) for place, record in enumerate(records))
            if not data:
                return first
            if self._trouble is not None:
                raise JournalError(f"{self.folder}: {self._trouble}")
            try:
                if self._size > self._segment_bytes:
                    self._begin()
                _write(self._file, data)
            except OSError as error:
                self._take_back(error)
            try:
                self._sync(self._file)
            except OSError as error:
                # What the disk holds is not known now, and a second sync that succeeds would not say.
                self._trouble = f"a sync to disk failed ({_reason(error)}); check the disk, then start again"
                with contextlib.suppress(OSError):  # so that whoever opens it next does not find them whole
                    os.ftruncate(self._file, self._size)
                raise JournalError(f"{self.folder}: {self._trouble}") from None
            self._size += len(data)
            self._next += len(records)
            return first

    def compact(self) -> int:
        """Take the events of forgotten users out of the files for good -> how many there were.

        Appending and reading may go on meanwhile. A kill leaves each file old or new, whole; compacting again does the
        rest.
        """
        with self._compacting:
            try:
                with self._mutex:
                    if self._trouble is not None:
                        raise JournalError(f"{self.folder}: {self._trouble}")
                    self._begin()
                    *closed, _ = segments(self.folder)  # nobody appends to these
                forgotten, concerned = _forgotten(closed)
                # A request to forget makes void what stands before it. So it may go together with the events of its own
                # file once all files before that are done.
                return sum(self._rewrite(one, forgotten) for one in concerned)
            except OSError as error:
                raise JournalError(f"{self.folder}: cannot be compacted ({_reason(error)})") from None

    @contextlib.contextmanager
    def settled(self) -> Iterator[None]:
        """No compaction meanwhile: a reader could get events of an old file, and miss what voids them in a new one."""
        with self._compacting:
            yield

    def close(self) -> None:
        with self._mutex:
            if self._file >= 0:
                os.close(self._file)
                os.close(self._lock)
                self._file = -1
                self._trouble = "the journal is closed"

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_last(self) -> int:
        """Find the end, cut off what was never acknowledged, and stand there -> bytes cut off."""
        for waiting in self.folder.glob("*.new"):
            waiting.unlink()
        found = segments(self.folder)
        if found and not _has_start(found[-1]):  # a kill while it was begun
            found.pop().path.unlink()
        if not found:
            self._next = 1
            self._begin()
            return 0
        self._size = 0
        for number, record, line in _lines(found[-1], last=True):
            self._next, self._size = following(number, record), self._size + len(line)
        self._file = os.open(found[-1].path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        cut = os.fstat(self._file).st_size - self._size
        if cut:
            os.ftruncate(self._file, self._size)
        # A kill between a write and its sync leaves records that were never acknowledged but will be, when they are
        # sent again and found here: from now on they must be as durable as all others.
        self._sync(self._file)
        _sync_folder(self.folder)
        return cut

    def _begin(self) -> None:
        """Go on in a new file, unless the present one is still empty."""
        if self._file >= 0 and _path(self.folder, self._next).exists():
            return
        path = _path(self.folder, self._next)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            start = to_line(self._next, Start())
            _write(file, start)
            self._sync(file)
            _sync_folder(self.folder)
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = file, len(start)

    def _take_back(self, error: OSError) -> None:
        """Undo a write that failed half way, so that the file ends with a whole line again."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._trouble = "a failed write could not be undone; free some space, then start again"
        raise JournalError(f"{self.folder}: nothing was written ({_reason(error)})") from None

    def _rewrite(self, segment: Segment, forgotten: Mapping[str, int]) -> int:
        """Put a gap where events are void or users forgotten -> how many events went. The file changes as a whole."""
        waiting = segment.path.with_suffix(".new")
        try:
            events = _write_without(waiting, segment, forgotten)
            os.replace(waiting, segment.path)
        finally:
            waiting.unlink(missing_ok=True)
        _sync_folder(self.folder)
        return events


def read(folder: Path, after: int = 0) -> Iterator[tuple[int, Event | Forget]]:
    """Records with a number greater than `after`, oldest first; needs no writer, and one may be at work.

    Events of users that were forgotten later are among them, as long as they have not been compacted away. Raises
    JournalError where the journal is damaged.
    """
    for number, record in _walk(segments(folder), after):
        if number > after and isinstance(record, Event | Forget):
            yield number, record


def valid(folder: Path) -> Iterator[tuple[int, Event]]:
    """The events that are not void, oldest first."""
    forgotten = {record.user: number for number, record in read(folder) if isinstance(record, Forget)}
    for number, record in read(folder):
        if isinstance(record, Event) and not _void(number, record, forgotten):
            yield number, record


def segments(folder: Path) -> list[Segment]:
    """The files of a journal, oldest first. Raises JournalError where there is no such folder."""
    if not folder.is_dir():
        raise JournalError(f"{folder}: no journal is there")
    return [Segment(path) for path in sorted(folder.glob("[0-9]*.log"))]


def _forgotten(found: Sequence[Segment]) -> tuple[dict[str, int], list[Segment]]:
    """Users with the number of the last record that forgets them, and the files which hold anything of theirs."""
    forgotten: dict[str, int] = {}
    concerned: list[Segment] = []
    after: Segment | None = None
    # The newest first: what is forgotten in a file or later ones decides on it.
    for segment in reversed(found):
        users: set[str] = set()
        forgets: dict[str, int] = {}
        end = segment.first
        for number, record, _ in _lines(segment):
            end = following(number, record)
            if isinstance(record, Forget):
                forgets[record.user] = number
            if isinstance(record, Event | Forget):
                users.add(record.user)
        if after is not None and end != after.first:
            raise _missing(after, end)
        forgotten = forgets | forgotten
        if not users.isdisjoint(forgotten):
            concerned.append(segment)
        after = segment
    return forgotten, concerned[::-1]


def _write_without(path: Path, segment: Segment, forgotten: Mapping[str, int]) -> int:
    """Write a file with a gap where events are void or users forgotten -> how many events went."""
    events = 0
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        begin, missing = 0, 0  # of a gap
        for number, record, line in _lines(segment):
            void = _void(number, record, forgotten)
            events += void
            gone = record.count if isinstance(record, Gone) else int(void or isinstance(record, Forget))
            if gone:
                begin, missing = begin if missing else number, missing + gone
                continue
            if missing:
                file.write(to_line(begin, Gone(missing)))
                missing = 0
            file.write(line)
        if missing:
            file.write(to_line(begin, Gone(missing)))
        file.flush()
        os.fsync(file.fileno())
    return events


def _walk(found: Sequence[Segment], after: int) -> Iterator[tuple[int, Record]]:
    """Every record of those files that may hold one after `after`; their numbers follow one another."""
    begin = max((place for place, one in enumerate(found) if one.first <= after + 1), default=0)
    expected: int | None = None
    if found and begin == 0 and found[0].first != 1:
        folder = found[0].path.parent
        raise JournalError(f"{folder}: the first file of the journal is missing; restore it from a backup")
    for place, segment in enumerate(found[begin:], begin):
        if expected is not None and expected != segment.first:
            raise _missing(segment, expected)
        expected = segment.first
        for number, record, _ in _lines(segment, last=place == len(found) - 1):
            expected = following(number, record)
            yield number, record


def _lines(segment: Segment, last: bool = False) -> Iterator[tuple[int, Record, bytes]]:
    """number, record, line. In the `last` file an unfinished end is left out."""
    expected, end = segment.first, 0
    with segment.path.open("rb") as file:
        for line in file:
            try:
                number, record = from_line(line)
            except ValueError:
                rest = file.read()
                if last and unfinished(line, rest):
                    return
                after = whole_in(rest) if last else None
                raise _damaged(segment, end, "this line is not what was written", after) from None
            if number != expected or (end == 0) != isinstance(record, Start):
                raise _damaged(segment, end, f"record {number} stands where {expected} should")
            if isinstance(record, Start) and record.format > FORMAT:
                raise JournalError(f"{segment.path}: written in format {record.format}; update recollect")
            expected = following(number, record)
            end += len(line)
            yield number, record, line


def _has_start(segment: Segment) -> bool:
    return next(iter(_lines(segment, last=True)), None) is not None


def _void(number: int, record: Record, forgotten: Mapping[str, int]) -> bool:
    return isinstance(record, Event) and number < forgotten.get(record.user, 0)


def _path(folder: Path, first: int) -> Path:
    return folder / f"{first:012}.log"


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _make(folder: Path) -> None:
    """Make a folder and those above it, where they are missing, so that they outlast a power cut."""
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


def _locked(folder: Path) -> int:
    """Hold the folder for this process; the kernel lets go of it however the process ends."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise JournalError(f"{folder}: another process writes this journal; stop it first") from None
    return handle


def _missing(segment: Segment, expected: int) -> JournalError:
    return JournalError(
        f"{segment.path}: records {expected} to {segment.first - 1} are missing before it; "
        "a file of the journal is lost, restore it from a backup"
    )


def _damaged(segment: Segment, where: int, what: str, after: int | None = None) -> JournalError:
    """`after`: how many whole records stand behind the damage in the file that is being written."""
    advice = "restore the file from a backup"
    if after is not None:
        lost = f" ({after:,} whole records stand after it, and would be lost)" if after else ""
        advice += f"; or, if a power cut left this and nothing after it was acknowledged, cut it off at {where}{lost}"
    return JournalError(f"{segment.path}: damaged at byte {where} ({what}); {advice}")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
