"""What top lists do beside being right: how much of the catalogue they show, how well known, how alike.

Coverage and novelty as in Castells, Hurley & Vargas (2022), exposure Gini as in Fleder & Hosanagar (2009). Counted
block by block, so that the lists of any number of users fit.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from recollect.contracts import PAD


@dataclasses.dataclass(frozen=True, slots=True)
class ListMetrics:
    """Figures of all lists together; `diversity` is None without item vectors."""

    coverage: float
    """Share of the catalogue's items that stand in at least one list."""
    novelty: float
    """Mean surprise of a listed item in bits: -log2 of its share of the training events (one added to each count)."""
    popularity_share: float
    """Share of list places held by the head: the most frequent fifth of the items in training."""
    exposure_gini: float
    """0: every item is shown equally often; towards 1: one item takes every place."""
    diversity: float | None
    """Mean cosine distance of two items of one list, over lists of two or more (intra-list diversity)."""
    lists: int

    def __str__(self) -> str:
        values = dataclasses.asdict(self).items()
        return "\n".join(
            f"{name.replace('_', ' '):<17} {value if isinstance(value, int) else format(value, '.4f')}"
            for name, value in values
            if value is not None
        )


class ListTally:
    """Takes lists of item codes block by block; `result` gives the figures.

    counts [V]: training events of each item code. vectors [V D]: what makes items alike (genres as 0 and 1, a learned
    table); a vector of zeros is at distance 1 from every other. `head`: the share of items called popular.
    """

    def __init__(self, counts: np.ndarray, vectors: np.ndarray | None = None, *, head: float = 0.2) -> None:
        real = counts[PAD + 1 :].astype(np.float64)
        if len(real) == 0 or not 0 < head < 1:
            raise ValueError(f"need items, and a head between 0 and 1; got {len(real)} items and {head}")
        self._surprise = -np.log2((real + 1) / (real + 1).sum())
        self._head = np.zeros(len(real), dtype=bool)
        self._head[np.argsort(-real, kind="stable")[: max(1, round(head * len(real)))]] = True
        self._shown = np.zeros(len(counts), dtype=np.int64)
        self._vectors = None if vectors is None else _unit(vectors)
        self._distance, self._compared, self._lists = 0.0, 0, 0

    def add(self, codes: np.ndarray) -> None:
        """codes [B k]: one list a row, different items in it; 0 is a place left empty."""
        self._shown += np.bincount(codes.reshape(-1), minlength=len(self._shown))
        self._lists += len(codes)
        if self._vectors is None:
            return
        filled = (codes != PAD).sum(axis=1)  # [B]
        vectors = np.where((codes != PAD)[:, :, None], self._vectors[codes], 0.0)  # [B k D]
        # The likeness of all ordered pairs of different places: |sum of vectors|^2 without each with itself.
        alike = np.square(vectors.sum(axis=1)).sum(axis=1) - np.square(vectors).sum(axis=(1, 2))
        enough = filled >= 2
        pairs = (filled * (filled - 1))[enough]
        self._distance += float((1 - alike[enough] / pairs).sum())
        self._compared += int(enough.sum())

    def result(self) -> ListMetrics:
        """Raises ValueError where no list has an item."""
        shown = self._shown[PAD + 1 :]
        places = int(shown.sum())
        if places == 0:
            raise ValueError("no list has an item in it, so there is nothing to measure")
        return ListMetrics(
            coverage=float((shown > 0).mean()),
            novelty=float(shown @ self._surprise / places),
            popularity_share=float(shown[self._head].sum() / places),
            exposure_gini=gini(shown),
            diversity=self._distance / self._compared if self._compared else None,
            lists=self._lists,
        )


def gini(amounts: np.ndarray) -> float:
    """The Gini coefficient of non-negative amounts: half their mean absolute difference, as a share of their mean."""
    ordered = np.sort(amounts.astype(np.float64))
    count = len(ordered)
    return float((2 * np.arange(1, count + 1) - count - 1) @ ordered / (count * ordered.sum()))


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors, dtype=np.float64), where=lengths > 0)
