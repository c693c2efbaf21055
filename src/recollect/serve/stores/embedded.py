"""The store that needs no other program: a journal and an index made from it, in one folder, owned by one process.

An event is durable once the journal has it; the index follows at once, and where it could not, it is brought up to the
journal before anything else is done. A damaged index is made anew from the journal.
"""

from __future__ import annotations

import dataclasses
import logging
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, takewhile
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
        self._index: Index | None = None  # there is none until it has been filled
        self._compacting = threading.Lock()
        try:
            self._journal = Journal(folder / JOURNAL, segment_bytes=segment_bytes)
        except JournalError as error:
            raise StoreError(str(error)) from None
        try:
            if self._journal.cut:
                _log.warning("%s: cut off %d bytes of an interrupted write", folder / JOURNAL, self._journal.cut)
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
            self._catch_up()
            if self.profile(user) is None:
                return False
            self._record([Forget(user)])
            return True

    def compact(self) -> int:
        with self._compacting:
            self._catch_up()
            try:
                gone = self._journal.compact()
            except JournalError as error:
                raise StoreError(str(error)) from None
            self._ask(Index.compact)
            return gone

    def close(self) -> None:
        with self._writing:
            try:
                if self._index is not None:
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
        own = [uuid.uuid4().hex if one.id is None else one.id for one in arrivals]
        named = [Event(one.user, one.item, one.time or 0, id) for one, id in zip(arrivals, own, strict=True)]
        known = self._given(named)
        newest: dict[str, int] = {}  # user -> latest time among these
        following = self._journal.last + 1
        receipts: list[Receipt] = []
        new: list[Event] = []
        for one, event in zip(arrivals, named, strict=True):
            given = known.get((event.user, event.id))
            if given is not None:
                receipts.append(Receipt("repeated" if given[1] == event.item else "conflict", given[0], event.id))
                continue
            if one.time is None:
                profile = self.profile(event.user)
                before = now if profile is None else profile.newest
                event = dataclasses.replace(event, time=max(now, before, newest.get(event.user, now)))
            newest[event.user] = max(event.time, newest.get(event.user, event.time))
            number = following + len(new)
            known[event.user, event.id] = number, event.item
            new.append(event)
            receipts.append(Receipt("new", number, event.id))
        return receipts, new

    def _given(self, events: Sequence[Event]) -> dict[tuple[str, str], tuple[int, str]]:
        """(user, id) -> number and item of the event that has this id already, where one has."""
        asked: dict[str, list[str]] = {}
        for one in events:
            asked.setdefault(one.user, []).append(one.id)
        return {
            (user, id): given
            for user, ids in asked.items()
            for id, given in zip(ids, self._ask(Index.given, user, ids), strict=True)
            if given is not None
        }

    def _record(self, records: Sequence[Event | Forget]) -> None:
        """Make records durable, and known to the index."""
        assert self._index is not None
        try:
            first = self._journal.append(records)
        except JournalError as error:
            raise StoreError(str(error)) from None
        self._behind = True
        try:
            self._index.apply(enumerate(records, first), self._journal.last)
            self._behind = False
        except (lmdb.Error, IndexDamagedError, OSError) as error:
            # Durable, but sent again it would not be known: nothing is acknowledged until the index has it. All that
            # was acknowledged is there, so reading goes on.
            try:
                self._catch_up()
            except StoreError:
                raise StoreError(f"{self._why(error)}; send it again, with the same ids") from None

    def _ask(self, question: Callable[Concatenate[Index, _P], _T], *given: _P.args, **named: _P.kwargs) -> _T:
        """Ask the index, which has all that was acknowledged. A damaged one is made anew and asked again."""
        for last in (False, True):
            if self._partial:
                self._catch_up()
            index = self._index
            if index is None:
                continue
            try:
                return question(index, *given, **named)
            except IndexDamagedError as error:
                self._lose(index, error)
                if last:
                    raise StoreError(self._why(error)) from None
            except (lmdb.Error, OSError) as error:
                if last or self._index is index:  # else another thread has closed it meanwhile
                    raise StoreError(self._why(error)) from None
        raise StoreError(f"{self.folder / INDEX}: it is being made anew; ask again")

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
        """Bring the index up to the journal, where it is behind; where there is none, make it."""
        if not self._behind:
            return
        with self._writing:
            try:
                index = self._filled()
            except JournalError as error:
                raise StoreError(str(error)) from None
            except (lmdb.Error, IndexDamagedError, OSError) as error:
                raise StoreError(self._why(error)) from None
            self._index = index
            self._behind = self._partial = False

    def _filled(self) -> Index:
        """The index with all of the journal in it; a new one where there is none, or none that is whole."""
        for last in (False, True):
            index = self._open_index() if self._index is None else self._index
            try:
                self._follow(index)
                return index
            except IndexDamagedError as error:
                self._lose(index, error)
                if last:
                    raise
            except BaseException:
                if self._index is None:  # nobody else has it, and it could not be opened a second time
                    index.abandon()
                raise
        raise AssertionError("it ends above")

    def _follow(self, index: Index) -> None:
        there, last = index.applied, self._journal.last
        if there > last:
            raise StoreError(
                f"{self.folder}: the journal ends at record {last}, but {there} were there before; "
                f"restore the journal from a backup, or delete {self.folder / INDEX} to accept the loss"
            )
        if there < last:
            with self._journal.settled():
                # What stands after the last record was not acknowledged: its sync has failed.
                for chunk in _chunks(takewhile(lambda one: one[0] <= last, read(self._journal.folder, there))):
                    index.apply(chunk, chunk[-1][0])
            index.apply([], last)  # the journal may end with a gap

    def _lose(self, index: Index, error: IndexDamagedError) -> None:
        """Let go of a damaged index, unless another thread was faster."""
        with self._writing:
            if self._index not in (index, None):
                return
            _log.warning("%s; it is made anew from the journal", error)
            self._behind = self._partial = True
            self._index = None
            index.abandon()


def _chunks(records: Iterator[tuple[int, Event | Forget]]) -> Iterator[list[tuple[int, Event | Forget]]]:
    while chunk := list(islice(records, CHUNK)):
        yield chunk
