"""The store that needs no server: a journal and an index derived from it, in one folder, owned by one process.

An event is durable once it is in the journal. The index is updated right after; where that failed, it is brought up to
date before anything else is done. A damaged index is rebuilt from the journal.
"""

from __future__ import annotations

import contextlib
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

from recollect.serve.stores.contract import (
    History,
    IncomingEvent,
    Position,
    Receipt,
    SavedMemory,
    StoreError,
    UserSummary,
)
from recollect.serve.stores.index import Index, IndexDamagedError
from recollect.serve.stores.journal import SEGMENT_BYTES, Journal
from recollect.serve.stores.origin import Origin
from recollect.serve.stores.records import Event, Forget
from recollect.serve.stores.segments import JournalError, has_removed, read

JOURNAL, INDEX = "journal", "index"
"""Folders in the folder of the store. The second may be deleted while no process uses it: it is rebuilt."""

FULL_BYTES = 1 << 20
"""A disk with less free space is called full."""

CHUNK = 10_000
"""Records applied to the index in one transaction, where there are many."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_P = ParamSpec("_P")


class EmbeddedStore:
    """A `Store` in a folder. Raises StoreError, with the reason, where it cannot be opened."""

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self._writing = threading.RLock()  # readers do not wait for the disk
        # `_behind`: the index lacks records of the journal. `_incomplete`: acknowledged ones, so it must not be read.
        self._behind = self._incomplete = True
        self._index: Index | None = None  # None until it is up to date
        self._compacting = threading.Lock()
        try:
            self._journal = Journal(folder / JOURNAL, segment_bytes=segment_bytes)
        except JournalError as error:
            raise StoreError(str(error)) from None
        try:
            if truncated := self._journal.truncated:
                _log.warning("%s: truncated %d bytes of an interrupted write", folder / JOURNAL, truncated)
            self._catch_up()
        except BaseException:
            self._journal.close()
            raise

    @property
    def events(self) -> int:
        """How many events there are of all users."""
        return self._query(Index.count)

    def append(self, incoming: Sequence[IncomingEvent], now: int) -> list[Receipt]:
        with self._writing:
            self._catch_up()
            receipts, events = self._deduplicate(incoming, now)
            self._commit(events)
            return receipts

    def refusal(self) -> str | None:
        if self._journal.failure is not None:
            return f"{self.folder / JOURNAL}: {self._journal.failure}"
        try:
            full = shutil.disk_usage(self.folder).free < FULL_BYTES
        except OSError as error:
            return f"{self.folder}: {error.strerror}"
        return f"{self.folder}: the disk is full" if full else None

    def summary(self, user: str) -> UserSummary | None:
        return self._query(Index.summary, user)

    def users(self, after: str = "", limit: int = 1 << 60, prefix: str = "") -> list[str]:
        return self._query(Index.users, after, limit, prefix)

    def history(self, user: str, position: Position | None = None, *, counts: bool = False) -> History:
        return self._query(Index.history, user, position, counts)

    def recent_events(self, user: str, limit: int) -> list[tuple[str, int]]:
        return self._query(Index.recent_events, user, limit)

    def meetings(self, user: str, items: Sequence[str]) -> list[int]:
        return self._query(Index.meetings, user, items)

    def load_memories(self, users: Sequence[str]) -> list[SavedMemory | None]:
        return self._query(Index.load_memories, users)

    def save_memories(self, memories: Iterable[tuple[str, SavedMemory]]) -> None:
        self._query(Index.save_memories, list(memories))

    def evict(self, before: float) -> int:
        return self._query(Index.evict, before)

    def forget(self, user: str) -> bool:
        with self._writing:
            self._catch_up()
            if self.summary(user) is None:
                return False
            self._commit([Forget(user)])
            return True

    def compact(self) -> int:
        with self._compacting:
            self._catch_up()
            try:
                removed = self._journal.compact()
            except JournalError as error:
                raise StoreError(str(error)) from None
            self._query(Index.compact)
            self._query(self._renew_origin)
            return removed

    def _renew_origin(self, index: Index) -> None:
        """Have the index know a record that is still in the files, after a compaction."""
        with self._writing:
            if (renewed := index.origin.renewed(self._journal.folder)) != index.origin:
                index.note_origin(renewed)

    def close(self) -> None:
        with self._writing:
            try:
                if self._index is not None:
                    self._index.close()
            except (lmdb.Error, IndexDamagedError, OSError) as error:
                _log.warning("%s: could not be closed (%s); it will be rebuilt", self.folder / INDEX, error)
            finally:
                self._journal.close()

    def __enter__(self) -> EmbeddedStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _deduplicate(self, incoming: Sequence[IncomingEvent], now: int) -> tuple[list[Receipt], list[Event]]:
        """Find the events that the store has already -> receipts of all, the events that are new."""
        ids = [uuid.uuid4().hex if one.id is None else one.id for one in incoming]
        events = [Event(one.user, one.item, one.time or 0, id) for one, id in zip(incoming, ids, strict=True)]
        known = self._known_ids(events)
        latest: dict[str, int] = {}  # user -> latest time among the incoming events
        next_number = self._journal.last + 1
        receipts: list[Receipt] = []
        new: list[Event] = []
        for one, event in zip(incoming, events, strict=True):
            found = known.get((event.user, event.id))
            if found is not None:
                receipts.append(Receipt("repeated" if found[1] == event.item else "conflict", found[0], event.id))
                continue
            if one.time is None:
                summary = self.summary(event.user)
                before = now if summary is None else summary.latest_time
                event = dataclasses.replace(event, time=max(now, before, latest.get(event.user, now)))
            latest[event.user] = max(event.time, latest.get(event.user, event.time))
            number = next_number + len(new)
            known[event.user, event.id] = number, event.item
            new.append(event)
            receipts.append(Receipt("new", number, event.id))
        return receipts, new

    def _known_ids(self, events: Sequence[Event]) -> dict[tuple[str, str], tuple[int, str]]:
        """(user, id) -> record number and item of the event in the store with this id, where there is one."""
        ids_of: dict[str, list[str]] = {}
        for one in events:
            ids_of.setdefault(one.user, []).append(one.id)
        return {
            (user, id): found
            for user, ids in ids_of.items()
            for id, found in zip(ids, self._query(Index.find_ids, user, ids), strict=True)
            if found is not None
        }

    def _commit(self, records: Sequence[Event | Forget]) -> None:
        """Write records to the journal, and then to the index."""
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
            # The records are durable, but if they were sent again the index would not recognise them. So they are not
            # acknowledged until it has them. All acknowledged ones are in it, so reading goes on.
            try:
                self._catch_up()
            except StoreError:
                raise StoreError(f"{self._reason(error)}; send it again, with the same ids") from None

    def _query(self, method: Callable[Concatenate[Index, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a method of the index, once that has all acknowledged records. A damaged index is rebuilt and tried
        again."""
        for last in (False, True):
            if self._incomplete:
                self._catch_up()
            index = self._index
            if index is None:
                continue
            try:
                return method(index, *args, **kwargs)
            except IndexDamagedError as error:
                self._drop_index(index, error)
                if last:
                    raise StoreError(self._reason(error)) from None
            except (lmdb.Error, OSError) as error:
                if last or self._index is index:  # else another thread has closed it meanwhile
                    raise StoreError(self._reason(error)) from None
        raise StoreError(f"{self.folder / INDEX}: it is being rebuilt; try again")

    def _reason(self, error: Exception) -> str:
        """Why the index failed. Its library says of a full disk only that a write failed."""
        full = shutil.disk_usage(self.folder).free < FULL_BYTES
        return f"{self.folder / INDEX}: {'the disk is full' if full else error}"

    def _open_index(self) -> Index:
        folder = self.folder / INDEX
        try:
            try:
                index = Index(folder)
                if (misfit := self._misfit(index)) is None:
                    return index
                index.abandon()
            except IndexDamagedError as error:
                misfit = str(error)
            _log.warning("%s; it is rebuilt from the journal", misfit)
            Index.discard(folder)
            index = Index(folder)
            self._misfit(index)
            return index
        except (lmdb.Error, IndexDamagedError, OSError) as error:
            raise StoreError(f"{folder}: cannot be opened ({error})") from None

    def _misfit(self, index: Index) -> str | None:
        """Why an index was not made of this journal; None where it was. One without records is, from now on."""
        if not index.applied:
            index.note_origin(Origin(self._journal.id))
            return None
        if index.applied > self._journal.last:
            return None  # `_apply_journal` refuses it: events may be lost
        why = index.origin.misfit(self._journal.id, self._journal.folder, index.applied)
        return None if why is None else f"{index.folder}: it {why}"

    def _catch_up(self) -> None:
        """Bring the index up to date with the journal; make one where there is none."""
        if not self._behind:
            return
        with self._writing:
            try:
                index = self._up_to_date_index()
            except JournalError as error:
                raise StoreError(str(error)) from None
            except (lmdb.Error, IndexDamagedError, OSError) as error:
                raise StoreError(self._reason(error)) from None
            self._index = index
            self._behind = self._incomplete = False

    def _up_to_date_index(self) -> Index:
        """The index with all records of the journal; a new one where there is none, or a damaged one."""
        for last in (False, True):
            index = self._open_index() if self._index is None else self._index
            try:
                self._apply_journal(index)
                return index
            except IndexDamagedError as error:
                self._drop_index(index, error)
                if last:
                    raise
            except BaseException:
                if self._index is None:  # no one else has it, and it cannot be opened twice
                    index.abandon()
                raise
        raise AssertionError("the second round returns or raises")

    def _apply_journal(self, index: Index) -> None:
        applied, last = index.applied, self._journal.last
        if applied > last:
            raise StoreError(
                f"{self.folder}: the journal ends at record {last}, but it had {applied} before; "
                f"restore the journal from a backup, or delete {self.folder / INDEX} to accept the loss"
            )
        if applied < last:
            with self._journal.without_compaction():
                # A record that is gone may have been one that forgets a user, whom the index still has.
                if applied and has_removed(self._journal.folder, applied):
                    raise IndexDamagedError(f"{index.folder}: a compaction removed records that it never took in")
                # What comes after the last record was not acknowledged: its sync failed.
                for chunk in _chunks(takewhile(lambda one: one[0] <= last, read(self._journal.folder, applied))):
                    index.apply(chunk, chunk[-1][0])
            index.apply([], last)  # the journal may end with a gap

    def _drop_index(self, index: Index, error: IndexDamagedError) -> None:
        """Stop using an index that is of no use any more, unless another thread already did."""
        with self._writing:
            if self._index not in (index, None):
                return
            _log.warning("%s; it is rebuilt from the journal", error)
            self._behind = self._incomplete = True
            self._index = None
            index.abandon()
            with contextlib.suppress(OSError):  # it is marked, and the next to open it tries again
                Index.discard(index.folder)


def _chunks(records: Iterator[tuple[int, Event | Forget]]) -> Iterator[list[tuple[int, Event | Forget]]]:
    while chunk := list(islice(records, CHUNK)):
        yield chunk
