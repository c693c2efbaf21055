"""The engine: events in, ranked lists out. Each user's memory is advanced by what it lacks, and scored.

A memory is a cache of the store's events. Where it is at hand and current, an answer costs one scoring; where it is
behind, the events that it lacks are read in; where it is of another model, or an event came late, it is made anew. So a
list is always that of the user's whole history, as `recollect recommend` gives it.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar

import numpy as np
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
    """One model over one store. Threads may share it, and do not wait for one another's use of the model.

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
        self._mutex = threading.RLock()  # of the memories; the model is a function, and works without it
        self._forgets = 0
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
        with torch.inference_mode():
            for part in _parts(list(dict.fromkeys(users)), self._batch):
                self._current(part)

    def recommend(self, questions: Sequence[Asked]) -> list[Answer]:
        """One list for each question. Raises DataError where the model scores NaN."""
        answers = self.recommend_at_once(questions, sys.maxsize)
        return [answer for answer in answers if answer is not None]  # all of them

    def recommend_at_once(self, questions: Sequence[Asked], most: int) -> list[Answer | None]:
        """As `recommend`, but no more than `most` events are read in: None where a memory lacks too many."""
        with torch.inference_mode():
            answers: list[Answer | None] = []
            for part in _parts(list(questions), self._batch):
                ranker, state, pasts = self._current(list(dict.fromkeys(one.user for one in part)), most)
                rows = {user: row for row, user in enumerate(pasts)}
                ready = [one for one in part if one.user in pasts]
                grounds = [self._ground(one.user, pasts[one.user].profile) for one in ready]
                chosen = state.rows([rows[one.user] for one in ready])
                told = iter(ranker.answer(ready, chosen, grounds, int(self._clock())))
                answers += [next(told) if one.user in pasts else None for one in part]
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
            self._forgets += 1
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

    def _current(self, users: Sequence[str], most: int = sys.maxsize) -> tuple[Ranker, State, dict[str, Past]]:
        """The memories of different users with all of their events, a row for each; they are at hand afterwards.

        At most `most` events are read in, and users whose memories lack the most are left out for that.
        """
        with self._mutex:
            ranker, forgets = self._ranker, self._forgets
            marks = {user: mark for user in users if (mark := self._memories.mark(user)) is not None}
            read = self._read([user for user in users if user not in marks])
            marks |= {user: saved.mark for user, saved in read.items()}
            pasts = _within(most, {user: self.store.past(user, marks.get(user)) for user in users})
            state = self._begin(pasts, read)
        state = ranker.read(state, [past.events for past in pasts.values()])
        with self._mutex:
            if self._ranker is ranker:
                self._keep(state, pasts, read, check=self._forgets != forgets)
        return ranker, state, pasts

    def _keep(self, state: State, pasts: Mapping[str, Past], read: Mapping[str, Saved], *, check: bool) -> None:
        """Have these memories at hand. `check`: users may have been forgotten since their past was looked up."""
        grown: dict[str, int] = {}
        found: dict[str, int] = {}
        for row, (user, past) in enumerate(pasts.items()):
            now = self.store.profile(user) if check else past.profile
            if past.profile is None or now is None or not now.extends(past.profile.mark):
                continue
            if past.events or past.anew:
                grown[user] = row
            elif user in read:
                found[user] = row
        for rows, changed in ((grown, True), (found, False)):
            marks = [_mark(pasts[user]) for user in rows]
            self._memories.put(list(rows), state.rows(list(rows.values())), marks, changed=changed)

    def _read(self, users: Sequence[str]) -> dict[str, Saved]:
        """The saved memories of users that this model has made."""
        found = zip(users, self.store.saved(users), strict=True)
        return {
            user: saved
            for user, saved in found
            if saved is not None and saved.digest == self.artifact.digest and len(saved.data) == self._layout.size
        }

    def _begin(self, pasts: Mapping[str, Past], read: Mapping[str, Saved]) -> State:
        """Where each user's memory stands before what it lacks is read in."""
        kept = [(row, user) for row, (user, past) in enumerate(pasts.items()) if not past.anew]
        held = [(row, user) for row, user in kept if user not in read]
        if len(held) == len(pasts):
            return self._memories.take(list(pasts))
        state = self._ranker.fresh(len(pasts))
        saved = [(row, user) for row, user in kept if user in read]
        if held:
            _set(state, [row for row, _ in held], self._memories.take([user for _, user in held]))
        if saved:
            _set(state, [row for row, _ in saved], self._layout.unpack([read[user].data for _, user in saved]))
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


def _within(most: int, pasts: Mapping[str, Past]) -> dict[str, Past]:
    """Those with the fewest events, as many as have `most` of them together."""
    lengths = np.array([len(past.events) for past in pasts.values()], dtype=np.int64)
    order = np.argsort(lengths, kind="stable")
    fit = np.zeros(len(pasts), dtype=bool)
    fit[order] = np.cumsum(lengths[order]) <= most
    return {user: past for (user, past), fits in zip(pasts.items(), fit, strict=True) if fits}


def _set(state: State, rows: Sequence[int], part: State) -> None:
    for name, tensor in state.items():
        tensor[rows] = part[name].to(tensor.device)


def _mark(past: Past) -> Mark:
    assert past.profile is not None
    return past.profile.mark


def _parts(whole: list[_T], size: int) -> Iterator[list[_T]]:
    return (whole[begin : begin + size] for begin in range(0, len(whole), size))
