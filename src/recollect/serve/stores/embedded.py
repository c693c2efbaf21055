"""The store that needs no other program: a journal and an index made from it, in one folder, owned by one process.

An event is durable once the journal has it; the index follows at once, and where it could not, it is brought up to the
journal before anything else is done. A damaged index is made anew from the journal.
"""

from __future__ import annotations

import logging
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import lmdb

from recollect.serve.stores.contract import Arrival, Mark, Past, Profile, Receipt, Saved, StoreError
from recollect.serve.stores.index import Index, IndexDamagedError
from recollect.serve.stores.journal import SEGMENT_BYTES, Journal, JournalError, read
from recollect.serve.stores.records import Event, Forget

JOURNAL, INDEX = "journal", "index"
"""Folders in the folder of the store. The second may be deleted while nobody uses it: it is made again."""

FULL_BYTES = 1 << 20
"""A disk with less room is called full."""

CHUNK = 10_000
"""Records applied in one transaction where many are."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_P = ParamSpec("_P")


class EmbeddedStore:
    """A `Store` in a folder. Raises StoreError where it cannot be opened, and then says why."""

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self._writing = threading.RLock()  # readers do not wait for the disk
        # Until known otherwise, the index lacks records of the journal, and acknowledged ones among them.
        self._behind = self._partial = True
        try:
            self._journal = Journal(folder / JOURNAL, segment_bytes=segment_bytes)
        except JournalError as error:
            raise StoreError(str(error)) from None
        try:
            if self._journal.cut:
                _log.warning("%s: cut off %d bytes of an interrupted write", folder / JOURNAL, self._journal.cut)
            self._index = self._open_index()
            self._catch_up()
        except BaseException:
            self._journal.close()
            raise

    @property
    def events(self) -> int:
        """How many events there are of all users."""
        return self._ask(Index.count)

    def append(self, arrivals: Sequence[Arrival], now: int) -> list[Receipt]:
        with self._writing:
            self._catch_up()
            receipts, events = self._sort_out(arrivals, now)
            self._record(events)
            return receipts

    def profile(self, user: str) -> Profile | None:
        return self._ask(Index.profile, user)

    def users(self, after: str = "", limit: int = 1 << 60, prefix: str = "") -> list[str]:
        return self._ask(Index.users, after, limit, prefix)

    def past(self, user: str, held: Mark | None = None) -> Past:
        return self._ask(Index.past, user, held)

    def newest(self, user: str, limit: int) -> list[tuple[str, int]]:
        return self._ask(Index.newest, user, limit)

    def has_seen(self, user: str, items: Sequence[str]) -> list[bool]:
        return self._ask(Index.has_seen, user, items)

    def saved(self, users: Sequence[str]) -> list[Saved | None]:
        return self._ask(Index.saved, users)

    def save(self, memories: Iterable[tuple[str, Saved]]) -> None:
        self._ask(Index.save, list(memories))

    def evict(self, before: float) -> int:
        return self._ask(Index.evict, before)

    def forget(self, user: str) -> bool:
        with self._writing:
            if self.profile(user) is None:
                return False
            self._record([Forget(user)])
            return True

    def compact(self) -> int:
        with self._writing:
            try:
                gone = self._journal.compact()
            except JournalError as error:
                raise StoreError(str(error)) from None
            self._ask(Index.compact)
            return gone

    def close(self) -> None:
        with self._writing:
            try:
                self._index.close()
            except (lmdb.Error, IndexDamagedError, OSError) as error:
                _log.warning("%s: not closed well (%s); it will be made anew", self.folder / INDEX, error)
            finally:
                self._journal.close()

    def __enter__(self) -> EmbeddedStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sort_out(self, arrivals: Sequence[Arrival], now: int) -> tuple[list[Receipt], list[Event]]:
        """What is to become of each arrival -> receipts, the events that are new."""
        following = self._journal.last + 1
        receipts: list[Receipt] = []
        events: list[Event] = []
        here: dict[tuple[str, str], tuple[int, str]] = {}  # user, id -> number, item: in this batch
        newest: dict[str, int] = {}  # user -> latest time in this batch
        for one in arrivals:
            own = uuid.uuid4().hex if one.id is None else one.id
            time = one.time
            if time is None:
                profile = self.profile(one.user)
                time = max(now, now if profile is None else profile.newest, newest.get(one.user, now))
            event = Event(one.user, one.item, time, own)
            known = here.get((one.user, own)) or (one.id and self._ask(Index.given, one.user, [own])[0])
            if known:
                receipts.append(Receipt("repeated" if known[1] == one.item else "conflict", known[0], own))
                continue
            number = following + len(events)
            here[one.user, own] = number, one.item
            newest[one.user] = max(time, newest.get(one.user, time))
            events.append(event)
            receipts.append(Receipt("new", number, own))
        return receipts, events

    def _record(self, records: Sequence[Event | Forget]) -> None:
        """Make records durable, and known to the index."""
        try:
            first = self._journal.append(records)
        except JournalError as error:
            raise StoreError(str(error)) from None
        try:
            self._index.apply(enumerate(records, first), self._journal.last)
        except (lmdb.Error, IndexDamagedError, OSError) as error:
            # Durable, but sent again it would not be known: nothing is acknowledged until the index has it. All that
            # was acknowledged is there, so reading goes on.
            self._behind = True
            raise StoreError(f"{self._why(error)}; send it again, with the same ids") from None

    def _ask(self, question: Callable[Concatenate[Index, _P], _T], *given: _P.args, **named: _P.kwargs) -> _T:
        """Ask the index, which has all that was acknowledged. A damaged one is made anew and asked again."""
        if self._partial:
            self._catch_up()
        index = self._index
        try:
            try:
                return question(index, *given, **named)
            except IndexDamagedError as error:
                with self._writing:
                    if self._index is index:  # else another thread was faster
                        self._renew(error)
                self._catch_up()
                return question(self._index, *given, **named)
        except (lmdb.Error, IndexDamagedError, OSError) as error:
            raise StoreError(self._why(error)) from None

    def _why(self, error: Exception) -> str:
        """What a failure of the index comes from; its library says no more of a full disk than that a write failed."""
        full = shutil.disk_usage(self.folder).free < FULL_BYTES
        return f"{self.folder / INDEX}: {'the disk is full' if full else error}"

    def _open_index(self) -> Index:
        folder = self.folder / INDEX
        try:
            try:
                return Index(folder)
            except IndexDamagedError as error:
                _log.warning("%s; it is made anew from the journal", error)
                Index.discard(folder)
                return Index(folder)
        except (lmdb.Error, IndexDamagedError, OSError) as error:
            raise StoreError(f"{folder}: cannot be opened ({error})") from None

    def _catch_up(self) -> None:
        """Bring the index up to the journal, where it is behind."""
        if not self._behind:
            return
        with self._writing:
            try:
                try:
                    self._follow()
                except IndexDamagedError as error:
                    self._renew(error)
                    self._follow()
            except JournalError as error:
                raise StoreError(str(error)) from None
            except (lmdb.Error, IndexDamagedError, OSError) as error:
                raise StoreError(self._why(error)) from None
            self._behind = self._partial = False

    def _follow(self) -> None:
        there = self._index.applied
        if there > self._journal.last:
            raise StoreError(
                f"{self.folder}: the journal ends at record {self._journal.last}, but {there} were there before; "
                f"restore the journal from a backup, or delete {self.folder / INDEX} to accept the loss"
            )
        if there < self._journal.last:
            for chunk in _chunks(read(self._journal.folder, there)):
                self._index.apply(chunk, chunk[-1][0])
            self._index.apply([], self._journal.last)  # the journal may end with a gap

    def _renew(self, error: IndexDamagedError) -> None:
        _log.warning("%s; it is made anew from the journal", error)
        self._index.abandon()
        self._index = self._open_index()
        self._behind = self._partial = True


def _chunks(records: Iterator[tuple[int, Event | Forget]]) -> Iterator[list[tuple[int, Event | Forget]]]:
    while chunk := list(islice(records, CHUNK)):
        yield chunk
