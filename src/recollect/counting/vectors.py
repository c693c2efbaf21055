"""Vectors of items without a network: what skip-gram with negative sampling factorises, and how alike vectors are.

Source: Levy & Goldberg 2014, "Neural word embedding as implicit matrix factorization": the truncated SVD of the
positive pointwise mutual information of items near each other in a history, vectors U sqrt(S).
"""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from pydantic import Field
from scipy.sparse.linalg import svds
from torch import Tensor

from recollect.config import ConfigError, Settings
from recollect.contracts import PAD, Histories

DENSE = 400
"""Up to so many items the whole decomposition is taken, which is quick and has no starting point."""
ROUNDING = 1e-6
"""Cosines below it are no similarity: it may be rounding."""


class EmbeddingSettings(Settings):
    """How item vectors are made where none are given."""

    width: int = Field(64, ge=1)
    """Length of an item vector."""
    within: int = Field(5, ge=1)
    """Items are near each other up to so many events apart."""


def item_vectors(histories: Histories, size: int, settings: EmbeddingSettings) -> np.ndarray:
    """[V D] float32; zeros for items that were near no other."""
    information = positive_information(histories, size, settings.within)
    known = np.flatnonzero(np.diff(information.indptr))
    vectors = np.zeros((size, settings.width), dtype=np.float32)
    width = min(settings.width, len(known))
    if width == 0:
        return vectors
    among = information[known][:, known]
    if len(known) <= DENSE or width >= len(known):
        left, strength, _ = np.linalg.svd(among.toarray())
    else:
        # A start of its own, for the one drawn by default differs from run to run.
        left, strength, _ = svds(among, k=width, v0=np.ones(len(known)))
    vectors[known, :width] = left[:, :width] * np.sqrt(np.maximum(strength[:width], 0))
    return vectors


def positive_information(histories: Histories, size: int, within: int) -> sp.csr_array:
    """[V V]: max(0, log(n_ab n / (n_a n_b))), n_ab the events of a and b up to `within` apart, either first."""
    items = histories.items
    owner = np.repeat(np.arange(len(histories.offsets) - 1), np.diff(histories.offsets))
    near = sp.csr_array((size, size), dtype=np.float64)
    for gap in range(1, within + 1):
        same = owner[gap:] == owner[:-gap]
        before, after = items[:-gap][same], items[gap:][same]
        near = near + sp.coo_array((np.ones(len(before)), (before, after)), shape=(size, size)).tocsr()
    near = (near + near.T).tocoo()
    row, column = near.coords
    total = near.sum(axis=1)
    information = np.log(near.data * total.sum() / (total[row] * total[column]))
    above = information > 0
    return sp.coo_array((information[above], (row[above], column[above])), shape=(size, size)).tocsr()


def given_vectors(vectors: np.ndarray | Tensor, size: int) -> np.ndarray:
    """The item table of a trained network as float32 [V D], padding zero; ConfigError where it does not fit."""
    table = vectors.detach().cpu().float().numpy() if isinstance(vectors, Tensor) else np.asarray(vectors)
    if table.ndim != 2 or len(table) != size:
        raise ConfigError(f"vectors are of shape {list(table.shape)}; expected one row for each of {size} item codes")
    table = table.astype(np.float32)  # a copy, also where it is of that type already
    if not np.isfinite(table).all():
        raise ConfigError("vectors are not all finite")
    table[PAD] = 0
    return table


def mean_vectors(counts: sp.csr_array, vectors: np.ndarray) -> np.ndarray:
    """counts [n V] of events -> [n D] float64: the mean vector of each row's events; zeros where there are none."""
    return (counts @ vectors.astype(np.float64)) / np.maximum(counts.sum(axis=1), 1)[:, None]


@dataclasses.dataclass(frozen=True, eq=False)
class Vectors:
    """Rows as vectors [n D], compared by their cosine, all with all."""

    table: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    def part(self, rows: slice) -> Vectors:
        return Vectors(self.table[rows])

    @cached_property
    def unit(self) -> np.ndarray:
        table = self.table.astype(np.float64)
        length = np.linalg.norm(table, axis=1, keepdims=True)
        return np.divide(table, length, out=np.zeros_like(table), where=length > 0)

    def work(self, known: Vectors) -> np.ndarray:
        """[n]: with how many known rows each row is compared."""
        return np.full(len(self), len(known))

    def similar(self, known: Vectors) -> sp.csr_array:
        """[n known] float64: every cosine above zero."""
        cosine = self.unit @ known.unit.T
        cosine[cosine < ROUNDING] = 0
        return sp.csr_array(cosine)
