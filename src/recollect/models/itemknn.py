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

_CELLS = 1 << 24
"""How many scores or similarities are worked out at a time, which bounds the memory beside the answer."""


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
        size, users = self.catalog.size, len(histories.offsets) - 1
        self._counts = np.bincount(histories.items, minlength=size)
        owner = np.repeat(np.arange(users), np.diff(histories.offsets))
        met = sp.coo_array((np.ones(len(owner)), (owner, histories.items)), shape=(users, size)).tocsr()
        met.data[:] = 1.0  # meeting an item twice is meeting it
        met_by = met.T.tocsr()  # [V U]
        degree = np.sqrt(np.diff(met_by.indptr).astype(np.float64))  # the norm of each item's column
        block = max(1, _CELLS // size)
        parts = [self._nearest(met_by[s : s + block] @ met, degree, s) for s in range(0, size, block)]
        self._similar = sp.vstack(parts, format="csr")

    def _nearest(self, together: sp.csr_array, degree: np.ndarray, start: int) -> sp.csr_array:
        """The nearest items of codes `start`...; together [b V]: how many users met both."""
        pairs = together.tocoo()
        row, item = pairs.coords
        value = pairs.data / (degree[row + start] * degree[item] + self.config.shrink)
        other = row + start != item
        row, item, value = row[other], item[other], value[other].astype(np.float32)
        order = np.lexsort((item, -value, row))
        row, item, value = row[order], item[order], value[order]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        near = rank < self.config.neighbours
        kept = sp.coo_array((value[near], (row[near], item[near])), shape=together.shape).tocsr()
        kept.sort_indices()
        return kept

    def fresh(self, users: int, features: Mapping[str, Tensor] | None = None) -> State:
        return State({"distinct": torch.zeros(users, self.config.history, dtype=torch.int64)})

    def advance(self, state: State, events: Events) -> State:
        """A code that comes again moves to the end; the codes longest ago are dropped."""
        codes = torch.cat([state["distinct"], events.codes], dim=1)  # [B N+T], padding anywhere
        grouped, where = codes.sort(dim=1, stable=True)
        newest = torch.ones_like(grouped, dtype=torch.bool)
        newest[:, :-1] = grouped[:, 1:] != grouped[:, :-1]
        keep = torch.zeros_like(newest).scatter(1, where, newest & (grouped != PAD))
        # The rank of a kept code from the end is its distance from the right edge of the new memory.
        rank = keep.flip(1).cumsum(1).flip(1)  # [B N+T], 1 is the newest
        history = self.config.history
        place = torch.where(keep & (rank <= history), history - rank, history)
        room = torch.zeros(len(codes), history + 1, dtype=torch.int64, device=codes.device)
        return State({"distinct": room.scatter(1, place, codes)[:, :history]})

    def score(self, state: State, at: Tensor | None = None, items: Tensor | None = None) -> Tensor:
        known = state["distinct"].cpu().numpy()
        wanted = None if items is None else items.expand(len(known), -1).cpu().numpy()
        answer = np.empty((len(known), self.catalog.size if wanted is None else wanted.shape[1]), np.float32)
        prior = self._log_popularity()
        block = max(1, _CELLS // self.catalog.size)
        for start in range(0, len(known), block):
            rows = slice(start, start + block)
            scores = self._score_block(known[rows], prior)
            answer[rows] = scores if wanted is None else np.take_along_axis(scores, wanted[rows], axis=1)
        return torch.from_numpy(answer).to(state["distinct"].device)

    def _score_block(self, known: np.ndarray, prior: np.ndarray) -> np.ndarray:
        filled = known != PAD  # [b N]
        offsets = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
        ones = np.ones(offsets[-1], dtype=np.float32)
        history = sp.csr_array((ones, known[filled], offsets), shape=(len(known), self.catalog.size))
        scores = (history @ self._similar).toarray()  # [b V]
        befriended = np.diff(self._similar.indptr) > 0  # [V] whether the item has a neighbour
        scores[~(befriended[known] & filled).any(axis=1)] = prior
        scores[:, PAD] = -np.inf
        return scores

    def _log_popularity(self) -> np.ndarray:
        """[V]: the log of each item's share of events, every item given one more."""
        smoothed = self._counts + 1.0
        return np.log(smoothed / smoothed[PAD + 1 :].sum()).astype(np.float32)

    def tensors(self) -> Mapping[str, Tensor]:
        similar = self._similar
        return {
            "counts": torch.from_numpy(self._counts),
            "similar.offsets": torch.from_numpy(similar.indptr.astype(np.int64)),
            "similar.items": torch.from_numpy(similar.indices.astype(np.int32)),
            "similar.values": torch.from_numpy(similar.data),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        size, names = self.catalog.size, set(self.tensors())
        if set(tensors) != names:
            raise ValueError(f"itemknn: expected {sorted(names)}, got {sorted(tensors)}")
        arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
        if len(arrays["counts"]) != size or len(arrays["similar.offsets"]) != size + 1:
            raise ValueError(f"itemknn: the tables are not of {size} item codes")
        parts = (arrays["similar.values"], arrays["similar.items"], arrays["similar.offsets"])
        self._similar = sp.csr_array(parts, shape=(size, size))
        self._counts = arrays["counts"]
