"""The engine: events in, ranked lists out. Each user's memory is advanced by what it lacks, and scored.

A memory is a cache of the store's events. Where it is at hand and current, an answer costs one scoring; where it is
behind, the events that it lacks are read in; where it is of another model, or an event came late, it is made anew. So a
list is always that of the user's whole history, as `recollect recommend` gives it.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from recollect.artifact import Artifact
from recollect.contracts import PAD, State
from recollect.data.blocks import by_length, pieces
from recollect.data.log import DataError
from recollect.recommend import SCORE_CELLS, Recommendation, top
from recollect.serve.layout import Layout
from recollect.serve.memories import Memories
from recollect.serve.stores.contract import Arrival, Mark, Past, Receipt, Saved, Store

ROOM = 256 << 20
"""Bytes of memories at hand."""

BATCH = 256
"""Users advanced or scored together at most."""

TOKENS, SEGMENT = 16384, 1024
"""Cells of a batch in which histories are read in, and events of a user at once."""

MARGIN = 16
"""Items looked at beyond those asked for, when seen ones are to be left out; more where that is too few."""

_T = TypeVar("_T")


@runtime_checkable
class WeighsLongMemory(Protocol):
    """A model that can say how much of an answer comes from its long-term memory."""

    def long_weight(self, state: State) -> Tensor:
        """[B], from 0 (all from the short-term memory) to 1."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A question. Items in `allow` are the only candidates (None: all); those in `deny` are none."""

    user: str
    k: int = 10
    seen: Literal["hidden", "allowed"] = "hidden"
    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A ranked list, and what it rests on."""

    items: tuple[Recommendation, ...]
    source: Literal["memory", "popularity"]
    """`popularity`: the user has no events yet."""
    events: int
    """Of the user, as many as the memory holds; those of items that the model does not know count as well."""
    long_weight: float | None
    """How much comes from long-term memory; None where the model does not say, or there is no memory."""
    model: str
    """The name of the model that answers, and its digest."""
    digest: str


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
        return self._artifact

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
                rows = [users.index(one.user) for one in part]
                answers += self._answer(part, state.rows(rows), [pasts[row] for row in rows])
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
        model = artifact.model
        with torch.inference_mode():
            one = model.fresh(1)
            self._layout = Layout(one, half=self._half)
            self._memories = Memories(one, self._room, self._save)
        self._artifact, self._model = artifact, model
        self._place = getattr(model, "device", torch.device("cpu"))
        self._batch = min(BATCH, self._memories.capacity)
        self._timed = bool(artifact.card.get("data", {}).get("clock", True))

    def _current(self, users: Sequence[str]) -> tuple[State, list[Past]]:
        """The memories of different users, with all of their events; they are at hand afterwards."""
        marks = {user: mark for user in users if (mark := self._memories.mark(user)) is not None}
        read = self._read([user for user in users if user not in marks])
        marks |= {user: saved.mark for user, saved in read.items()}
        pasts = [self.store.past(user, marks.get(user)) for user in users]
        state = self._begin(users, pasts, read)
        state = self._advanced(state, pasts)
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
            if saved is not None and saved.digest == self._artifact.digest and len(saved.data) == self._layout.size
        }

    def _begin(self, users: Sequence[str], pasts: Sequence[Past], read: dict[str, Saved]) -> State:
        """Where each user's memory stands before what it lacks is read in."""
        held = [row for row, past in enumerate(pasts) if not past.anew and users[row] not in read]
        if len(held) == len(users):
            return self._memories.take(users)
        state = self._model.fresh(len(users)).map(torch.clone)
        saved = [row for row, past in enumerate(pasts) if not past.anew and users[row] in read]
        if held:
            _set(state, held, self._memories.take([users[row] for row in held]))
        if saved:
            _set(state, saved, self._layout.unpack([read[users[row]].data for row in saved]))
        return state

    def _advanced(self, state: State, pasts: Sequence[Past]) -> State:
        find = self._artifact.items.find
        known = [[(code, when) for item, when in past.events if (code := find(item)) is not None] for past in pasts]
        lengths = np.array([len(events) for events in known])
        if not lengths.any():
            return state
        items = np.array([code for events in known for code, _ in events], dtype=np.int64)
        times = np.array([when for events in known for _, when in events], dtype=np.int64) if self._timed else None
        ends = np.cumsum(lengths)
        starts = ends - lengths
        done, order = [], []
        for block in by_length(lengths, TOKENS, SEGMENT):
            part = state.rows(torch.from_numpy(block))
            for events in pieces(items, times, starts[block], ends[block], SEGMENT):
                part = self._model.advance(part, events.to(self._place))
            done.append(part)
            order.append(block)
        back = torch.from_numpy(np.argsort(np.concatenate(order)))
        return State.stack(done).rows(back)

    def _answer(self, questions: Sequence[Asked], state: State, pasts: Sequence[Past]) -> list[Answer]:
        answers = []
        weights = self._model.long_weight(state).tolist() if isinstance(self._model, WeighsLongMemory) else None
        step = max(1, SCORE_CELLS // self._model.catalog.size)
        for begin in range(0, len(questions), step):
            rows = range(begin, min(begin + step, len(questions)))
            part = [questions[row] for row in rows]
            fresh = [pasts[row].profile is None for row in rows]
            lists = self._lists(part, state.rows(slice(rows.start, rows.stop)), fresh)
            for row, items in zip(rows, lists, strict=True):
                profile = pasts[row].profile
                answers.append(
                    Answer(
                        items,
                        "popularity" if profile is None else "memory",
                        0 if profile is None else profile.count,
                        None if weights is None or profile is None else weights[row],
                        self._artifact.name,
                        self._artifact.digest,
                    )
                )
        return answers

    def _lists(
        self, questions: Sequence[Asked], state: State, fresh: Sequence[bool]
    ) -> Iterator[tuple[Recommendation, ...]]:
        at = None
        if self._model.request_time and self._timed:
            at = torch.full((len(questions),), int(self._clock()), dtype=torch.int64, device=self._place)
        scores = self._model.score(state, at).float()
        if any(fresh):
            scores = torch.where(torch.tensor(fresh, device=scores.device)[:, None], self._popularity(scores), scores)
        normaliser = torch.logsumexp(scores, dim=1)
        if normaliser.isnan().any() or (normaliser == torch.inf).any():
            raise DataError(f"{self._artifact.folder}: the model scored NaN or infinity; train it again")
        if any(one.allow is not None or one.deny for one in questions):
            scores = scores.clone()
            for row, one in enumerate(questions):
                self._restrict(scores[row], one)
        size = self._model.catalog.size - 1
        width = min(size, max(one.k + MARGIN * (one.seen == "hidden") for one in questions))
        best, codes = top(scores, width)
        likely = self._model.probabilistic
        for row, one in enumerate(questions):
            ranked, found = best[row], codes[row]
            chosen = self._chosen(one, ranked, found)
            while len(chosen) < one.k and len(ranked) < size and ranked[-1] > -torch.inf:
                wider = top(scores[row : row + 1], min(size, 4 * len(ranked)))
                ranked, found = wider[0][0], wider[1][0]
                chosen = self._chosen(one, ranked, found)
            yield tuple(
                Recommendation(
                    place,
                    self._artifact.items.ids[code - 1],
                    str(self._artifact.titles[code]),
                    logit,
                    float(np.exp(logit - float(normaliser[row]))) if likely or fresh[row] else None,
                )
                for place, (logit, code) in enumerate(chosen, 1)
            )

    def _chosen(self, question: Asked, best: Tensor, codes: Tensor) -> list[tuple[float, int]]:
        """The first k of a ranking that may be shown: logit, code."""
        ranked = [(logit, code) for logit, code in zip(best.tolist(), codes.tolist(), strict=True) if logit > -np.inf]
        if question.seen == "hidden":
            ids = [str(self._artifact.items.ids[code - 1]) for _, code in ranked]
            seen = self.store.has_seen(question.user, ids)
            ranked = [one for one, hide in zip(ranked, seen, strict=True) if not hide]
        return ranked[: question.k]

    def _restrict(self, scores: Tensor, question: Asked) -> None:
        """scores [V], changed in place: only allowed items keep theirs."""
        find = self._artifact.items.find
        if question.allow is not None:
            codes = [code for item in question.allow if (code := find(item)) is not None]
            kept = scores[codes].clone()
            scores.fill_(-torch.inf)
            scores[codes] = kept
        denied = [code for item in question.deny if (code := find(item)) is not None]
        scores[denied] = -torch.inf

    def _popularity(self, scores: Tensor) -> Tensor:
        """[V]: the logarithm of how often each item was seen in training; an item that never was gets half an event."""
        counts = self._model.catalog.counts
        if counts is None:
            counts = np.ones(self._model.catalog.size)
        logits = torch.log(torch.as_tensor(counts, dtype=torch.float32, device=scores.device).clamp(min=0.5))
        logits[PAD] = -torch.inf
        return logits

    def _marked(self, user: str) -> Mark:
        mark = self._memories.mark(user)
        assert mark is not None
        return mark

    def _save(self, users: Sequence[str], state: State, marks: Sequence[Mark]) -> None:
        now, digest = self._clock(), self._artifact.digest
        rows = zip(users, marks, self._layout.pack(state), strict=True)
        self.store.save((user, Saved(digest, mark, now, data)) for user, mark, data in rows)


def _set(state: State, rows: Sequence[int], part: State) -> None:
    for name, tensor in state.items():
        tensor[rows] = part[name].to(tensor.device)


def _mark(past: Past) -> Mark:
    assert past.profile is not None
    return past.profile.mark


def _parts(whole: list[_T], size: int) -> Iterator[list[_T]]:
    return (whole[begin : begin + size] for begin in range(0, len(whole), size))
