"""Models that fold users in: tables learned of the items answer for anybody's last distinct items, weighted by age.

EASE and the factorisations share all but their tables and how a row of weights becomes a row of scores.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from recollect.config import Settings
from recollect.contracts import PAD, Catalog, Counting, Events, Histories, Request, State
from recollect.counting.distinct import fresh_distinct, profiles, push_distinct
from recollect.counting.matrices import expect_names, met
from recollect.counting.scoring import log_popularity, score_in_blocks


class FoldInSettings(Settings):
    """What of a user's events is looked at. As published, these models see the set of all items and no order.

    For the next item the newest events say most: on MovieLens 1M decay .8 ranked more than twice as well (docs/log.md).
    """

    history: int = Field(100, ge=1)
    """How many of a user's last distinct items are remembered; as published: all."""
    decay: float = Field(0.8, gt=0, le=1)
    """What each distinct item further back is worth; as published: 1, so that order plays no part."""


class FoldIn(Counting):
    """Learns tables from the matrix of who met what; a user, known or new, is a row of that matrix.

    Items that training never saw are passed over in histories. Who has met nothing else, or nothing that leads to any
    item, is answered by log popularity.
    """

    probabilistic = False
    config: FoldInSettings

    def __init__(self, config: FoldInSettings, catalog: Catalog) -> None:
        self.config = config
        self.catalog = catalog
        self._counts = np.zeros(catalog.size, dtype=np.int64)  # [V]
        self._tables: Mapping[str, np.ndarray] = {
            name: np.zeros(shape, np.float32) for name, shape in self.shapes().items()
        }

    @abstractmethod
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The tables by name, fp32, and their shapes."""

    @abstractmethod
    def learn(self, matrix: sp.csr_array) -> Mapping[str, np.ndarray]:
        """matrix [U V]: 1 where the user met the item -> the tables."""

    @abstractmethod
    def answer(self, rows: sp.csr_array) -> np.ndarray:
        """rows [b V]: the weights of what users remember -> scores [b V]."""

    def table(self, name: str) -> np.ndarray:
        return self._tables[name]

    def fit(self, histories: Histories) -> None:
        self._counts = np.bincount(histories.items, minlength=self.catalog.size)
        learned = self.learn(met(histories, self.catalog.size))
        self._tables = {name: np.asarray(learned[name], np.float32, order="C") for name in self.shapes()}

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State({"distinct": fresh_distinct(users, self.config.history)})

    def advance(self, state: State, events: Events) -> State:
        return State({"distinct": push_distinct(state["distinct"], events)})

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        size, prior = self.catalog.size, log_popularity(self._counts)
        remembered = state["distinct"].cpu().numpy()
        known = np.where(self._counts[remembered] > 0, remembered, PAD)

        def score_rows(rows: slice) -> np.ndarray:
            weighted = profiles(known[rows], size, self.config.decay)
            scores = self.answer(weighted)
            silent = np.ptp(scores[:, PAD + 1 :], axis=1) == 0  # every item scores the same
            scores[silent | (weighted.sum(axis=1) == 0)] = prior
            return scores

        return score_in_blocks(score_rows, len(known), size, items, state["distinct"].device)

    def weighted(self, state: State) -> sp.csr_array:
        """[B V]: what each user remembers of the items that training saw, the newest with most weight."""
        remembered = state["distinct"].cpu().numpy()
        known = np.where(self._counts[remembered] > 0, remembered, PAD)
        return profiles(known, self.catalog.size, self.config.decay)

    def tensors(self) -> Mapping[str, Tensor]:
        return {"counts": torch.from_numpy(self._counts)} | {n: torch.from_numpy(t) for n, t in self._tables.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        name, shapes = type(self).__name__.lower(), {"counts": (self.catalog.size,), **self.shapes()}
        expect_names(name, tensors, list(shapes))
        for table, shape in shapes.items():
            if tuple(tensors[table].shape) != shape:
                raise ValueError(f"{name}: {table} has the shape {tuple(tensors[table].shape)}, not {shape}")
        self._counts = tensors["counts"].cpu().numpy()
        self._tables = {table: tensors[table].cpu().numpy() for table in self.shapes()}


class Factorisation(FoldIn):
    """Scores are the vector of a user times the vectors of the items, plus the bias of the items where there is one."""

    @abstractmethod
    def fold(self, rows: sp.csr_array) -> np.ndarray:
        """rows [b V]: the weights of what users remember -> their vectors [b D]."""

    def item_vectors(self) -> Tensor:
        """[V D]."""
        return torch.from_numpy(self.table("items"))

    def item_bias(self) -> Tensor | None:
        """[V], or None."""
        return None

    def user_vectors(self, state: State) -> Tensor:
        """[B D]."""
        return torch.from_numpy(np.asarray(self.fold(self.weighted(state)), np.float32))

    def answer(self, rows: sp.csr_array) -> np.ndarray:
        bias = self.item_bias()
        scores: np.ndarray = self.fold(rows) @ self.item_vectors().numpy().T
        return scores if bias is None else scores + bias.numpy()
