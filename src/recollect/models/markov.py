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
from recollect.contracts import PAD, Catalog, Counting, Events, Histories, State, push_recent

_CELLS = 1 << 24
"""How many scores are worked out at a time, which bounds the memory beside the answer."""


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
    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self.config = config
        self.catalog = catalog
        self._counts = np.zeros(catalog.size, dtype=np.int64)  # [V]
        self._steps = sp.csr_array((catalog.size, catalog.size), dtype=np.float32)  # T [V V]

    def fit(self, histories: Histories) -> None:
        size, settings = self.catalog.size, self.config
        items = histories.items
        owner = np.repeat(np.arange(len(histories.offsets) - 1), np.diff(histories.offsets))
        self._counts = np.bincount(items, minlength=size)
        steps = sp.csr_array((size, size), dtype=np.float64)
        for gap in range(1, settings.gaps + 1):
            same = owner[gap:] == owner[:-gap]
            before, after = items[:-gap][same], items[gap:][same]
            worth = np.full(len(before), settings.decay ** (gap - 1))
            steps = steps + sp.coo_array((worth, (before, after)), shape=(size, size)).tocsr()
        seen = self._counts + settings.shrink
        damped = sp.diags_array(seen**-settings.source_power) @ steps @ sp.diags_array(seen**-settings.target_power)
        self._steps = damped.tocsr().astype(np.float32)
        self._steps.sort_indices()

    def fresh(self, users: int, features: Mapping[str, Tensor] | None = None) -> State:
        recent = torch.zeros(users, self.config.recent, dtype=torch.int64)
        return State({"recent": recent, "held": torch.zeros(users, dtype=torch.int64)})

    def advance(self, state: State, events: Events) -> State:
        recent, held = push_recent(state["recent"], state["held"], events)
        return State({"recent": recent, "held": held})

    def score(self, state: State, at: Tensor | None = None, items: Tensor | None = None) -> Tensor:
        recent, held = state["recent"].cpu().numpy(), state["held"].cpu().numpy()
        wanted = None if items is None else items.expand(len(recent), -1).cpu().numpy()
        answer = np.empty((len(recent), self.catalog.size if wanted is None else wanted.shape[1]), np.float32)
        prior = self._log_popularity()
        block = max(1, _CELLS // self.catalog.size)
        for start in range(0, len(recent), block):
            rows = slice(start, start + block)
            scores = self._score_block(recent[rows], held[rows], prior)
            answer[rows] = scores if wanted is None else np.take_along_axis(scores, wanted[rows], axis=1)
        return torch.from_numpy(answer).to(state["recent"].device)

    def _score_block(self, recent: np.ndarray, held: np.ndarray, prior: np.ndarray) -> np.ndarray:
        filled = np.arange(recent.shape[1]) < held[:, None]  # [b M]
        age = held[:, None] - 1 - np.arange(recent.shape[1])
        worth = (self.config.decay ** age[filled]).astype(np.float32)
        offsets = np.concatenate([[0], np.cumsum(held)])
        looked_at = sp.csr_array((worth, recent[filled], offsets), shape=(len(recent), self.catalog.size))
        scores = (looked_at @ self._steps).toarray()  # [b V]
        leads = np.diff(self._steps.indptr) > 0  # [V] whether anything ever followed the item
        scores[~(leads[recent] & filled).any(axis=1)] = prior
        scores[:, PAD] = -np.inf
        return scores

    def _log_popularity(self) -> np.ndarray:
        """[V]: the log of each item's share of events, every item given one more."""
        smoothed = self._counts + 1.0
        return np.log(smoothed / smoothed[PAD + 1 :].sum()).astype(np.float32)

    def tensors(self) -> Mapping[str, Tensor]:
        steps = self._steps
        return {
            "counts": torch.from_numpy(self._counts),
            "steps.offsets": torch.from_numpy(steps.indptr.astype(np.int64)),
            "steps.items": torch.from_numpy(steps.indices.astype(np.int32)),
            "steps.values": torch.from_numpy(steps.data),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        size, names = self.catalog.size, set(self.tensors())
        if set(tensors) != names:
            raise ValueError(f"markov: expected {sorted(names)}, got {sorted(tensors)}")
        arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
        if len(arrays["counts"]) != size or len(arrays["steps.offsets"]) != size + 1:
            raise ValueError(f"markov: the tables are not of {size} item codes")
        parts = (arrays["steps.values"], arrays["steps.items"], arrays["steps.offsets"])
        self._steps = sp.csr_array(parts, shape=(size, size))
        self._counts = arrays["counts"]
