"""Why an item was recommended: how each of the last events moved its logit, found by leaving that event out.

Works through the three verbs, so for any model: one memory of the events before, and one batch of N + 1 endings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from recollect.answers.known import Known, code_of
from recollect.contracts import Events
from recollect.data.blocks import pieces
from recollect.data.candidates import Within
from recollect.data.id_forms import encode
from recollect.data.requests import Requests
from recollect.data.seen import Seen
from recollect.display import Display, Displayed
from recollect.nn.evaluating import evaluating
from recollect.recommend import SEGMENT, recommend


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """One event of the history and what it did: `position` counts the whole history from 1, oldest first."""

    position: int
    item: Any
    title: str
    logit: float
    """The logit with the event minus the logit without it: above zero, the event speaks for the item."""


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """One item and the effects on it, oldest event first. `logit` is what the whole history gives it."""

    item: Any
    title: str
    logit: float
    effects: tuple[Effect, ...]

    def strongest(self, count: int = 3) -> tuple[Effect, ...]:
        """The effects that moved the logit most, either way; those that moved nothing are none."""
        moved = [one for one in self.effects if one.logit != 0]
        return tuple(sorted(moved, key=lambda one: (-abs(one.logit), -one.position))[:count])


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Explanations(Displayed):
    """One explanation for each item, in the order of the list, and the events that the model does not know."""

    items: tuple[Explanation, ...]
    unknown: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self.items)

    def __getitem__(self, place: int) -> Explanation:
        return self.items[place]

    def lines(self) -> list[list[str]]:
        """For people: rank, title, logit and event, for each item the events that moved it most, a line each."""
        rows = []
        for rank, one in enumerate(self.items, 1):
            strongest = one.strongest()
            for line, effect in enumerate(strongest):
                head = [str(rank), one.title] if line == 0 else ["", ""]
                rows.append([*head, f"{effect.logit:+.3f}", f"{effect.title} (event {effect.position})"])
            if not strongest:
                rows.append([str(rank), one.title, "", "none of these events moves it"])
        return rows

    def _display(self) -> Display:
        return Display(f"Explanations of {len(self)} items", (), [">", "item", ">logit", "moved by"], self.lines())


def explain(
    trained: Known,
    history: Sequence[Any],
    *,
    times: Sequence[int] | None = None,
    items: Iterable[Any] | None = None,
    k: int = 10,
    last: int = 10,
    seen: Seen | None = None,
    allow: Iterable[Any] | None = None,
    deny: Iterable[Any] | None = None,
    within: Within | None = None,
    at: int | None = None,
) -> Explanations:
    """How each of the `last` events of a history moved the logits of some items.

    `history`: item ids, oldest first; `times`: seconds, one for each; `at`: the time of asking, in seconds, for models
    that use it; without `times` the items count as if they had come just then.
    `items`: ids or titles to explain; None: the list that `recommend` gives for k, seen, allow, deny and within. The
    effect of an event is the logit of the item after the whole history minus the logit after the history without that
    event, in the model's own unit: of a model whose scores are a likelihood, nats, and exp(effect) is the factor on the
    item's odds as far as the other items stay.
    Events interact, so effects do not add up to the logit. Where leaving an event out leaves no history that says
    anything, the model answers by popularity, and the effect is the difference to that.

    Raises DataError where an item is not known, ValueError where `last` is below 1.
    """
    if last < 1:
        raise ValueError(f"last must be at least 1, got {last}")
    if times is not None and len(times) != len(history):
        raise ValueError(f"the history has {len(history)} items but {len(times)} times")
    at = at if trained.model.request_time and trained.clock else None
    if at is not None and times is None:
        times = [at] * len(history)
    if items is None:
        (answer,) = recommend(
            trained.model,
            trained.items,
            [history],
            times=[times] if times is not None and trained.clock else None,
            k=k,
            seen=trained.seen if seen is None else seen,
            allow=allow,
            deny=deny,
            within=within,
            item_table=trained.item_table,
            at=None if at is None else [at],
        )
        items = [one.item for one in answer]
    wanted = np.array([code_of(trained, one) for one in items], dtype=np.int64)
    codes = encode(trained.items, history, unknown=0)
    places = np.flatnonzero(codes)
    clock = np.asarray(times, dtype=np.int64)[places] if times is not None and trained.clock else None
    logits = _logits(trained, codes[places], clock, last, wanted, at)  # [1 + N, K]
    names, shown = trained.items, places[max(0, len(places) - last) :]
    events = [(int(place) + 1, names.decode(codes[place]), str(trained.titles[codes[place]])) for place in shown]
    effects = logits[0] - logits[1:]
    return Explanations(
        tuple(
            Explanation(
                names.decode(code),
                str(trained.titles[code]),
                float(logits[0, column]),
                tuple(Effect(*event, float(effects[row, column])) for row, event in enumerate(events)),
            )
            for column, code in enumerate(wanted)
        ),
        tuple(one for one, code in zip(history, codes, strict=True) if code == 0),
    )


def _logits(
    trained: Known, codes: np.ndarray, times: np.ndarray | None, last: int, wanted: np.ndarray, at: int | None
) -> np.ndarray:
    """[1 + N, K] float64: of the items wanted, after all events, and without each of the last N <= `last`."""
    model = trained.model
    place = getattr(model, "device", torch.device("cpu"))
    cut = max(0, len(codes) - last)
    tail = np.arange(cut, len(codes))
    kept = [tail, *(np.delete(tail, out) for out in range(len(tail)))]
    endings = [codes[ending].tolist() for ending in kept]
    moments = None if times is None else [times[ending].tolist() for ending in kept]
    with torch.inference_mode(), evaluating(model):
        before = model.fresh(1)
        for events in pieces(codes, times, np.array([0]), np.array([cut]), SEGMENT):
            before = model.advance(before, events.to(place))
        state = before.rows([0] * len(kept))
        if len(codes):
            state = model.advance(state, Events.of(endings, moments).to(place))
        # Whoever has not met an event has not met its item there either: each ending is a history of its own.
        whole = [np.concatenate([codes[:cut], codes[ending]]) for ending in kept]
        when = None if times is None else np.concatenate([np.concatenate([times[:cut], times[one]]) for one in kept])
        offsets = np.cumsum([0, *map(len, whole)])
        requests = Requests(model, np.concatenate(whole), when, offsets, place)
        moment = None if at is None else np.full(len(kept), at)
        scores = model.score(state, requests.of_rows(np.arange(len(kept)), moment)).double()
    return scores[:, torch.from_numpy(wanted).to(scores.device)].cpu().numpy()
