"""Nearest neighbours among items: what people who met this item also met. The oldest useful recommender.

Source: Deshpande & Karypis 2004, "Item-based top-N recommendation algorithms" (cosine; each item keeps its n nearest).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from recollect.config import Settings
from recollect.contracts import PAD, Catalog, Counting, Events, Histories, State
from recollect.counting.distinct import fresh_distinct, profiles, push_distinct
from recollect.counting.matrices import expect_names, from_tensors, keep_largest, met, to_tensors
from recollect.counting.scoring import log_popularity, rows_at_once, score_in_blocks


class ItemKNN(Counting):
    """Scores b by the sum of similarities S[a, b] over the last distinct items a of a user.

    S[a, .] keeps the `neighbours` most similar items of a (ties: the smaller code), never a itself. Users without
    history, or whose items have no neighbours, are answered by log popularity.
    """

    class Config(Settings):
        similarity: Literal["cosine"] = "cosine"
        """How alike two items are: `cosine` of the sets of users who met them."""
        neighbours: int = Field(100, ge=1)
        """How many most similar items each item keeps."""
        shrink: float = Field(0.0, ge=0)
        """Added to the denominator: similarities that rest on few users are trusted less."""
        history: int = Field(10, ge=1)
        """How many of a user's last distinct items are remembered (on MovieLens, fewer ranked better: 5 > 10 > 100)."""

    probabilistic = False
    seeded = False
    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self.config = config
        self.catalog = catalog
        self._counts = np.zeros(catalog.size, dtype=np.int64)  # [V]
        self._similar = sp.csr_array((catalog.size, catalog.size), dtype=np.float32)  # S [V V]

    def fit(self, histories: Histories) -> None:
        size = self.catalog.size
        self._counts = np.bincount(histories.items, minlength=size)
        met_items = met(histories, size)  # [U V]
        met_by = met_items.T.tocsr()  # [V U]
        degree = np.sqrt(np.diff(met_by.indptr).astype(np.float64))  # the norm of each item's column
        block = rows_at_once(size)
        parts = [self._nearest(met_by[s : s + block] @ met_items, degree, s) for s in range(0, size, block)]
        self._similar = sp.vstack(parts, format="csr")

    def _nearest(self, together: sp.csr_array, degree: np.ndarray, start: int) -> sp.csr_array:
        """The nearest items of codes `start`...; together [b V]: how many users met both."""
        pairs = together.tocoo()
        row, item = pairs.coords
        value = pairs.data / (degree[row + start] * degree[item] + self.config.shrink)
        other = row + start != item
        similar = sp.coo_array((value[other], (row[other], item[other])), shape=together.shape)
        return keep_largest(similar, self.config.neighbours)

    def fresh(self, users: int, features: Mapping[str, Tensor] | None = None) -> State:
        return State({"distinct": fresh_distinct(users, self.config.history)})

    def advance(self, state: State, events: Events) -> State:
        return State({"distinct": push_distinct(state["distinct"], events)})

    def score(self, state: State, at: Tensor | None = None, items: Tensor | None = None) -> Tensor:
        known = state["distinct"].cpu().numpy()
        prior = log_popularity(self._counts)
        befriended = np.diff(self._similar.indptr) > 0  # [V] whether the item has a neighbour

        def score_rows(rows: slice) -> np.ndarray:
            mine = known[rows]
            scores = (profiles(mine, self.catalog.size) @ self._similar).toarray()  # [b V]
            scores[~(befriended[mine] & (mine != PAD)).any(axis=1)] = prior
            return scores

        return score_in_blocks(score_rows, len(known), self.catalog.size, items, state["distinct"].device)

    def tensors(self) -> Mapping[str, Tensor]:
        return {"counts": torch.from_numpy(self._counts), **to_tensors("similar", self._similar)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        size = self.catalog.size
        expect_names("itemknn", tensors, list(self.tensors()))
        if len(tensors["counts"]) != size:
            raise ValueError(f"itemknn: the tables are not of {size} item codes")
        self._similar = from_tensors("similar", tensors, (size, size))
        self._counts = tensors["counts"].cpu().numpy()
