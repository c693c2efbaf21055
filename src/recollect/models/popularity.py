"""Popularity: the answer for somebody nothing is known about, and the least any model must beat.

Scores are log frequencies (additively smoothed), so that their softmax is the share of events an item has.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from recollect.config import ConfigError, Settings
from recollect.contracts import PAD, Catalog, Counting, Events, Histories, Request, State
from recollect.counting.clock import only_an_order

_DAY = 86_400


class Popularity(Counting):
    """Ranks items by how often they occur in training, of late if asked; the same list for everybody."""

    class Config(Settings):
        days: float | None = Field(None, gt=0)
        """Count only events of so many days before the newest one (the log needs a clock); unset counts all."""
        half_life: float | None = Field(None, gt=0)
        """An event so many days before the newest one counts half (the log needs a clock); unset: all count alike."""
        smoothing: float = Field(1.0, gt=0)
        """Events added to every item's count, so that an item never seen has a finite score."""

    seeded = False
    weighs = True
    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self.config = config
        self.catalog = catalog
        self._counts = torch.zeros(catalog.size, dtype=torch.float64)  # [V]: events may count for parts

    def fit(self, histories: Histories) -> None:
        items, weights = histories.items, histories.weights
        if (self.config.days is not None or self.config.half_life is not None) and len(items):
            age = _days_ago(histories)
            recent = age < (self.config.days or np.inf)
            items, age = items[recent], age[recent]
            weights = None if weights is None else weights[recent]
            if self.config.half_life is not None:
                weights = 0.5 ** (age / self.config.half_life) * (1.0 if weights is None else weights)
        self._counts = torch.from_numpy(np.bincount(items, weights, minlength=self.catalog.size).astype(np.float64))

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        # Nothing about a user changes the answer: rows of no cells, which still say how many users there are.
        return State({"nothing": torch.zeros(users, 0)})

    def advance(self, state: State, events: Events) -> State:
        return state

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        smoothed = self._counts + self.config.smoothing
        smoothed[PAD] = 0
        scores = (smoothed / smoothed.sum()).log().float().to(state["nothing"].device)  # [V], padding -inf
        return scores.repeat(state.users, 1) if items is None else scores[items.expand(state.users, -1)]

    def tensors(self) -> Mapping[str, Tensor]:
        return {"counts": self._counts}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        if set(tensors) != {"counts"} or tensors["counts"].shape != self._counts.shape:
            raise ValueError(f"popularity: expected only 'counts' of {len(self._counts)} items")
        self._counts = tensors["counts"].cpu().double()


def _days_ago(histories: Histories) -> np.ndarray:
    """[N] before the newest event. ConfigError where times are only an order."""
    if only_an_order(histories):
        raise ConfigError(
            "model.days and model.half_life need a clock, and this log has only an order; leave them unset, or name "
            "the column of times (--time)"
        )
    return (histories.times.max() - histories.times) / _DAY
