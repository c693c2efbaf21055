"""Questions and answers: a model with the names of its items reads events by id, and ranks them into lists.

It keeps nothing. Whose memory it is given, and what they have seen, is the caller's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from recollect.artifact import Artifact
from recollect.contracts import PAD, State
from recollect.data.blocks import by_length, pieces
from recollect.data.log import DataError
from recollect.data.seen import Seen
from recollect.recommend import SCORE_CELLS, Recommendation, top

TOKENS, SEGMENT = 16384, 1024
"""Cells of a batch in which histories are read in, and events of a user at once."""

MARGIN = 16
"""Items looked at beyond those asked for, when seen ones are to be left out; more where that is too few."""


@runtime_checkable
class WeighsLongMemory(Protocol):
    """A model that can say how much of an answer comes from its long-term memory."""

    def long_weight(self, state: State) -> Tensor:
        """[B], from 0 (all from the short-term memory) to 1."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a list should be. Items in `allow` are the only candidates (None: all); those in `deny` are none."""

    k: int = 10
    seen: Seen = "hidden"
    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Asked(Wish):
    """What is next for a user?"""

    user: str


@dataclasses.dataclass(frozen=True, slots=True)
class AskedAfter(Wish):
    """What is next after these items, oldest first, whoever had them?"""

    history: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Ground:
    """What an answer rests on."""

    source: Literal["memory", "history", "popularity"]
    """`popularity`: there are no events yet."""
    events: int
    """As many as there are; those of items that the model does not know count as well."""
    has_seen: Callable[[Sequence[str]], Sequence[bool]]
    """Which of these items are among the events."""
    unknown: tuple[str, ...] = ()
    """Items of a history that the model does not know, and skipped."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A ranked list, and what it rests on."""

    items: tuple[Recommendation, ...]
    source: Literal["memory", "history", "popularity"]
    events: int
    """As in `Ground`."""
    long_weight: float | None
    """How much comes from long-term memory; None where the model does not say, or there is no memory."""
    model: str
    """The name of the model that answers, and its digest."""
    digest: str
    unknown: tuple[str, ...] = ()
    """As in `Ground`."""


