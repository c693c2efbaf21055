"""The index of the embedded store: events by user and time, event ids, how often each item was met, saved memories.

All of it is derived from the journal up to record `applied`, and is rebuilt where it is behind, lost or damaged. So
nothing here is synced when an event is acknowledged: the kernel keeps it when the process is killed, and an index that
a power cut may have torn is discarded when it is opened. A closed index has a digest over the whole file, and the
values that responses are made of have checksums.

Keys begin with the user's number, which is the record number of their first event.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import lmdb

from recollect.serve.stores import seal
from recollect.serve.stores.contract import History, Position, SavedMemory, UserSummary
from recollect.serve.stores.encoding import (
    ChecksumError,
    count_value,
    event_key,
    from_event_key,
    id_key,
    item_and_time,
    last_used,
    memory_value,
    number_key,
    summary_value,
    to_count,
    to_memory,
    to_number,
    to_summary,
    verified,
    with_checksum,
)
from recollect.serve.stores.exclusive_lock import ExclusiveLock
from recollect.serve.stores.origin import Origin
from recollect.serve.stores.records import ID_BYTES, Event, Forget

MAP_BYTES = 1 << 40
"""Address space, not bytes on disk: the file grows as it is filled."""

DATA = "data.mdb"
"""The file of the library. Its seal is put on when the index is closed, and checked when it is opened."""

DAMAGED = "damaged"
"""A file of this name in the folder says: discard the index when it is opened."""

_VERSION, _CLOSED = b"4", b"closed"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_DAMAGE_ERRORS = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.InvalidError,
    lmdb.VersionMismatchError,
    lmdb.BadTxnError,  # how a damaged root of one of the databases shows
    lmdb.PanicError,
    ChecksumError,
)


class IndexDamagedError(RuntimeError):
    """What was read is not what was written; the journal still has it."""


class Index:
    """An index in a folder of its own. One process owns it; its threads may share it.

    Raises IndexDamagedError where the files cannot be trusted. Then `discard` it, and fill a new one from the journal.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._changing = threading.Lock()  # acquired before the other
        self._open_file = ExclusiveLock()  # shared to read and write, exclusive to close or replace the file
        if (folder / DAMAGED).exists():
            raise IndexDamagedError(f"{folder}: found damaged before")
        folder.mkdir(parents=True, exist_ok=True)
        with self._damage_detected():
            if not seal.holds(folder / DATA):
                raise IndexDamagedError(f"{folder}: it is not what was closed")
            self._environment = self._open()
        try:
            self._applied, self.origin = self._claim()  # where its records are from
        except BaseException:
            self._environment.close()
            raise

    @staticmethod
    def discard(folder: Path) -> None:
        """Remove an index, whatever state it is in."""
        if folder.exists():
            (folder / DAMAGED).touch()  # in case this is interrupted
            for path in sorted(folder.iterdir(), key=lambda path: path.name == DAMAGED):
                path.unlink()
            folder.rmdir()

    @property
    def applied(self) -> int:
        """The number of the last record of the journal that is in the index."""
        return self._applied

    def note_origin(self, origin: Origin) -> None:
        """Write down which journal the index is made of."""
        with self._writing() as change:
            change.put(b"origin", origin.to_bytes())
        self.origin = origin

    def apply(self, records: Iterable[tuple[int, Event | Forget]], upto: int) -> None:
        """Add records of the journal, in their order, in one transaction; afterwards `applied` is `upto`."""
        origin = self.origin
        with self._writing() as change:
            number, record = 0, None
            for number, record in records:
                if isinstance(record, Event):
                    self._add(change, number, record)
                else:
                    self._remove(change, record.user)
            if record is not None:
                origin = origin.after(number, record)
                change.put(b"origin", origin.to_bytes())
            change.put(b"applied", number_key(upto))
        self._applied, self.origin = upto, origin

    def summary(self, user: str) -> UserSummary | None:
        """None for a user without events."""
        with self._reading() as view:
            return self._summary(view, user)

    def count(self) -> int:
        """How many events there are of all users."""
        with self._reading() as view:
            return int(view.stat(self._events)["entries"])

    def users(self, after: str = "", limit: int = 1 << 60, prefix: str = "") -> list[str]:
        """As `Store.users`."""
        begin, start = after.encode() + b"\0" if after else b"", prefix.encode()
        with self._reading() as view, view.cursor(self._users) as cursor:
            found: list[str] = []
            valid = cursor.set_range(max(begin, start)) if begin or start else cursor.first()
            while valid and len(found) < limit and bytes(cursor.key()).startswith(start):
                found.append(bytes(cursor.key()).decode())
                valid = cursor.next()
            return found

    def find_ids(self, user: str, ids: Sequence[str]) -> list[tuple[int, str] | None]:
        """For each event id the record number and item of the user's event with it; None where there is none."""
        with self._reading() as view:
            summary = self._summary(view, user)
            if summary is None:
                return [None] * len(ids)
            found: list[tuple[int, str] | None] = []
            for event_id in ids:
                key = view.get(id_key(summary.first_record, event_id), db=self._ids)
                if key is None:
                    found.append(None)
                    continue
                value = view.get(key, db=self._events)
                if value is None:
                    raise IndexDamagedError(f"{self.folder}: an event of user {user!r} is missing")
                found.append((from_event_key(key)[2], verified(key, value).decode()))
            return found

    def history(self, user: str, position: Position | None = None, counts: bool = False) -> History:
        """As `Store.history`, from one moment."""
        with self._reading() as view:
            summary = self._summary(view, user)
            if summary is None:
                return History(None, [], complete=True)
            complete = position is None or not summary.extends(position)
            begin = number_key(summary.first_record)
            if position is not None and position.events and not complete:
                begin = event_key(summary.first_record, position.latest_time, position.last_record + 1)
            found: list[tuple[str, int]] = []
            with view.cursor(self._events) as cursor:
                valid = cursor.set_range(begin)
                while valid and cursor.key()[:8] == begin[:8]:
                    found.append(item_and_time(*cursor.item()))
                    valid = cursor.next()
            items = {item for item, _ in found} if counts else ()
            return History(
                summary, found, complete, {one: self._count(view, begin[:8] + one.encode()) for one in items}
            )

    def recent_events(self, user: str, limit: int) -> list[tuple[str, int]]:
        """As `Store.recent_events`."""
        with self._reading() as view:
            summary = self._summary(view, user)
            if summary is None:
                return []
            prefix, after = number_key(summary.first_record), number_key(summary.first_record + 1)
            with view.cursor(self._events) as cursor:
                found: list[tuple[str, int]] = []
                valid = cursor.prev() if cursor.set_range(after) else cursor.last()
                while valid and cursor.key()[:8] == prefix and len(found) < limit:
                    found.append(item_and_time(*cursor.item()))
                    valid = cursor.prev()
                return found[::-1]

    def meetings(self, user: str, items: Sequence[str]) -> list[int]:
        """As `Store.meetings`."""
        with self._reading() as view:
            summary = self._summary(view, user)
            if summary is None:
                return [0] * len(items)
            prefix, keys = number_key(summary.first_record), (item.encode() for item in items)
            return [self._count(view, prefix + key) if len(key) <= ID_BYTES else 0 for key in keys]

    def save_memories(self, memories: Iterable[tuple[str, SavedMemory]]) -> None:
        """As `Store.save_memories`."""
        with self._writing() as change:
            for user, one in memories:
                summary = self._summary(change, user)
                if summary is not None and one.position.last_record >= summary.first_record:
                    key = number_key(summary.first_record)
                    change.put(key, with_checksum(key, memory_value(one)), db=self._memories)

    def load_memories(self, users: Sequence[str]) -> list[SavedMemory | None]:
        """As `Store.load_memories`."""
        with self._reading() as view:
            found: list[SavedMemory | None] = []
            for user in users:
                summary = self._summary(view, user)
                key = number_key(0 if summary is None else summary.first_record)  # no user has the number 0
                value = view.get(key, db=self._memories)
                found.append(None if value is None else to_memory(verified(key, value)))
            return found

    def evict(self, before: float) -> int:
        """As `Store.evict`."""
        # Views instead of copies (buffers=True): only the first bytes of each memory are read.
        with (
            self._changing,
            self._open_file.shared(),
            self._damage_detected(),
            self._environment.begin(write=True, buffers=True) as change,
            change.cursor(self._memories) as cursor,
        ):
            count = 0
            cursor.first()
            while cursor.key():  # empty after the last one
                if last_used(cursor.value()) < before:
                    cursor.delete()  # which moves to the next one
                    count += 1
                else:
                    cursor.next()
            return count

    def compact(self) -> None:
        """Rewrite the file, so that nothing of what was removed is left in it, and no free space.

        Reading goes on meanwhile, except for the moment in which the new file replaces the old one.
        """
        beside = self.folder.with_name(self.folder.name + ".new")
        with self._changing:
            shutil.rmtree(beside, ignore_errors=True)
            try:
                beside.mkdir(mode=0o700)
                with self._open_file.shared(), self._damage_detected():
                    self._environment.copy(str(beside), compact=True)
                (beside / DATA).chmod(0o600)
                with self._open_file.exclusive(), self._damage_detected():
                    self._replace(beside / DATA)
            finally:
                shutil.rmtree(beside, ignore_errors=True)

    def _replace(self, file: Path) -> None:
        self._environment.close()
        try:
            file.replace(self.folder / DATA)
            self._environment = self._open()
            self._environment.sync(True)
        except (lmdb.Error, OSError) as error:  # no file is open now
            raise IndexDamagedError(f"{self.folder}: {error}") from None

    def abandon(self) -> None:
        """Close the file as it is, without the seal that says it is whole."""
        with self._open_file.exclusive():
            self._environment.close()

    def close(self) -> None:
        try:
            with self._writing() as change:
                self._environment.sync(True)
                change.put(b"boot", _CLOSED)
            self._environment.sync(True)
        finally:
            self.abandon()
        seal.put(self.folder / DATA)

    def _claim(self) -> tuple[int, Origin]:
        """Check that the file can be trusted, and note that it is in use -> the last record applied, and from where."""
        with self._writing() as change:
            applied, origin = change.get(b"applied"), change.get(b"origin")
            if applied is not None:
                if change.get(b"version") != _VERSION:
                    raise IndexDamagedError(f"{self.folder}: of another version")
                if change.get(b"boot") not in (_CLOSED, _boot_id()):
                    raise IndexDamagedError(f"{self.folder}: not closed before the machine stopped")
            change.put(b"version", _VERSION)
            change.put(b"boot", _boot_id())
        self._environment.sync(True)
        return 0 if applied is None else to_number(applied), Origin() if origin is None else Origin.from_bytes(
            bytes(origin)
        )

    def _open(self) -> lmdb.Environment:
        environment = lmdb.open(str(self.folder), map_size=MAP_BYTES, max_dbs=8, sync=False, mode=0o600)
        info, page = environment.info(), environment.stat()["psize"]
        if (self.folder / DATA).stat().st_size < (info["last_pgno"] + 1) * page:
            environment.close()
            # Reading beyond the end of a mapped file would kill the process.
            raise IndexDamagedError(f"{self.folder}: the file has lost its end")
        names = (b"users", b"events", b"ids", b"meetings", b"memories")
        self._users, self._events, self._ids, self._meetings, self._memories = map(environment.open_db, names)
        return environment

    def _summary(self, view: lmdb.Transaction, user: str) -> UserSummary | None:
        key = user.encode()
        value = view.get(key, db=self._users) if 0 < len(key) <= ID_BYTES else None
        return None if value is None else to_summary(verified(key, value))

    def _count(self, view: lmdb.Transaction, key: bytes) -> int:
        """How often a user has met an item: the user's number and the item are the key."""
        value = view.get(key, db=self._meetings)
        return 0 if value is None else to_count(verified(key, value))

    def _add(self, change: lmdb.Transaction, number: int, event: Event) -> None:
        old = self._summary(change, event.user)
        if old is None:
            new = UserSummary(number, 1, number, event.time, 0)
        else:
            late = number if event.time < old.latest_time else old.late_record
            new = UserSummary(old.first_record, old.events + 1, number, max(old.latest_time, event.time), late)
        user_key, key = event.user.encode(), event_key(new.first_record, event.time, number)
        change.put(user_key, with_checksum(user_key, summary_value(new)), db=self._users)
        change.put(key, with_checksum(key, event.item.encode()), db=self._events)
        change.put(id_key(new.first_record, event.id), key, db=self._ids)
        met_key = key[:8] + event.item.encode()
        met = self._count(change, met_key) + 1
        change.put(met_key, with_checksum(met_key, count_value(met)), db=self._meetings)

    def _remove(self, change: lmdb.Transaction, user: str) -> None:
        summary = self._summary(change, user)
        if summary is None:
            return
        prefix = number_key(summary.first_record)
        for database in (self._events, self._ids, self._meetings, self._memories):
            with change.cursor(database) as cursor:
                cursor.set_range(prefix)
                while cursor.key()[:8] == prefix:  # empty after the last one
                    cursor.delete()  # which moves to the next one
        change.delete(user.encode(), db=self._users)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[lmdb.Transaction]:
        with self._open_file.shared(), self._damage_detected(), self._environment.begin() as view:
            yield view

    @contextlib.contextmanager
    def _writing(self) -> Iterator[lmdb.Transaction]:
        with (
            self._changing,
            self._open_file.shared(),
            self._damage_detected(),
            self._environment.begin(write=True) as change,
        ):
            yield change

    @contextlib.contextmanager
    def _damage_detected(self) -> Iterator[None]:
        """Turn what the library raises for a damaged file into IndexDamagedError, and mark the folder as damaged."""
        try:
            yield
        except _DAMAGE_ERRORS as error:
            self._mark_damaged()
            raise IndexDamagedError(f"{self.folder}: {error}") from None
        except IndexDamagedError:
            self._mark_damaged()
            raise

    def _mark_damaged(self) -> None:
        with contextlib.suppress(OSError):
            (self.folder / DAMAGED).touch()


def _boot_id() -> bytes:
    """A new one each time the machine starts. Where the system has none, always new: then only a closed index is
    trusted."""
    try:
        return _BOOT.read_bytes().strip()
    except OSError:
        return os.urandom(16)
