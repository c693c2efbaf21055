"""The engine: takes events in and returns ranked lists. A user's memory is advanced by what it lacks, then scored.

A memory is a cache of the events in the store. If it is in the process and up to date, a response costs one scoring. If
it is behind, the missing events are read; if it belongs to another model, or an event came late, it is made again. So a
list is always computed from the user's whole history, as by `recollect recommend`.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import torch

from recollect.artifact import Artifact
from recollect.contracts import State
from recollect.data.seen import Seen
from recollect.serve.acquaintances import Acquaintances
from recollect.serve.layout import Layout
from recollect.serve.memory_cache import MemoryCache, Unsaved
from recollect.serve.ranker import Ranker
from recollect.serve.requests import HistoryRequest, ListRequest, Response, UserRequest
from recollect.serve.resuming import state_before
from recollect.serve.sources import Source, source_of_history, source_of_user
from recollect.serve.stores.contract import (
    History,
    IncomingEvent,
    Position,
    Receipt,
    SavedMemory,
    Store,
    StoreError,
    UserSummary,
)
from recollect.version import __version__

CACHE_BYTES = 256 << 20
"""Bytes of memories in the process."""

BATCH = 256
"""Users advanced or scored together at most."""

TOUCH_SECONDS = 86_400.0
"""A memory that was saved longer ago is saved again when it is loaded, so that it does not count as unused."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Deferred(enum.Enum):
    """Why a request was not processed in this batch."""

    NEXT_BATCH = "others had to be read first; try again"
    LONG_HISTORY = "the user's memory lacks more events than are read in one batch"


@dataclasses.dataclass(frozen=True, slots=True)
class _ActiveModel:
    """A model, and what belongs to it alone."""

    ranker: Ranker
    layout: Layout
    cache: MemoryCache
    fingerprint: str
    acquaintances: Acquaintances


