"""What is looked up while serving: events by user in the order of their time, event ids, seen items, saved memories.

All of it is made from the journal, up to record `applied`, and is made again wherever it is behind, lost or damaged. So
nothing here is synced when an event is acknowledged; the kernel keeps it when the process is killed, and an index that
may have been torn by a power cut is thrown away when it is opened. A closed index has a digest over all of it, and
the values that answers are made of have checksums.

Keys begin with the user's number, which is the journal's number of their first event.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import lmdb

from recollect.serve.stores.cells import (
    Bytes,
    CellError,
    checked,
    checking,
    id_key,
    last_used,
    memory_value,
    number_key,
    place_key,
    profile_value,
    to_memory,
    to_number,
    to_place,
    to_profile,
)
from recollect.serve.stores.contract import Mark, Past, Profile, Saved
from recollect.serve.stores.many_or_one import ManyOrOne
from recollect.serve.stores.records import ID_BYTES, Event, Forget

MAP_BYTES = 1 << 40
"""Addresses, not bytes on disk: the file grows as it is filled."""

DATA, SEAL = "data.mdb", "seal"
"""The library's file, and a digest of it that is written when the index is closed and checked when it is opened."""

DAMAGED = "damaged"
"""A file of this name in the folder: throw the index away when it is opened."""

_VERSION, _CLOSED = b"2", b"closed"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_DAMAGE = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.InvalidError,
    lmdb.VersionMismatchError,
    lmdb.BadTxnError,  # how a damaged root of one of the databases shows
    lmdb.PanicError,
    CellError,
)


class IndexDamagedError(RuntimeError):
    """What was read is not what was written; the journal still has it."""