class Ranker:
    """A trained model that speaks in ids. Threads may share it."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self._model = artifact.model
        self._place = getattr(artifact.model, "device", torch.device("cpu"))
        self._timed = bool(artifact.card.get("data", {}).get("clock", True))

    def knows(self, item: str) -> bool:
        """Whether the model can score this item."""
        return self.artifact.items.find(item) is not None

    def fresh(self, users: int) -> State:
        """Memories of nothing, that can be written to."""
        return self._model.fresh(users).map(torch.clone)

    def read(self, state: State, histories: Sequence[Sequence[tuple[str, int]]], *, timed: bool = True) -> State:
        """Advance each row by its events (item, time). Items that the model does not know are skipped.

        `timed` False: the times are none.
        """
        find = self.artifact.items.find
        known = [[(code, when) for item, when in events if (code := find(item)) is not None] for events in histories]
        lengths = np.array([len(events) for events in known])
        if not lengths.any():
            return state
        items = np.array([code for events in known for code, _ in events], dtype=np.int64)
        times = None
        if timed and self._timed:
            times = np.array([when for events in known for _, when in events], dtype=np.int64)
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

    def answer(
        self, wishes: Sequence[Wish], state: State, grounds: Sequence[Ground], at: int | None = None
    ) -> list[Answer]:
        """One list for each row of the state. `at`: the time of asking, in seconds.

        Raises DataError where the model scores NaN.
        """
        answers = []
        weights = self._model.long_weight(state).tolist() if isinstance(self._model, WeighsLongMemory) else None
        step = max(1, SCORE_CELLS // self._model.catalog.size)
        for begin in range(0, len(wishes), step):
            some = slice(begin, begin + step)
            lists = self._lists(wishes[some], state.rows(some), grounds[some], at)
            for row, items in enumerate(lists, begin):
                ground = grounds[row]
                weight = None if weights is None or ground.source == "popularity" else weights[row]
                name, digest = self.artifact.name, self.artifact.digest
                answers.append(Answer(items, ground.source, ground.events, weight, name, digest, ground.unknown))
        return answers

    def _lists(
        self, wishes: Sequence[Wish], state: State, grounds: Sequence[Ground], at: int | None
    ) -> Iterator[tuple[Recommendation, ...]]:
        moment = None
        if self._model.request_time and self._timed and at is not None:
            moment = torch.full((len(wishes),), at, dtype=torch.int64, device=self._place)
        scores = self._model.score(state, moment).float()
        fresh = [ground.source == "popularity" for ground in grounds]
        if any(fresh):
            scores = torch.where(torch.tensor(fresh, device=scores.device)[:, None], self._popularity(scores), scores)
        normaliser = torch.logsumexp(scores, dim=1)
        if normaliser.isnan().any() or (normaliser == torch.inf).any():
            raise DataError(f"{self.artifact.folder}: the model scored NaN or infinity; train it again")
        if any(one.allow is not None or one.deny for one in wishes):
            scores = scores.clone()
            for row, one in enumerate(wishes):
                self._restrict(scores[row], one)
        size = self._model.catalog.size - 1
        width = min(size, max(one.k + MARGIN * (one.seen == "hidden") for one in wishes))
        best, codes = (part.cpu() for part in top(scores, width))  # at once: each look at an accelerator waits for it
        normalisers = normaliser.tolist()
        for row, (one, ground) in enumerate(zip(wishes, grounds, strict=True)):
            ranked, found = best[row], codes[row]
            chosen = self._chosen(one, ground, ranked, found)
            while len(chosen) < one.k and len(ranked) < size and ranked[-1] > -torch.inf:
                wider = top(scores[row : row + 1], min(size, 4 * len(ranked)))
                ranked, found = wider[0][0].cpu(), wider[1][0].cpu()
                chosen = self._chosen(one, ground, ranked, found)
            likely = self._model.probabilistic or fresh[row]
            yield tuple(
                Recommendation(
                    place,
                    self.artifact.items.ids[code - 1],
                    str(self.artifact.titles[code]),
                    logit,
                    float(np.exp(logit - normalisers[row])) if likely else None,
                )
                for place, (logit, code) in enumerate(chosen, 1)
            )

    def _chosen(self, wish: Wish, ground: Ground, best: Tensor, codes: Tensor) -> list[tuple[float, int]]:
        """The first k of a ranking that may be shown: logit, code."""
        ranked = [(logit, code) for logit, code in zip(best.tolist(), codes.tolist(), strict=True) if logit > -np.inf]
        if wish.seen == "hidden":
            seen = ground.has_seen([str(self.artifact.items.ids[code - 1]) for _, code in ranked])
            ranked = [one for one, hide in zip(ranked, seen, strict=True) if not hide]
        return ranked[: wish.k]

    def _restrict(self, scores: Tensor, wish: Wish) -> None:
        """scores [V], changed in place: only allowed items keep theirs."""
        find = self.artifact.items.find
        if wish.allow is not None:
            codes = [code for item in wish.allow if (code := find(item)) is not None]
            kept = scores[codes].clone()
            scores.fill_(-torch.inf)
            scores[codes] = kept
        denied = [code for item in wish.deny if (code := find(item)) is not None]
        scores[denied] = -torch.inf

    def _popularity(self, scores: Tensor) -> Tensor:
        """[V]: the logarithm of how often each item was seen in training; an item that never was gets half an event."""
        counts = self._model.catalog.counts
        if counts is None:
            counts = np.ones(self._model.catalog.size)
        logits = torch.log(torch.as_tensor(counts, dtype=torch.float32, device=scores.device).clamp(min=0.5))
        logits[PAD] = -torch.inf
        return logits
