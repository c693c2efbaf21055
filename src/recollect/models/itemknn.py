"""Nearest neighbours among items: what people who met this item also met. The oldest useful recommender.

Source: Deshpande & Karypis 2004, "Item-based top-N recommendation algorithms" (cosine; each item keeps its n nearest).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from recollect.config import ConfigError, Settings
from recollect.contracts import PAD, Catalog, Counting, Events, Histories, Request, State
from recollect.counting.distinct import fresh_distinct, profiles, push_distinct
from recollect.counting.matrices import counted, expect_tables, from_tensors, to_tensors
from recollect.counting.neighbours import Comparable, Similarity, nearest
from recollect.counting.scoring import log_popularity, score_in_blocks
from recollect.counting.sequences import Sequences, SequenceSettings, last_codes
from recollect.counting.similarity import Profiles
from recollect.counting.vectors import EmbeddingSettings, Vectors, given_vectors, item_vectors


class ItemKNN(Counting):
    """Scores b by the sum of similarities S[a, b] over the last distinct items a of a user.

    S[a, .] keeps the `neighbours` most similar items of a (ties: the smaller code), never a itself, and only those
    above zero. Items are compared that have a user in common, by the users who met them; `embedding` compares all.
    Users without history, or whose items have no neighbours, are answered by log popularity.
    """

    class Config(Settings):
        similarity: Similarity = "cosine"
        """How alike two items are: of the sets of users who met them (cosine, jaccard, hamming), of how often each
        user did (pearson, euclidean, manhattan, bhattacharyya, kl), of item vectors (embedding), or of the order in
        which users came to them (sequence)."""
        neighbours: int = Field(100, ge=1)
        """How many most similar items each item keeps."""
        shrink: float = Field(0.0, ge=0)
        """Similarities that rest on few users are trusted less: added to the denominator (cosine, jaccard), or a
        factor n / (n + shrink) where n users are shared. Not for embedding. euclidean, hamming, manhattan and kl
        need it (100, say), since they find what few met nearest."""
        history: int = Field(10, ge=1)
        """How many of a user's last distinct items are remembered (on MovieLens, fewer ranked better: 5 > 10 > 100)."""
        smoothing: float = Field(0.1, gt=0)
        """For kl: events added to what every user did with an item, so that the divergence is finite."""
        embedding: EmbeddingSettings = EmbeddingSettings()
        """For embedding: how item vectors are made where `fit` is given none."""
        sequence: SequenceSettings = SequenceSettings()
        """For sequence: how many of the last users are compared, and how."""

    probabilistic = False
    seeded = False
    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        if config.similarity == "embedding" and config.shrink:
            raise ConfigError("model.shrink: similarity embedding counts no common users; set model.shrink=0")
        self.config = config
        self.catalog = catalog
        self._counts = np.zeros(catalog.size, dtype=np.int64)  # [V]
        self._similar = sp.csr_array((catalog.size, catalog.size), dtype=np.float32)  # S [V V]

    def fit(self, histories: Histories, vectors: np.ndarray | Tensor | None = None) -> None:
        """`vectors` [V D]: for similarity embedding, the item table of a trained network instead of one made here."""
        self._counts = np.bincount(histories.items, minlength=self.catalog.size)
        items = self._comparable(histories, vectors)
        parts = [near for _, near in nearest(items, items, self.config.neighbours, itself=False)]
        self._similar = sp.vstack(parts, format="csr")

    def _comparable(self, histories: Histories, vectors: np.ndarray | Tensor | None) -> Comparable:
        settings, size, users = self.config, self.catalog.size, len(histories.offsets) - 1
        if settings.similarity == "embedding":
            made = item_vectors(histories, size, settings.embedding) if vectors is None else vectors
            return Vectors(given_vectors(made, size))
        if vectors is not None:
            raise ConfigError(f"similarity {settings.similarity} compares no vectors; set model.similarity=embedding")
        if settings.similarity == "sequence":
            # Users as codes from 1 on, since 0 is padding; at the same time, in the order of the log.
            users_met = np.repeat(np.arange(1, users + 1), np.diff(histories.offsets))
            order = np.lexsort((histories.times, histories.items))
            offsets = np.concatenate([[0], np.cumsum(self._counts)])
            last = last_codes(users_met[order], offsets, settings.sequence.last)
            return Sequences(last, users + 1, settings.sequence.measure, settings.shrink)
        met_by = counted(histories, size).T.tocsr()  # [V U]
        return Profiles(met_by, settings.similarity, users, settings.shrink, settings.smoothing)

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State({"distinct": fresh_distinct(users, self.config.history)})

    def advance(self, state: State, events: Events) -> State:
        return State({"distinct": push_distinct(state["distinct"], events)})

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        known = state["distinct"].cpu().numpy()
        prior = log_popularity(self._counts)
        befriended = np.diff(self._similar.indptr) > 0  # [V] whether the item has a neighbour

        def score_rows(rows: slice) -> np.ndarray:
            mine = known[rows]
            scores = (profiles(mine, self.catalog.size) @ self._similar).toarray()  # [b V]
            scores[~(befriended[mine] & (mine != PAD)).any(axis=1)] = prior
            return scores

        return score_in_blocks(score_rows, len(known), self.catalog.size, items, state["distinct"].device)

    @property
    def likeness(self) -> str:
        return f"{self.config.similarity} similarity, of the {self.config.neighbours} nearest"

    def alike(self, item: int) -> np.ndarray:
        return self._similar[[item]].toarray()[0]

    def tensors(self) -> Mapping[str, Tensor]:
        return {"counts": torch.from_numpy(self._counts), **to_tensors("similar", self._similar)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        size = self.catalog.size
        expect_tables("itemknn", tensors, list(self.tensors()), size)
        self._similar = from_tensors("similar", tensors, (size, size))
        self._counts = tensors["counts"].cpu().numpy()
