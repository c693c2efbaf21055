"""The nearest neighbours of many rows, some rows at a time: never a table of all with all, whatever the similarity.

What can be compared: event counts (`similarity`), orders (`sequences`), vectors (`vectors`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Protocol

import numpy as np
import scipy.sparse as sp

from recollect.counting.matrices import keep_largest

Similarity = Literal[
    "pearson",
    "cosine",
    "jaccard",
    "euclidean",
    "hamming",
    "manhattan",
    "bhattacharyya",
    "kl",
    "embedding",
    "sequence",
]
"""Of sets: cosine, jaccard, hamming. Of event counts: pearson, euclidean, manhattan. Of shares of events:
bhattacharyya, kl. Of vectors: embedding. Of orders: sequence."""

PAIRS = 1 << 18
"""How many similarities are worked out at a time: they take about 100 bytes each while that lasts."""


class Comparable(Protocol):
    """Rows that can be asked how alike they are to known rows of the same kind."""

    def __len__(self) -> int: ...

    def part(self, rows: slice) -> Comparable:
        """Some of the rows."""
        ...

    def work(self, known: Any) -> np.ndarray:
        """[n]: an upper bound on how many known rows each row is compared with."""
        ...

    def similar(self, known: Any) -> sp.csr_array:
        """[n known] float64."""
        ...


def nearest(
    asked: Comparable, known: Comparable, keep: int, *, itself: bool = True
) -> Iterator[tuple[slice, sp.csr_array]]:
    """Some asked rows at a time and the `keep` most similar known rows of each [rows known], fp32.

    Ties go to the smaller row number. Similarities of zero or less make no neighbour. `itself`: whether row r may be
    a neighbour of row r, which where both sides are the same rows says nothing.
    """
    for rows in _pieces(asked.work(known), PAIRS):
        similar = asked.part(rows).similar(known).tocoo()
        row, column = similar.coords
        value = similar.data.astype(np.float32)
        wanted = value > 0
        if not itself:
            wanted &= row + rows.start != column
        alike = sp.coo_array((value[wanted], (row[wanted], column[wanted])), shape=similar.shape)
        yield rows, keep_largest(alike, keep)


def _pieces(work: np.ndarray, limit: int) -> Iterator[slice]:
    """Rows in turn, so many that their work stays within the limit, and at least one."""
    done = np.concatenate([[0], np.cumsum(work)])
    start = 0
    while start < len(work):
        stop = max(start + 1, int(np.searchsorted(done, done[start] + limit, side="right")) - 1)
        yield slice(start, stop)
        start = stop
