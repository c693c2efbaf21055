"""The engine: events in, ranked lists out. Each user's memory is advanced by what it lacks, and scored.

A memory is a cache of the store's events. Where it is at hand and current, an answer costs one scoring; where it is
behind, the events that it lacks are read in; where it is of another model, or an event came late, it is made anew. So a
list is always that of the user's whole history, as `recollect recommend` gives it.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar

import torch

from recollect.artifact import Artifact
from recollect.contracts import State
from recollect.serve.layout import Layout
from recollect.serve.memories import Memories, Unsaved
from recollect.serve.ranker import Answer, Asked, AskedAfter, Ground, Ranker
from recollect.serve.stores.contract import Arrival, Mark, Past, Profile, Receipt, Saved, Store, StoreError
from recollect.version import __version__

ROOM = 256 << 20
"""Bytes of memories at hand."""

BATCH = 256
"""Users advanced or scored together at most."""

TOUCH_SECONDS = 86_400.0
"""A memory that was saved longer ago is saved again when it is loaded, so that it does not count as unused."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Unread(enum.Enum):
    """Why a user has no answer yet."""

    NEXT = "others were first; ask again"
    LONG = "their memory lacks more events than are read in at once"


@dataclasses.dataclass(frozen=True, slots=True)
class _Using:
    """A model at work, and what only it can read."""

    ranker: Ranker
    layout: Layout
    memories: Memories
    maker: str


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
        return self._using.ranker.artifact

    @property
    def _together(self) -> int:
        """Users who are advanced or answered together, at most."""
        return min(BATCH, self._using.memories.capacity)

    @property
    def at_hand(self) -> int:
        """Users whose memories are in this process."""
        return len(self._using.memories)

    @property
    def unsaved(self) -> int:
        """Users whose memories have changed since they were saved."""
        return self._using.memories.unsaved

    @property
    def bytes_per_user(self) -> int:
        """What a saved memory takes."""
        return self._using.layout.size

    @property
    def maker(self) -> str:
        """What saved memories are marked with, so that none is read by another: model, layout and program."""
        return self._using.maker

    def add(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Take events in; they are durable when this returns. Memories follow when asked for, or by `advance`."""
        return self.store.append(arrivals, int(self._clock()))

    def advance(self, users: Sequence[str]) -> None:
        """Bring the memories of users up to date, so that an answer need not wait for it."""
        with torch.inference_mode():
            for part in _parts(list(dict.fromkeys(users)), self._together):
                self._current(part)

    def recommend(self, questions: Sequence[Asked]) -> list[Answer]:
        """One list for each question. Raises DataError where the model scores NaN."""
        answers = self.recommend_at_once(questions, sys.maxsize)
        return [answer for answer in answers if isinstance(answer, Answer)]  # all of them

    def recommend_at_once(self, questions: Sequence[Asked], limit: int) -> list[Answer | Unread]:
        """As `recommend`, but no more than `limit` events are read in. Who lacks more, or comes after others who lack
        as many, gets no answer but is told why.
        """
        with torch.inference_mode():
            answers: list[Answer | Unread] = []
            for part in _parts(list(questions), self._together):
                ranker, state, pasts, unread = self._current(list(dict.fromkeys(one.user for one in part)), limit)
                rows = {user: row for row, user in enumerate(pasts)}
                ready = [one for one in part if one.user in pasts]
                grounds = [self._ground_of_user(one.user, pasts[one.user].profile) for one in ready]
                chosen = state.rows([rows[one.user] for one in ready])
                told = iter(ranker.answer(ready, chosen, grounds, int(self._clock())))
                answers += [next(told) if one.user in pasts else unread[one.user] for one in part]
            return answers

    def recommend_after(self, questions: Sequence[AskedAfter]) -> list[Answer]:
        """One list for each question; nothing of it is kept. Questions about users need not wait for these."""
        ranker = self._using.ranker
        with torch.inference_mode():
            answers: list[Answer] = []
            for part in _parts(list(questions), BATCH):
                events = [[(item, 0) for item in one.history] for one in part]
                state = ranker.read(ranker.fresh(len(part)), events, timed=False)
                answers += ranker.answer(part, state, [_ground_of_history(one.history, ranker) for one in part])
            return answers

    def forget(self, user: str) -> bool:
        """Make all events of a user void, and drop the memory -> whether there were any."""
        known = self.store.forget(user)
        with self._mutex:  # after it, so that whoever looked before it finds the count changed
            self._forgets += 1
            self._using.memories.drop(user)
        return known

    def save(self, limit: int = 1 << 30) -> int:
        """Save memories that have changed -> how many. None need be saved: they can be made again."""
        done = 0
        with torch.inference_mode():
            while done < limit:
                with self._mutex:
                    using = self._using
                    users = using.memories.changed(min(self._together, limit - done))
                    state, marks = using.memories.take(users), [_held(using, user) for user in users]
                if not users:
                    break
                self._save(using, users, state, marks)
                with self._mutex:
                    using.memories.cleaned(users, marks)
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
        """Bring every user's memory up to date and save it, `batch` users at a time -> how many are done."""
        done, after = 0, ""
        while users := self.store.users(after, batch):
            self.advance(users)
            self.save()
            done, after = done + len(users), users[-1]
            yield done

    def _take_up(self, artifact: Artifact) -> None:
        with torch.inference_mode():
            ranker = Ranker(artifact)
            one = ranker.fresh(1)
        layout = Layout(one, half=self._half)
        name = f"{artifact.digest} {layout.description} {__version__}"
        maker = hashlib.blake2b(name.encode(), digest_size=6).hexdigest()
        self._using = _Using(ranker, layout, Memories(one, self._room), maker)

    def _current(
        self, users: Sequence[str], limit: int = sys.maxsize
    ) -> tuple[Ranker, State, dict[str, Past], dict[str, Unread]]:
        """The memories of different users with all of their events, a row for each; they are at hand afterwards.

        At most `limit` events are read in; the last are users who are left out for that, and why.
        """
        with self._mutex:
            using, forgets = self._using, self._forgets
            marks = {user: mark for user in users if (mark := using.memories.mark(user)) is not None}
            held = list(marks)
            state = using.memories.take(held)
        saved = self._read(using, [user for user in users if user not in marks])
        marks |= {user: one.mark for user, one in saved.items()}
        unread = self._unread(users, marks, limit) if limit < sys.maxsize else {}
        pasts = {user: self.store.past(user, marks.get(user)) for user in users if user not in unread}
        state = _begin(using, pasts, held, state, saved)
        state = using.ranker.read(state, [past.events for past in pasts.values()])
        with self._mutex:
            left = self._keep(state, pasts, saved, check=self._forgets != forgets) if self._using is using else []
        for unsaved in left:
            self._spill(using, *unsaved)
        return using.ranker, state, pasts, unread

    def _keep(
        self, state: State, pasts: Mapping[str, Past], saved: Mapping[str, Saved], *, check: bool
    ) -> list[Unsaved]:
        """Have these memories at hand -> those that had to make room for them.

        `check`: users may have been forgotten since their past was looked up.
        """
        old = self._clock() - TOUCH_SECONDS
        grown: dict[str, int] = {}
        found: dict[str, int] = {}
        for row, (user, past) in enumerate(pasts.items()):
            if past.profile is None:  # forgotten by another worker, it may be
                self._using.memories.drop(user)
                continue
            now = self.store.profile(user) if check else past.profile
            if now is None or not now.extends(past.profile.mark):
                continue
            if past.events or past.anew or (user in saved and saved[user].used < old):
                grown[user] = row
            elif user in saved:
                found[user] = row
        left = []
        for rows, changed in ((grown, True), (found, False)):
            marks = [_mark(pasts[user]) for user in rows]
            left.append(self._using.memories.put(list(rows), state.rows(list(rows.values())), marks, changed=changed))
        return [unsaved for unsaved in left if unsaved is not None]

    def _read(self, using: _Using, users: Sequence[str]) -> dict[str, Saved]:
        """The saved memories of users that can be read."""
        found = zip(users, self.store.saved(users), strict=True)
        return {user: saved for user, saved in found if saved is not None and saved.maker == using.maker}

    def _unread(self, users: Sequence[str], marks: Mapping[str, Mark], limit: int) -> dict[str, Unread]:
        """Users who are left out, so that no more than `limit` events need be read in for all others together."""
        unread: dict[str, Unread] = {}
        left = limit
        for user in users:
            profile, mark = self.store.profile(user), marks.get(user)
            lacking = 0
            if profile is not None:
                lacking = profile.count - (mark.count if mark is not None and profile.extends(mark) else 0)
            if lacking > limit:
                unread[user] = Unread.LONG
            elif lacking > left:
                unread[user] = Unread.NEXT
            else:
                left -= lacking
        return unread

    def _ground_of_user(self, user: str, profile: Profile | None) -> Ground:
        has_seen = functools.partial(self.store.has_seen, user)
        return Ground("popularity", 0, has_seen) if profile is None else Ground("memory", profile.count, has_seen)

    def _save(self, using: _Using, users: Sequence[str], state: State, marks: Sequence[Mark]) -> None:
        now = self._clock()
        rows = zip(users, marks, using.layout.pack(state), strict=True)
        self.store.save((user, Saved(using.maker, mark, now, data)) for user, mark, data in rows)

    def _spill(self, using: _Using, users: Sequence[str], state: State, marks: Sequence[Mark]) -> None:
        try:
            self._save(using, users, state, marks)
        except StoreError as error:
            _log.warning("%s; memories that have to make room are not saved, and will be made again", error)


def _ground_of_history(history: Sequence[str], ranker: Ranker) -> Ground:
    seen = set(history)
    unknown = tuple(one for one in history if not ranker.knows(one))
    source: Literal["history", "popularity"] = "history" if history else "popularity"
    return Ground(source, len(history), lambda items: [one in seen for one in items], unknown)


def _begin(
    using: _Using, pasts: Mapping[str, Past], held: Sequence[str], state: State, saved: Mapping[str, Saved]
) -> State:
    """Where each user's memory stands before what it lacks is read in. `state`: of the users `held` at hand."""
    kept = [user for user, past in pasts.items() if not past.anew]
    if kept == held == list(pasts):
        return state
    begun = using.ranker.fresh(len(pasts))
    place = {user: row for row, user in enumerate(pasts)}
    row = {user: row for row, user in enumerate(held)}
    at_hand, read = [user for user in kept if user in row], [user for user in kept if user in saved]
    if at_hand:
        _set(begun, [place[user] for user in at_hand], state.rows([row[user] for user in at_hand]))
    if read:
        _set(begun, [place[user] for user in read], using.layout.unpack([saved[user].data for user in read]))
    return begun


def _set(state: State, rows: Sequence[int], part: State) -> None:
    for name, tensor in state.items():
        tensor[rows] = part[name].to(tensor.device)


def _held(using: _Using, user: str) -> Mark:
    mark = using.memories.mark(user)
    assert mark is not None
    return mark


def _mark(past: Past) -> Mark:
    assert past.profile is not None
    return past.profile.mark


def _parts(whole: list[_T], size: int) -> Iterator[list[_T]]:
    return (whole[begin : begin + size] for begin in range(0, len(whole), size))
