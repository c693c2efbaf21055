"""Markov: what followed the last few items, counted at several gaps. The floor every neural model must beat.

Source: this project's own damped count model. T[a,b] = sum_g decay^(g-1) count_g(a,b) / ((n_a+s)^p (n_b+s)^q).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from recollect.config import Settings
from recollect.contracts import Catalog, Counting, Events, Histories, Request, State, push_recent
from recollect.counting.matrices import expect_tables, from_tensors, to_tensors
from recollect.counting.scoring import log_popularity, score_in_blocks


class Markov(Counting):
    """Scores b by the sum over the last events h_-g of `decay`^(g-1) T[h_-g, b].

    Users without history, or whose recent items were never followed by anything, are answered by log popularity.
    """

    class Config(Settings):
        gaps: int = Field(5, ge=1)
        """Pairs of events up to so many steps apart are counted."""
        decay: float = Field(0.7, gt=0, le=1)
        """What each further step is worth, in counting and in scoring."""
        recent: int = Field(8, ge=1)
        """How many of a user's last events are looked at."""
        shrink: float = Field(5.0, gt=0)
        """Events added to every item's count in the damping: rare items are trusted less."""
        source_power: float = Field(0.75, ge=0)
        """Damping by the count of the item before: 1 makes rows comparable, 0 leaves raw counts."""
        target_power: float = Field(0.25, ge=0)
        """Damping by the count of the item after: higher favours rarer items."""

    probabilistic = False
    seeded = False
    weighs = True
    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self.config = config
        self.catalog = catalog
        self._counts = np.zeros(catalog.size)  # [V]: events may count for parts
        self._steps = sp.csr_array((catalog.size, catalog.size), dtype=np.float32)  # T [V V]

    def fit(self, histories: Histories) -> None:
        size, settings = self.catalog.size, self.config
        items = histories.items
        owner = np.repeat(np.arange(len(histories.offsets) - 1), np.diff(histories.offsets))
        weights = histories.weights
        self._counts = np.bincount(items, weights, minlength=size).astype(np.float64)
        steps = sp.csr_array((size, size), dtype=np.float64)
        for gap in range(1, settings.gaps + 1):
            same = owner[gap:] == owner[:-gap]
            before, after = items[:-gap][same], items[gap:][same]
            worth = np.full(len(before), settings.decay ** (gap - 1))
            if weights is not None:  # what is followed is context, what follows is a target
                worth *= weights[gap:][same]
            steps = steps + sp.coo_array((worth, (before, after)), shape=(size, size)).tocsr()
        seen = self._counts + settings.shrink
        damped = sp.diags_array(seen**-settings.source_power) @ steps @ sp.diags_array(seen**-settings.target_power)
        self._steps = damped.tocsr().astype(np.float32)
        self._steps.sort_indices()

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        recent = torch.zeros(users, self.config.recent, dtype=torch.int64)
        return State({"recent": recent, "held": torch.zeros(users, dtype=torch.int64)})

    def advance(self, state: State, events: Events) -> State:
        recent, held = push_recent(state["recent"], state["held"], events)
        return State({"recent": recent, "held": held})

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        recent, held = state["recent"].cpu().numpy(), state["held"].cpu().numpy()
        prior = log_popularity(self._counts)

        def score_rows(rows: slice) -> np.ndarray:
            return self._score_rows(recent[rows], held[rows], prior)

        return score_in_blocks(score_rows, len(recent), self.catalog.size, items, state["recent"].device)

    def _score_rows(self, recent: np.ndarray, held: np.ndarray, prior: np.ndarray) -> np.ndarray:
        filled = np.arange(recent.shape[1]) < held[:, None]  # [b M]
        age = held[:, None] - 1 - np.arange(recent.shape[1])
        worth = (self.config.decay ** age[filled]).astype(np.float32)
        offsets = np.concatenate([[0], np.cumsum(held)])
        looked_at = sp.csr_array((worth, recent[filled], offsets), shape=(len(recent), self.catalog.size))
        scores = (looked_at @ self._steps).toarray()  # [b V]
        leads = np.diff(self._steps.indptr) > 0  # [V] whether anything ever followed the item
        scores[~(leads[recent] & filled).any(axis=1)] = prior
        return scores

    @property
    def likeness(self) -> str:
        return "how strongly an item follows this one (damped counts)"

    def alike(self, item: int) -> np.ndarray:
        return self._steps[[item]].toarray()[0]

    def tensors(self) -> Mapping[str, Tensor]:
        return {"counts": torch.from_numpy(self._counts), **to_tensors("steps", self._steps)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        size = self.catalog.size
        expect_tables("markov", tensors, list(self.tensors()), size)
        self._steps = from_tensors("steps", tensors, (size, size))
        self._counts = tensors["counts"].cpu().double().numpy()
