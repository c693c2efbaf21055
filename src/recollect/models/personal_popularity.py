"""Personal popularity: what this user chose before, the more often and the later the likelier; the floor for repeats.

Source: GP-TopFreq of Li et al. 2023, "A next basket recommendation reality check" (the user's own frequencies, then
everybody's), made a probability as by MacKay & Peto 1995: P(v) = (n_v + strength q_v) / (n + strength), n_v the user's
own counts, n their sum, q_v an item's share of all events. That counts fade with what came since is from Anderson et
al. 2014, "The dynamics of repeat consumption". It is for data with repeats: with seen items hidden it is popularity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from recollect.config import ConfigError, Settings
from recollect.contracts import PAD, Catalog, Counting, Events, Histories, Request, State
from recollect.counting.clock import only_an_order
from recollect.counting.decayed import Counts, fresh_counts, push_counts
from recollect.counting.scoring import log_popularity, score_in_blocks

_DAY = 86_400


class PersonalPopularity(Counting):
    """Scores are log probabilities. A user without events gets everybody's popularity.

    Every event of the user's own counts as one, context only or not; what everybody chose is counted by weight.
    """

    class Config(Settings):
        history: int = Field(200, ge=1)
        """How many of a user's last distinct items are remembered, with their counts."""
        decay: float = Field(0.95, gt=0, le=1)
        """What an event is worth after each further one; 1: every event counts alike, however long ago. To be tuned:
        on validation .8 was best for exercises, .95 for places, 1 for a shop."""
        half_life: float | None = Field(None, gt=0)
        """An event so many days before the user's newest one counts half (the log needs a clock), on top of `decay`;
        unset: only the events since count."""
        strength: float = Field(5.0, gt=0)
        """How many events of the user's own everybody's popularity is worth."""

    seeded = False
    weighs = True
    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self.config = config
        self.catalog = catalog
        self._counts = np.zeros(catalog.size)  # [V]: events may count for parts

    def fit(self, histories: Histories) -> None:
        if self.config.half_life is not None and len(histories.items) and only_an_order(histories):
            raise ConfigError(
                "model.half_life needs a clock, and this log has only an order; leave it unset, or name the column of "
                "times (--time)"
            )
        self._counts = np.bincount(histories.items, histories.weights, minlength=self.catalog.size).astype(np.float64)

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        """`time`, where there is a half-life: of the newest event, seconds; 0 where there is none."""
        memory = fresh_counts(users, self.config.history)._asdict()
        if self.config.half_life is None:
            return State(memory)
        return State({**memory, "time": torch.zeros(users, dtype=torch.int64)})

    def advance(self, state: State, events: Events) -> State:
        if events.items.shape[1] == 0:
            return state
        fading = torch.full(events.items.shape, -math.log(self.config.decay), dtype=torch.float64)
        fading = fading.to(events.items.device)
        clock = {}
        if self.config.half_life is not None:
            start, now = self._clock(state, events)
            passed = now.diff(dim=1, prepend=start[:, None])
            fading = fading + passed.double() * (math.log(2) / (self.config.half_life * _DAY))
            clock = {"time": now[:, -1]}
        memory = push_counts(Counts(state["distinct"], state["counts"]), events, fading)
        return State({**memory._asdict(), **clock})

    @staticmethod
    def _clock(state: State, events: Events) -> tuple[Tensor, Tensor]:
        """The time before the events [B] and after each [B T]: it stands still on padding, and never goes back."""
        times = torch.zeros_like(events.items) if events.times is None else events.times
        begins = (state["distinct"][:, -1] == PAD) & (events.lengths > 0)
        start = torch.where(begins, times[:, 0], state["time"])
        return start, torch.maximum(times.where(events.mask, start[:, None]), start[:, None]).cummax(dim=1).values

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        known, counts = state["distinct"].cpu().numpy(), state["counts"].cpu().double().numpy()
        prior = log_popularity(self._counts) + np.float32(math.log(self.config.strength))

        def score_rows(rows: slice) -> np.ndarray:
            mine, often = known[rows], counts[rows]
            scores = np.tile(prior, (len(mine), 1))
            own = np.logaddexp(prior[mine].astype(np.float64), _log(often))
            np.put_along_axis(scores, mine, own.astype(np.float32), axis=1)  # padding is set to -inf by the caller
            scores -= np.log(often.sum(axis=1) + self.config.strength).astype(np.float32)[:, None]
            return scores

        return score_in_blocks(score_rows, len(known), self.catalog.size, items, state["distinct"].device)

    def tensors(self) -> Mapping[str, Tensor]:
        return {"counts": torch.from_numpy(self._counts)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        if set(tensors) != {"counts"} or len(tensors["counts"]) != self.catalog.size:
            raise ValueError(f"personal-popularity: expected only 'counts' of {self.catalog.size} items")
        self._counts = tensors["counts"].cpu().double().numpy()


def _log(counts: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        result: np.ndarray = np.log(counts)
    return result
