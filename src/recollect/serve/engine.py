"""The engine: events in, ranked lists out. Each user's memory is advanced by what it lacks, and scored.

A memory is a cache of the store's events. Where it is at hand and current, an answer costs one scoring; where it is
behind, the events that it lacks are read in; where it is of another model, or an event came late, it is made anew. So a
list is always that of the user's whole history, as `recollect recommend` gives it.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeVar

import torch

from recollect.artifact import Artifact
from recollect.contracts import State
from recollect.serve.layout import Layout
from recollect.serve.memories import Memories
from recollect.serve.ranker import Answer, Asked, AskedAfter, Ground, Ranker
from recollect.serve.stores.contract import Arrival, Mark, Past, Profile, Receipt, Saved, Store

ROOM = 256 << 20
"""Bytes of memories at hand."""

BATCH = 256
"""Users advanced or scored together at most."""

_T = TypeVar("_T")


class Engine:
    """One model over one store. Threads may share it: calls that need the model wait for one another.

    `half`: save memories in half precision. `clock`: the time now, in seconds.
    """

    def __init__(
        self,
        artifact: Artifact,
        store: Store,
        *,
        room: int = ROOM,
        half: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._room, self._half, self._clock = room, half, clock
        self._mutex = threading.RLock()
        self._take_up(artifact)

    @property
    def artifact(self) -> Artifact:
        """The model that answers now."""
        return self._ranker.artifact

    @property
    def at_hand(self) -> int:
        """Users whose memories are in this process."""
        return len(self._memories)

    @property
    def bytes_per_user(self) -> int:
        """What a saved memory takes."""
        return self._layout.size

    def add(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Take events in; they are durable when this returns. Memories follow when asked for, or by `advance`."""
        return self.store.append(arrivals, int(self._clock()))

    def advance(self, users: Sequence[str]) -> None:
        """Bring the memories of users up to date, so that an answer need not wait for it."""
        with self._mutex, torch.inference_mode():
            for part in _parts(list(dict.fromkeys(users)), self._batch):
                self._current(part)

    def recommend(self, questions: Sequence[Asked]) -> list[Answer]:
        """One list for each question. Raises DataError where the model scores NaN."""
        with self._mutex, torch.inference_mode():
            answers: list[Answer] = []
            for part in _parts(list(questions), self._batch):
                users = list(dict.fromkeys(one.user for one in part))
                state, pasts = self._current(users)
                rows = {user: row for row, user in enumerate(users)}
                chosen = [rows[one.user] for one in part]
                grounds = [self._ground(users[row], pasts[row].profile) for row in chosen]
                answers += self._ranker.answer(part, state.rows(chosen), grounds, int(self._clock()))
            return answers

    def recommend_after(self, questions: Sequence[AskedAfter]) -> list[Answer]:
        """One list for each question; nothing of it is kept. Questions about users need not wait for these."""
        ranker = self._ranker
        with torch.inference_mode():
            answers: list[Answer] = []
            for part in _parts(list(questions), BATCH):
                events = [[(item, 0) for item in one.history] for one in part]
                state = ranker.read(ranker.fresh(len(part)), events, timed=False)
                answers += ranker.answer(part, state, [_ground_of(one.history, ranker) for one in part])
            return answers

    def forget(self, user: str) -> bool:
        """Make all events of a user void, and drop the memory -> whether there were any."""
        with self._mutex:
            self._memories.drop(user)
            return self.store.forget(user)

    def save(self, limit: int = 1 << 30) -> int:
        """Save memories that have changed -> how many. None need be saved: they can be made again."""
        with self._mutex, torch.inference_mode():
            done = 0
            while done < limit and (users := self._memories.changed(min(self._batch, limit - done))):
                self._save(users, self._memories.take(users), [self._marked(user) for user in users])
                self._memories.cleaned(users)
                done += len(users)
            return done

    def evict(self, seconds: float) -> int:
        """Drop saved memories that were not used for so long -> how many."""
        return self.store.evict(self._clock() - seconds)

    def swap(self, artifact: Artifact) -> None:
        """Answer with another model from now on; memories are made anew from the events as they are asked for."""
        with self._mutex:
            self._take_up(artifact)

    def rebuild(self, batch: int = BATCH) -> Iterator[int]:
        """Bring every user's memory up to date and save it, `batch` users at a time -> how many are done.

        Questions are answered between two batches.
        """
        done, after = 0, ""
        while users := self.store.users(after, batch):
            self.advance(users)
            self.save()
            done, after = done + len(users), users[-1]
            yield done

    def _take_up(self, artifact: Artifact) -> None:
        with torch.inference_mode():
            one = artifact.model.fresh(1)
            self._layout = Layout(one, half=self._half)
            self._memories = Memories(one, self._room, self._save)
        self._ranker = Ranker(artifact)
        self._batch = min(BATCH, self._memories.capacity)

    def _current(self, users: Sequence[str]) -> tuple[State, list[Past]]:
        """The memories of different users, with all of their events; they are at hand afterwards."""
        marks = {user: mark for user in users if (mark := self._memories.mark(user)) is not None}
        read = self._read([user for user in users if user not in marks])
        marks |= {user: saved.mark for user, saved in read.items()}
        pasts = [self.store.past(user, marks.get(user)) for user in users]
        state = self._begin(users, pasts, read)
        state = self._ranker.read(state, [past.events for past in pasts])
        known = [row for row, past in enumerate(pasts) if past.profile is not None]
        grown = [row for row in known if pasts[row].events or pasts[row].anew]
        found = [row for row in known if users[row] in read and row not in grown]
        for rows, changed in ((grown, True), (found, False)):
            there = [users[row] for row in rows], state.rows(rows), [_mark(pasts[row]) for row in rows]
            self._memories.put(*there, changed=changed)
        return state, pasts

    def _read(self, users: Sequence[str]) -> dict[str, Saved]:
        """The saved memories of users that this model has made."""
        found = zip(users, self.store.saved(users), strict=True)
        return {
            user: saved
            for user, saved in found
            if saved is not None and saved.digest == self.artifact.digest and len(saved.data) == self._layout.size
        }

    def _begin(self, users: Sequence[str], pasts: Sequence[Past], read: dict[str, Saved]) -> State:
        """Where each user's memory stands before what it lacks is read in."""
        held = [row for row, past in enumerate(pasts) if not past.anew and users[row] not in read]
        if len(held) == len(users):
            return self._memories.take(users)
        state = self._ranker.fresh(len(users))
        saved = [row for row, past in enumerate(pasts) if not past.anew and users[row] in read]
        if held:
            _set(state, held, self._memories.take([users[row] for row in held]))
        if saved:
            _set(state, saved, self._layout.unpack([read[users[row]].data for row in saved]))
        return state

    def _ground(self, user: str, profile: Profile | None) -> Ground:
        has_seen = functools.partial(self.store.has_seen, user)
        return Ground("popularity", 0, has_seen) if profile is None else Ground("memory", profile.count, has_seen)

    def _marked(self, user: str) -> Mark:
        mark = self._memories.mark(user)
        assert mark is not None
        return mark

    def _save(self, users: Sequence[str], state: State, marks: Sequence[Mark]) -> None:
        now, digest = self._clock(), self.artifact.digest
        rows = zip(users, marks, self._layout.pack(state), strict=True)
        self.store.save((user, Saved(digest, mark, now, data)) for user, mark, data in rows)


def _ground_of(history: Sequence[str], ranker: Ranker) -> Ground:
    seen = set(history)
    unknown = tuple(one for one in history if not ranker.knows(one))
    source: Literal["history", "popularity"] = "history" if history else "popularity"
    return Ground(source, len(history), lambda items: [one in seen for one in items], unknown)


def _set(state: State, rows: Sequence[int], part: State) -> None:
    for name, tensor in state.items():
        tensor[rows] = part[name].to(tensor.device)


def _mark(past: Past) -> Mark:
    assert past.profile is not None
    return past.profile.mark


def _parts(whole: list[_T], size: int) -> Iterator[list[_T]]:
    return (whole[begin : begin + size] for begin in range(0, len(whole), size))
