"""A trained model behind item ids: it reads events into states, and ranks the items of a state into a list.

It keeps no state. Whose state it is given, and which items count as seen, is up to the caller.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from recollect.artifact import Artifact
from recollect.contracts import Request, State
from recollect.data.blocks import by_length, pieces
from recollect.data.candidates import allowed_mask, unknown_ids
from recollect.data.log import DataError
from recollect.data.seen import Seen
from recollect.recommend import SCORE_CELLS, SEGMENT, TOKENS, Recommendation, top
from recollect.serve.id_forms import IdForms
from recollect.serve.meetings import Meetings
from recollect.serve.requests import ListRequest, RequestError, Response
from recollect.serve.sources import Source
from recollect.serve.title_search import TitleSearch

MET = "met"
"""The corner of a state that says what was met lately, for a model that looks at it. The rest is the model's own."""

MARGIN = 16
"""How many items beyond `k` are looked up where seen ones are hidden. More are looked up where that is too few."""


@runtime_checkable
class WeighsLongMemory(Protocol):
    """A model that can tell the share of long-term memory in its scores."""

    def long_weight(self, state: State) -> Tensor:
        """[B], from 0 (short-term memory only) to 1."""
        ...


class Ranker:
    """A trained model that reads and returns item ids. Threads may share it."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.ids = IdForms.of(artifact)
        """The forms of the ids of its log."""
        self._model = artifact.model
        self._device = getattr(artifact.model, "device", torch.device("cpu"))
        self._timed = bool(artifact.card.get("data", {}).get("clock", True))
        self.request_time = artifact.model.request_time and self._timed
        """Whether the model uses the time of asking."""
        last = artifact.model.met_events
        self._meetings = Meetings(last, timed=self._timed) if last else None
        self.seen: Seen = artifact.settings.get("evaluate", {}).get("seen", "hidden")
        """Whether seen items may be listed where a request does not say: as in the run of the model."""

    @functools.cached_property
    def titles(self) -> TitleSearch:
        """The items by title and id; made when it is first used."""
        return TitleSearch(self.artifact.items, self.artifact.titles, self._model.catalog.counts)

    def knows(self, item: str) -> bool:
        """Whether the model can score this item."""
        return self.artifact.items.find(item) is not None

    @property
    def counts(self) -> bool:
        """Whether `read` needs counts, since the model looks at what was met."""
        return self._meetings is not None

    def fresh(self, users: int) -> State:
        """States without events, which may be written to."""
        own = self._model.fresh(users).map(torch.clone)
        return own if self._meetings is None else State.join({**own, MET: self._meetings.fresh(users)})

    def read(
        self,
        state: State,
        histories: Sequence[Sequence[tuple[str, int]]],
        counts: Sequence[Mapping[str, int]],
        *,
        timed: bool = True,
    ) -> State:
        """Advance each row by its events (item, time). Items that the model does not know are skipped.

        `counts`: for each row how often each of these items was met by then, where `Ranker.counts` says that they are
        needed. `timed` False: the times mean nothing, and the model is given none.
        """
        find = self.artifact.items.find
        known = [[(code, when) for item, when in events if (code := find(item)) is not None] for events in histories]
        lengths = np.array([len(events) for events in known])
        if not lengths.any():
            return state
        items = np.array([code for events in known for code, _ in events], dtype=np.int64)
        times = np.array([when for events in known for _, when in events], dtype=np.int64)
        own = self._advance(_own(state), lengths, items, times if timed and self._timed else None)
        if self._meetings is None:
            return own
        of_rows = zip(histories, counts, strict=True)
        often = [count[item] for events, count in of_rows for item, _ in events if find(item) is not None]
        met = self._meetings.advance(state.part(MET), lengths, items, times, np.array(often, dtype=np.int64))
        return State.join({**own, MET: met})

    def _advance(self, state: State, lengths: np.ndarray, items: np.ndarray, times: np.ndarray | None) -> State:
        """The model's own state after `lengths[b]` events of each row, which stand one row after the other."""
        ends = np.cumsum(lengths)
        starts = ends - lengths
        done, order = [], []
        for block in by_length(lengths, TOKENS, SEGMENT):
            part = state.rows(torch.from_numpy(block))
            for events in pieces(items, times, starts[block], ends[block], SEGMENT):
                part = self._model.advance(part, events.to(self._device))
            done.append(part)
            order.append(block)
        original_order = torch.from_numpy(np.argsort(np.concatenate(order)))
        return State.stack(done).rows(original_order)

    def respond(
        self, requests: Sequence[ListRequest], state: State, sources: Sequence[Source], moments: Sequence[int]
    ) -> list[Response]:
        """One list for each row of the state. `moments`: the time of asking of each, in seconds.

        Raises DataError where the model scores NaN, RequestError where a request is within what is not there.
        """
        # A missing `seen` is replaced here, where the model is known: the next one may have been trained otherwise.
        requests = [one if one.seen else dataclasses.replace(one, seen=self.seen) for one in requests]
        responses = []
        own = _own(state)
        weights = self._model.long_weight(own).tolist() if isinstance(self._model, WeighsLongMemory) else None
        step = max(1, SCORE_CELLS // self._model.catalog.size)
        for begin in range(0, len(requests), step):
            some = slice(begin, begin + step)
            lists = self._lists(requests[some], state.rows(some), sources[some], moments[some])
            for row, (items, candidates) in enumerate(lists, begin):
                source = sources[row]
                weight = None if weights is None or source.name == "newcomer" else weights[row]
                responses.append(
                    Response(
                        items=items,
                        source=source.name,
                        events=source.events,
                        long_term_weight=weight,
                        model=self.artifact.name,
                        digest=self.artifact.digest,
                        seen=requests[row].seen or self.seen,
                        candidates=candidates,
                        at=moments[row] if self.request_time else None,
                        unknown=source.unknown,
                        unknown_items=self._unknown_items(requests[row]),
                    )
                )
        return responses

    def _lists(
        self, requests: Sequence[ListRequest], state: State, sources: Sequence[Source], moments: Sequence[int]
    ) -> Iterator[tuple[tuple[Recommendation, ...], int]]:
        """For each request its list, and how many items were candidates."""
        scores = self._model.score(_own(state), self._asked(state, moments)).float()
        normaliser = torch.logsumexp(scores, dim=1)
        if normaliser.isnan().any() or (normaliser == torch.inf).any():
            raise DataError(f"{self.artifact.folder}: the model scored NaN or infinity; train it again")
        size = self._model.catalog.size - 1
        candidates = [size] * len(requests)
        if any(one.allow is not None or one.deny or one.within for one in requests):
            scores = scores.clone()
            for row, one in enumerate(requests):
                candidates[row] = self._restrict(scores[row], one)
        width = min(size, max(one.k + MARGIN * (one.seen == "hidden") for one in requests))
        best, codes = (part.cpu() for part in top(scores, width))  # at once: each look at a GPU waits for it
        normalisers = normaliser.tolist()
        for row, (one, source) in enumerate(zip(requests, sources, strict=True)):
            ranked, found = best[row], codes[row]
            chosen = self._chosen(one, source, ranked, found)
            while len(chosen) < one.k and len(ranked) < size and ranked[-1] > -torch.inf:
                wider = top(scores[row : row + 1], min(size, 4 * len(ranked)))
                ranked, found = wider[0][0].cpu(), wider[1][0].cpu()
                chosen = self._chosen(one, source, ranked, found)
            likely = self._model.probabilistic
            items = tuple(
                Recommendation(
                    rank,
                    self.artifact.items.ids[code - 1],
                    str(self.artifact.titles[code]),
                    logit,
                    float(np.exp(logit - normalisers[row])) if likely else None,
                )
                for rank, (logit, code) in enumerate(chosen, 1)
            )
            yield items, candidates[row]

    def _asked(self, state: State, moments: Sequence[int]) -> Request | None:
        """What the model looks at when it is asked."""
        at = torch.tensor(moments, dtype=torch.int64) if self.request_time else None
        met = None if self._meetings is None else self._meetings.met(state.part(MET))
        return None if at is None and met is None else Request(at, met).to(self._device)

    def _chosen(self, request: ListRequest, source: Source, best: Tensor, codes: Tensor) -> list[tuple[float, int]]:
        """The first k of a ranking that may be listed: logit, code."""
        ranked = [(logit, code) for logit, code in zip(best.tolist(), codes.tolist(), strict=True) if logit > -np.inf]
        if request.seen == "hidden":
            meetings = source.meetings([str(self.artifact.items.ids[code - 1]) for _, code in ranked])
            ranked = [one for one, count in zip(ranked, meetings, strict=True) if not count]
        return ranked[: request.k]

    def _restrict(self, scores: Tensor, request: ListRequest) -> int:
        """scores [V], changed in place: -inf for all items that the request excludes -> how many are left.

        The one place where a request decides on candidates.
        """
        try:
            allowed = allowed_mask(
                self.artifact.items,
                self.artifact.item_table if request.within else None,
                allow=request.allow,
                deny=request.deny or None,
                within=request.within,
            )
        except DataError as error:
            raise RequestError(str(error)) from None
        if allowed is None:
            return len(scores) - 1  # all but the padding
        scores.masked_fill_(torch.from_numpy(~allowed).to(scores.device), -torch.inf)
        return int(allowed.sum())

    def _unknown_items(self, request: ListRequest) -> tuple[str, ...]:
        return tuple(sorted(set(unknown_ids(self.artifact.items, (*(request.allow or ()), *request.deny)))))


def _own(state: State) -> State:
    """What the model has made itself."""
    return State({name: tensor for name, tensor in state.items() if not name.startswith(f"{MET}.")})