class Engine:
    """One model over one store. Threads may share it, and do not wait for each other's use of the model.

    `cache_bytes`: what the memories in the process may take. `half`: save memories in half precision. `clock`: the
    present, in seconds since 1970.
    """

    def __init__(
        self,
        artifact: Artifact,
        store: Store,
        *,
        cache_bytes: int = CACHE_BYTES,
        half: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._cache_bytes, self._half, self._clock = cache_bytes, half, clock
        self._mutex = threading.RLock()  # guards the cache; the model is a pure function and needs no lock
        self._forget_count = 0
        self._activate(artifact)

    @property
    def ranker(self) -> Ranker:
        """The model in use, behind item ids."""
        return self._active.ranker

    @property
    def artifact(self) -> Artifact:
        """The model in use."""
        return self._active.ranker.artifact

    @property
    def now(self) -> int:
        """The present, in seconds since 1970."""
        return int(self._clock())

    @property
    def seen(self) -> Seen:
        """Whether seen items may be listed where a request does not say: as in the run of the model."""
        return self._active.ranker.seen

    @property
    def _batch_size(self) -> int:
        return min(BATCH, self._active.cache.capacity)

    @property
    def cached_users(self) -> int:
        """Users whose memories are in this process."""
        return len(self._active.cache)

    @property
    def unsaved(self) -> int:
        """Users whose memories changed since they were saved."""
        return self._active.cache.unsaved

    @property
    def bytes_per_user(self) -> int:
        """The size of a saved memory."""
        return self._active.layout.size

    @property
    def fingerprint(self) -> str:
        """Identifies model, layout and version of the program. Only memories saved with the same one are read."""
        return self._active.fingerprint

    def add(self, incoming: Sequence[IncomingEvent]) -> list[Receipt]:
        """Take events in; they are durable when this returns. Memories are advanced by `advance`, or when needed."""
        return self.store.append(incoming, self.now)

    def advance(self, users: Sequence[str]) -> None:
        """Bring the memories of users up to date, so that a request need not wait for it."""
        with torch.inference_mode():
            for part in _parts(list(dict.fromkeys(users)), self._batch_size):
                self._current(part)

    def recommend(self, requests: Sequence[UserRequest]) -> list[Response]:
        """One list for each request. Raises DataError where the model scores NaN."""
        responses = self.recommend_within(requests, sys.maxsize)
        return [one for one in responses if isinstance(one, Response)]  # all of them

    def recommend_within(self, requests: Sequence[UserRequest], limit: int) -> list[Response | Deferred]:
        """As `recommend`, but at most `limit` events are read into memories. Requests that need more are deferred, with
        the reason.
        """
        with torch.inference_mode():
            responses: list[Response | Deferred] = []
            for part in _parts(list(requests), self._batch_size):
                active, state, histories, deferred = self._current(list(dict.fromkeys(one.user for one in part)), limit)
                ranker, row_of = active.ranker, {user: row for row, user in enumerate(histories)}
                ready = [one for one in part if one.user in histories]
                moments = self._moments(ready)
                summaries = [histories[one.user].summary for one in ready]
                find = ranker.artifact.items.find
                sources = [
                    source_of_user(
                        self.store,
                        one.user,
                        summary,
                        one.then,
                        find,
                        known=active.acquaintances.include(self.store, one.user, histories[one.user]),
                    )
                    for one, summary in zip(ready, summaries, strict=True)
                ]
                thens = [_imagined(*each) for each in zip(ready, summaries, moments, strict=True)]
                counts = [_counts(ranker, source, one.then) for one, source in zip(ready, sources, strict=True)]
                states = ranker.read(state.rows([row_of[one.user] for one in ready]), thens, counts)
                answered = iter(ranker.respond(ready, states, sources, moments))
                responses += [next(answered) if one.user in histories else deferred[one.user] for one in part]
            return responses

    def recommend_after(self, requests: Sequence[HistoryRequest]) -> list[Response]:
        """One list for each request. Nothing is kept. Requests for users need not wait for these.

        The items have no times. A model that uses the time of asking is told that they have come just then.
        """
        ranker = self._active.ranker
        with torch.inference_mode():
            responses: list[Response] = []
            for part in _parts(list(requests), BATCH):
                moments = self._moments(part)
                sources = [source_of_history(one.history, ranker.artifact.items.find) for one in part]
                counts = [_counts(ranker, source, one.history) for one, source in zip(part, sources, strict=True)]
                events = [[(item, at) for item in one.history] for one, at in zip(part, moments, strict=True)]
                state = ranker.read(ranker.fresh(len(part)), events, counts, timed=ranker.request_time)
                responses += ranker.respond(part, state, sources, moments)
            return responses

    def forget(self, user: str) -> bool:
        """Make all events of a user void, and drop the memory -> whether there were any events."""
        existed = self.store.forget(user)
        with self._mutex:  # after the store, so that a thread which read the user before it sees the count change
            self._forget_count += 1
            self._active.cache.drop(user)
        return existed

    def save(self, limit: int = 1 << 30) -> int:
        """Save memories that changed, at most `limit` -> how many. They could also be made again from the events."""
        done = 0
        with torch.inference_mode():
            while done < limit:
                with self._mutex:
                    active = self._active
                    users = active.cache.changed(min(self._batch_size, limit - done))
                    state, positions = active.cache.get(users), [_cached_position(active, user) for user in users]
                if not users:
                    break
                self._save(active, users, state, positions)
                with self._mutex:
                    active.cache.mark_saved(users, positions)
                done += len(users)
        return done

    def evict(self, seconds: float) -> int:
        """Delete saved memories that were not used for so long -> how many."""
        return self.store.evict(self._clock() - seconds)

    def swap(self, artifact: Artifact) -> None:
        """Use another model from now on. Memories are made again from the events as they are needed."""
        with self._mutex:
            self._activate(artifact)

    def rebuild(self, batch: int = BATCH) -> Iterator[int]:
        """Bring every user's memory up to date and save it, `batch` users at a time -> how many are done."""
        done, after = 0, ""
        while users := self.store.users(after, batch):
            self.advance(users)
            self.save()
            done, after = done + len(users), users[-1]
            yield done

    def _activate(self, artifact: Artifact) -> None:
        with torch.inference_mode():
            ranker = Ranker(artifact)
            one = ranker.fresh(1)
        layout = Layout(one, half=self._half)
        name = f"{artifact.digest} {layout.description} {__version__}"
        fingerprint = hashlib.blake2b(name.encode(), digest_size=6).hexdigest()
        self._active = _ActiveModel(
            ranker, layout, MemoryCache(one, self._cache_bytes), fingerprint, Acquaintances(artifact.items.find)
        )

    def _current(
        self, users: Sequence[str], limit: int = sys.maxsize
    ) -> tuple[_ActiveModel, State, dict[str, History], dict[str, Deferred]]:
        """Bring memories of different users up to date -> the model, a row for each user, what was read, who is
        deferred.

        The memories are in the cache afterwards. At most `limit` events are read.
        """
        with self._mutex:
            active, forget_count = self._active, self._forget_count
            positions = {user: at for user in users if (at := active.cache.position(user)) is not None}
            cached = list(positions)
            state = active.cache.get(cached)
        saved = self._load(active, [user for user in users if user not in positions])
        positions |= {user: one.position for user, one in saved.items()}
        deferred = self._deferred(users, positions, limit) if limit < sys.maxsize else {}
        counts = active.ranker.counts
        histories = {
            user: self.store.history(user, positions.get(user), counts=counts) for user in users if user not in deferred
        }
        state = state_before(active.ranker, active.layout, histories, cached, state, saved)
        events, met = [one.events for one in histories.values()], [one.counts for one in histories.values()]
        state = active.ranker.read(state, events, met)
        evicted: list[Unsaved] = []
        with self._mutex:
            if self._active is active:
                evicted = self._cache(state, histories, saved, recheck=self._forget_count != forget_count)
        for unsaved in evicted:
            self._save_evicted(active, *unsaved)
        return active, state, histories, deferred

    def _cache(
        self, state: State, histories: Mapping[str, History], saved: Mapping[str, SavedMemory], *, recheck: bool
    ) -> list[Unsaved]:
        """Put these memories into the cache -> the unsaved ones that were evicted for them.

        `recheck`: users may have been forgotten since their history was read.
        """
        old = self._clock() - TOUCH_SECONDS
        changed_rows: dict[str, int] = {}
        saved_rows: dict[str, int] = {}
        for row, (user, history) in enumerate(histories.items()):
            if history.summary is None:  # unknown, or forgotten by another worker
                self._active.cache.drop(user)
                continue
            now = self.store.summary(user) if recheck else history.summary
            if now is None or not now.extends(history.summary.position):
                continue
            if history.events or history.complete or (user in saved and saved[user].last_used < old):
                changed_rows[user] = row
            elif user in saved:
                saved_rows[user] = row
        evicted = []
        for rows, changed in ((changed_rows, True), (saved_rows, False)):
            positions = [_position(histories[user]) for user in rows]
            part = state.rows(list(rows.values()))
            evicted.append(self._active.cache.put(list(rows), part, positions, changed=changed))
        return [unsaved for unsaved in evicted if unsaved is not None]

    def _load(self, active: _ActiveModel, users: Sequence[str]) -> dict[str, SavedMemory]:
        """The saved memories of users that this model and program can read."""
        found = zip(users, self.store.load_memories(users), strict=True)
        return {user: one for user, one in found if one is not None and one.fingerprint == active.fingerprint}

    def _deferred(self, users: Sequence[str], positions: Mapping[str, Position], limit: int) -> dict[str, Deferred]:
        """Users to leave out, so that at most `limit` events are read for the others together."""
        deferred: dict[str, Deferred] = {}
        left = limit
        for user in users:
            summary, position = self.store.summary(user), positions.get(user)
            missing = 0
            if summary is not None:
                usable = position is not None and summary.extends(position)
                missing = summary.events - (position.events if position is not None and usable else 0)
            if missing > limit:
                deferred[user] = Deferred.LONG_HISTORY
            elif missing > left:
                deferred[user] = Deferred.NEXT_BATCH
            else:
                left -= missing
        return deferred

    def _moments(self, requests: Sequence[ListRequest]) -> list[int]:
        """The time of asking of each request."""
        now = self.now
        return [now if one.at is None else one.at for one in requests]

    def _save(self, active: _ActiveModel, users: Sequence[str], state: State, positions: Sequence[Position]) -> None:
        now = self._clock()
        rows = zip(users, positions, active.layout.pack(state), strict=True)
        self.store.save_memories((user, SavedMemory(active.fingerprint, at, now, data)) for user, at, data in rows)

    def _save_evicted(
        self, active: _ActiveModel, users: Sequence[str], state: State, positions: Sequence[Position]
    ) -> None:
        try:
            self._save(active, users, state, positions)
        except StoreError as error:
            _log.warning("%s; memories that were evicted are not saved, and will be made again", error)


def _counts(ranker: Ranker, source: Source, items: Sequence[str]) -> dict[str, int]:
    """How often these items of a request are among all events, where the model looks at that."""
    return source.counts(items) if ranker.counts else {}


def _imagined(request: UserRequest, summary: UserSummary | None, at: int) -> list[tuple[str, int]]:
    """The events of `then`, as if they had come just when the list is asked for, after all others."""
    time = at if summary is None else max(at, summary.latest_time)
    return [(item, time) for item in request.then]


def _cached_position(active: _ActiveModel, user: str) -> Position:
    position = active.cache.position(user)
    assert position is not None
    return position


def _position(history: History) -> Position:
    assert history.summary is not None
    return history.summary.position


def _parts(whole: list[_T], size: int) -> Iterator[list[_T]]:
    return (whole[begin : begin + size] for begin in range(0, len(whole), size))
