"""Nearest neighbours among users: what the people most like this one met. The first collaborative filter.

Source: Resnick et al. 1994, "GroupLens", and Herlocker et al. 1999, "An algorithmic framework for performing
collaborative filtering" (the k most similar users); events instead of ratings, so a neighbour's vote is 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from recollect.config import ConfigError, Settings
from recollect.contracts import Catalog, Counting, Events, Histories, Request, State, push_recent
from recollect.counting.matrices import counted, counts_of, expect_tables, from_tensors, to_tensors
from recollect.counting.neighbours import Comparable, Similarity, nearest
from recollect.counting.scoring import log_popularity, score_in_blocks
from recollect.counting.sequences import Sequences, SequenceSettings, last_codes
from recollect.counting.similarity import Profiles
from recollect.counting.vectors import EmbeddingSettings, Vectors, given_vectors, item_vectors, mean_vectors


class UserKNN(Counting):
    """Scores b by the sum of similarities over those of the `neighbours` most similar training users who met b.

    Who asks is known by their last `history` events, a training user by all of theirs (sequence: both by their last
    few). Users are compared who met an item in common, and only similarities above zero count; ties go to the training
    user who comes first. A state does not say whose it is, so somebody of the training log finds themselves among
    their neighbours. Users without history or without neighbours are answered by log popularity.
    """

    class Config(Settings):
        similarity: Similarity = "cosine"
        """How alike two users are: of the sets of items they met (cosine, jaccard, hamming), of how often they met
        each (pearson, euclidean, manhattan, bhattacharyya, kl), of the mean vectors of their items (embedding), or of
        the order of their last items (sequence)."""
        neighbours: int = Field(50, ge=1)
        """How many most similar training users have a say (on MovieLens 1M, 30 to 50 ranked best)."""
        shrink: float = Field(0.0, ge=0)
        """Similarities that rest on few items are trusted less: added to the denominator (cosine, jaccard), or a
        factor n / (n + shrink) where n items are shared. Not for embedding. euclidean, hamming and manhattan
        need it (100, say), since they find those who met little nearest."""
        history: int = Field(5, ge=1)
        """How many of a user's last events are remembered and compared (sequence: see `sequence.last`); on MovieLens
        1M, fewer ranked better: 5 > 10 > 100."""
        normalise: bool = False
        """Divide by the sum of the neighbours' similarities: a score is then the share of them, so weighted, who met
        the item. The order of items stays."""
        smoothing: float = Field(0.001, gt=0)
        """For kl: events added to every item of a user, so that the divergence is finite."""
        embedding: EmbeddingSettings = EmbeddingSettings()
        """For embedding: how item vectors are made where `fit` is given none."""
        sequence: SequenceSettings = SequenceSettings()
        """For sequence: how many of the last items are compared, and how."""

    probabilistic = False
    seeded = False
    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        if config.similarity == "embedding" and config.shrink:
            raise ConfigError("model.shrink: similarity embedding counts no common items; set model.shrink=0")
        self.config = config
        self.catalog = catalog
        empty = np.zeros((0, config.sequence.last), dtype=np.int32)
        self._learn(sp.csr_array((0, catalog.size), dtype=np.float32), empty, np.zeros((catalog.size, 1), np.float32))

    def fit(self, histories: Histories, vectors: np.ndarray | Tensor | None = None) -> None:
        """`vectors` [V D]: for similarity embedding, the item table of a trained network instead of one made here."""
        settings, size = self.config, self.catalog.size
        last, table = self._last, self._vectors
        if settings.similarity == "embedding":
            made = item_vectors(histories, size, settings.embedding) if vectors is None else vectors
            table = given_vectors(made, size)
        elif vectors is not None:
            raise ConfigError(f"similarity {settings.similarity} compares no vectors; set model.similarity=embedding")
        if settings.similarity == "sequence":
            last = last_codes(histories.items, histories.offsets, settings.sequence.last)
        self._learn(counted(histories, size).astype(np.float32), last, table)

    def _learn(self, met: sp.csr_array, last: np.ndarray, vectors: np.ndarray) -> None:
        """met [U V] event counts; last [U m] codes, only for sequence; vectors [V D], only for embedding."""
        self._met, self._last, self._vectors = met, last, vectors
        self._counts = met.sum(axis=0, dtype=np.float64).astype(np.int64)  # [V]
        self._votes = sp.csr_array((np.ones(met.nnz, np.float32), met.indices, met.indptr), shape=met.shape)
        self._known = self._comparable(met.astype(np.float64), last)

    def _comparable(self, counts: sp.csr_array, last: np.ndarray) -> Comparable:
        """Users as what the similarity compares; counts [n V] float64, last [n m]."""
        settings, size = self.config, self.catalog.size
        if settings.similarity == "embedding":
            return Vectors(mean_vectors(counts, self._vectors))
        if settings.similarity == "sequence":
            return Sequences(last, size, settings.sequence.measure, settings.shrink)
        return Profiles(counts, settings.similarity, size - 1, settings.shrink, settings.smoothing)

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        keep = self.config.sequence.last if self.config.similarity == "sequence" else self.config.history
        recent = torch.zeros(users, keep, dtype=torch.int64)
        return State({"recent": recent, "held": torch.zeros(users, dtype=torch.int64)})

    def advance(self, state: State, events: Events) -> State:
        recent, held = push_recent(state["recent"], state["held"], events)
        return State({"recent": recent, "held": held})

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        recent = state["recent"].cpu().numpy()
        prior = log_popularity(self._counts)

        def score_rows(rows: slice) -> np.ndarray:
            return self._score_rows(recent[rows], prior)

        return score_in_blocks(score_rows, len(recent), self.catalog.size, items, state["recent"].device)

    def _score_rows(self, recent: np.ndarray, prior: np.ndarray) -> np.ndarray:
        asked = self._comparable(counts_of(recent, self.catalog.size), recent)
        scores = np.empty((len(recent), self.catalog.size), np.float32)
        for rows, near in nearest(asked, self._known, self.config.neighbours):
            friends = np.diff(near.indptr)
            if self.config.normalise:
                near.data /= np.repeat(near.sum(axis=1), friends)
            voted = (near @ self._votes).toarray()  # [b V]
            voted[friends == 0] = prior
            scores[rows] = voted
        return scores

    def tensors(self) -> Mapping[str, Tensor]:
        learned = {"counts": torch.from_numpy(self._counts), **to_tensors("met", self._met)}
        if self.config.similarity == "sequence":
            learned["last"] = torch.from_numpy(self._last)
        if self.config.similarity == "embedding":
            learned["vectors"] = torch.from_numpy(self._vectors)
        return learned

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        size, length = self.catalog.size, self.config.sequence.last
        expect_tables("userknn", tensors, list(self.tensors()), size)
        users = len(tensors["met.offsets"]) - 1
        met = from_tensors("met", tensors, (users, size))
        last, vectors = (tensors[n].cpu().numpy() if n in tensors else None for n in ("last", "vectors"))
        if last is not None and (last.shape != (users, length) or last.max(initial=0) >= size):
            raise ValueError(f"userknn: the last codes are not {length} of each of {users} users")
        if vectors is not None and (vectors.ndim != 2 or len(vectors) != size):
            raise ValueError(f"userknn: the vectors are not of {size} item codes")
        self._learn(met, self._last if last is None else last, self._vectors if vectors is None else vectors)