class Index:
    """An index in a folder of its own; it has one owner, whose threads may share it.

    Raises IndexDamagedError where what is there cannot be trusted; `discard` it then, and fill it from the journal.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._changing = threading.Lock()  # taken before the other
        self._open_file = ManyOrOne()  # reading and changing share it; alone, the file is closed or replaced
        if (folder / DAMAGED).exists():
            raise IndexDamagedError(f"{folder}: found damaged before")
        folder.mkdir(parents=True, exist_ok=True)
        with self._guarded():
            self._unseal()
            self._environment = self._open()
        try:
            self._applied = self._take_over()
        except BaseException:
            self._environment.close()
            raise

    @staticmethod
    def discard(folder: Path) -> None:
        """Remove an index, whatever state it is in."""
        if folder.exists():
            (folder / DAMAGED).touch()  # in case that this is interrupted
            for path in sorted(folder.iterdir(), key=lambda path: path.name == DAMAGED):
                path.unlink()
            folder.rmdir()

    @property
    def applied(self) -> int:
        """The journal's number of the newest record that is in here."""
        return self._applied

    def apply(self, records: Iterable[tuple[int, Event | Forget]], upto: int) -> None:
        """Take in records of the journal, in their order; afterwards `applied` is `upto`. All or nothing."""
        with self._writing() as change:
            for number, record in records:
                if isinstance(record, Event):
                    self._add(change, number, record)
                else:
                    self._remove(change, record.user)
            change.put(b"applied", number_key(upto))
        self._applied = upto

    def profile(self, user: str) -> Profile | None:
        """None for a user without events."""
        with self._reading() as view:
            return self._profile(view, user)

    def count(self) -> int:
        """How many events there are of all users."""
        with self._reading() as view:
            return int(view.stat(self._events)["entries"])

    def users(self, after: str = "", limit: int = 1 << 60, prefix: str = "") -> list[str]:
        """Those who have events, in the order of their ids as bytes, from the one after `after` on."""
        begin, start = after.encode() + b"\0" if after else b"", prefix.encode()
        with self._reading() as view, view.cursor(self._users) as cursor:
            found: list[str] = []
            there = cursor.set_range(max(begin, start)) if begin or start else cursor.first()
            while there and len(found) < limit and bytes(cursor.key()).startswith(start):
                found.append(bytes(cursor.key()).decode())
                there = cursor.next()
            return found

    def given(self, user: str, ids: Sequence[str]) -> list[tuple[int, str] | None]:
        """For each event id, the number and item of the user's event that has it; None where none has."""
        with self._reading() as view:
            profile = self._profile(view, user)
            if profile is None:
                return [None] * len(ids)
            found: list[tuple[int, str] | None] = []
            for own in ids:
                place = view.get(id_key(profile.number, own), db=self._ids)
                if place is None:
                    found.append(None)
                    continue
                value = view.get(place, db=self._events)
                if value is None:
                    raise IndexDamagedError(f"{self.folder}: an event of user {user!r} is missing")
                found.append((to_place(place)[2], checked(place, value).decode()))
            return found

    def past(self, user: str, held: Mark | None = None) -> Past:
        """What a memory with this mark lacks, or where it is of no use, the whole history; all at one moment."""
        with self._reading() as view:
            profile = self._profile(view, user)
            if profile is None:
                return Past(None, [], anew=True)
            anew = held is None or not profile.extends(held)
            begin = number_key(profile.number)
            if held is not None and held.count and not anew:
                begin = place_key(profile.number, held.newest, held.last + 1)
            with view.cursor(self._events) as cursor:
                found: list[tuple[str, int]] = []
                there = cursor.set_range(begin)
                while there and cursor.key()[:8] == begin[:8]:
                    found.append(_event(*cursor.item()))
                    there = cursor.next()
                return Past(profile, found, anew)

    def newest(self, user: str, limit: int) -> list[tuple[str, int]]:
        """The end of the user's history, oldest first, at the price of what is asked for."""
        with self._reading() as view:
            profile = self._profile(view, user)
            if profile is None:
                return []
            prefix, after = number_key(profile.number), number_key(profile.number + 1)
            with view.cursor(self._events) as cursor:
                found: list[tuple[str, int]] = []
                there = cursor.prev() if cursor.set_range(after) else cursor.last()
                while there and cursor.key()[:8] == prefix and len(found) < limit:
                    found.append(_event(*cursor.item()))
                    there = cursor.prev()
                return found[::-1]

    def has_seen(self, user: str, items: Sequence[str]) -> list[bool]:
        """Whether each item is among the user's events. Costs what is asked for, however long the history is."""
        with self._reading() as view:
            profile = self._profile(view, user)
            if profile is None:
                return [False] * len(items)
            prefix, keys = number_key(profile.number), (item.encode() for item in items)
            return [len(key) <= ID_BYTES and view.get(prefix + key, db=self._seen) is not None for key in keys]

    def save(self, memories: Iterable[tuple[str, Saved]]) -> None:
        """Keep memories, each in the place of an older one; none that is made of events which are forgotten."""
        with self._writing() as change:
            for user, one in memories:
                profile = self._profile(change, user)
                if profile is not None and one.mark.last >= profile.number:
                    key = number_key(profile.number)
                    change.put(key, checking(key, memory_value(one)), db=self._memories)

    def saved(self, users: Sequence[str]) -> list[Saved | None]:
        """The memory of each user, None where there is none. Whether it is still good is for the caller to see."""
        with self._reading() as view:
            found: list[Saved | None] = []
            for user in users:
                profile = self._profile(view, user)
                key = None if profile is None else number_key(profile.number)
                value = None if key is None else view.get(key, db=self._memories)
                found.append(None if key is None or value is None else to_memory(checked(key, value)))
            return found

    def evict(self, before: float) -> int:
        """Drop the memories that were last used before a moment -> how many; the journal can give them back."""
        # Views instead of copies: only the first bytes of each memory are looked at.
        with (
            self._changing,
            self._open_file.shared(),
            self._guarded(),
            self._environment.begin(write=True, buffers=True) as change,
            change.cursor(self._memories) as cursor,
        ):
            count = 0
            cursor.first()
            while cursor.key():  # empty past the end
                if last_used(cursor.value()) < before:
                    cursor.delete()  # and stand at the next one
                    count += 1
                else:
                    cursor.next()
            return count

    def compact(self) -> None:
        """Write the file anew, so that nothing of what was removed is left in it, and no free space.

        Reading goes on meanwhile, but for the moment in which the files change places.
        """
        beside = self.folder.with_name(self.folder.name + ".new")
        with self._changing:
            shutil.rmtree(beside, ignore_errors=True)
            try:
                beside.mkdir(mode=0o700)
                with self._open_file.shared(), self._guarded():
                    self._environment.copy(str(beside), compact=True)
                (beside / DATA).chmod(0o600)
                with self._open_file.alone(), self._guarded():
                    self._replace(beside / DATA)
            finally:
                shutil.rmtree(beside, ignore_errors=True)

    def _replace(self, file: Path) -> None:
        self._environment.close()
        try:
            file.replace(self.folder / DATA)
            self._environment = self._open()
            self._environment.sync(True)
        except (lmdb.Error, OSError) as error:  # there is none that could be asked now
            raise IndexDamagedError(f"{self.folder}: {error}") from None

    def abandon(self) -> None:
        """Let go of the file as it is."""
        with self._open_file.alone():
            self._environment.close()

    def close(self) -> None:
        try:
            with self._writing() as change:
                self._environment.sync(True)
                change.put(b"boot", _CLOSED)
            self._environment.sync(True)
        finally:
            self.abandon()
        (self.folder / SEAL).write_bytes(self._digest())

    def _unseal(self) -> None:
        """See that the file is what was closed. The library would follow a changed page wherever it leads."""
        seal = self.folder / SEAL
        if seal.exists():
            if not (self.folder / DATA).exists() or seal.read_bytes() != self._digest():
                raise IndexDamagedError(f"{self.folder}: it is not what was closed")
            seal.unlink()  # it is about to change

    def _digest(self) -> bytes:
        with (self.folder / DATA).open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest().encode()

    def _take_over(self) -> int:
        """See that the file can be trusted, and note that it is in use -> the newest record applied."""
        with self._writing() as change:
            applied = change.get(b"applied")
            if applied is not None:
                if change.get(b"version") != _VERSION:
                    raise IndexDamagedError(f"{self.folder}: of another version")
                if change.get(b"boot") not in (_CLOSED, _boot()):
                    raise IndexDamagedError(f"{self.folder}: not closed before the machine stopped")
            change.put(b"version", _VERSION)
            change.put(b"boot", _boot())
        self._environment.sync(True)
        return 0 if applied is None else to_number(applied)

    def _open(self) -> lmdb.Environment:
        environment = lmdb.open(str(self.folder), map_size=MAP_BYTES, max_dbs=8, sync=False, mode=0o600)
        info, page = environment.info(), environment.stat()["psize"]
        if (self.folder / DATA).stat().st_size < (info["last_pgno"] + 1) * page:
            environment.close()
            raise IndexDamagedError(f"{self.folder}: the file has lost its end")  # reading there would kill the process
        names = (b"users", b"events", b"ids", b"seen", b"memories")
        self._users, self._events, self._ids, self._seen, self._memories = map(environment.open_db, names)
        return environment

    def _profile(self, view: lmdb.Transaction, user: str) -> Profile | None:
        key = user.encode()
        value = view.get(key, db=self._users) if 0 < len(key) <= ID_BYTES else None
        return None if value is None else to_profile(checked(key, value))

    def _add(self, change: lmdb.Transaction, number: int, event: Event) -> None:
        old = self._profile(change, event.user)
        if old is None:
            new = Profile(number, 1, number, event.time, 0)
        else:
            late = number if event.time < old.newest else old.late
            new = Profile(old.number, old.count + 1, number, max(old.newest, event.time), late)
        key, place = event.user.encode(), place_key(new.number, event.time, number)
        change.put(key, checking(key, profile_value(new)), db=self._users)
        change.put(place, checking(place, event.item.encode()), db=self._events)
        change.put(id_key(new.number, event.id), place, db=self._ids)
        change.put(place[:8] + event.item.encode(), b"", db=self._seen)

    def _remove(self, change: lmdb.Transaction, user: str) -> None:
        profile = self._profile(change, user)
        if profile is None:
            return
        prefix = number_key(profile.number)
        for database in (self._events, self._ids, self._seen, self._memories):
            with change.cursor(database) as cursor:
                cursor.set_range(prefix)
                while cursor.key()[:8] == prefix:  # empty past the end
                    cursor.delete()  # and stand at the next one
        change.delete(user.encode(), db=self._users)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[lmdb.Transaction]:
        with self._open_file.shared(), self._guarded(), self._environment.begin() as view:
            yield view

    @contextlib.contextmanager
    def _writing(self) -> Iterator[lmdb.Transaction]:
        with (
            self._changing,
            self._open_file.shared(),
            self._guarded(),
            self._environment.begin(write=True) as change,
        ):
            yield change

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Say so where the library finds the file damaged, and do not trust it when it is opened next."""
        try:
            yield
        except _DAMAGE as error:
            self._distrust()
            raise IndexDamagedError(f"{self.folder}: {error}") from None
        except IndexDamagedError:
            self._distrust()
            raise

    def _distrust(self) -> None:
        with contextlib.suppress(OSError):
            (self.folder / DAMAGED).touch()


def _event(place: Bytes, value: Bytes) -> tuple[str, int]:
    """item, time."""
    return checked(place, value).decode(), to_place(place)[1]


def _boot() -> bytes:
    """Changes when the machine starts; where the system does not say, always: only a closed index is trusted then."""
    try:
        return _BOOT.read_bytes().strip()
    except OSError:
        return os.urandom(16)
