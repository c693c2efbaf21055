"""How alike rows of event counts are: eight similarities, each exact and from one sparse product, nothing dense.

Source: the textbook definition at each function (a formula here is its form over what two rows share and row sums).

Only rows that have a feature in common are compared (users who met an item in common, items met by a user in common);
other pairs have no entry. Distances d become similarities by 1 / (1 + d), divergences by exp(-d).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
import scipy.sparse as sp


@dataclasses.dataclass(frozen=True, eq=False)
class Profiles:
    """Rows of event counts [n F], whole numbers above zero where there is an entry, to be compared by `measure`.

    `features`: of how many features a row could have events, for the measures that look at what was not met too.
    `shrink`: trusts similarities that rest on few common features less: added to the denominator of cosine and
    jaccard; the others are multiplied by n / (n + shrink), n the common features. `smoothing`: see `_kl`.
    """

    counts: sp.csr_array
    measure: str
    features: int
    shrink: float = 0.0
    smoothing: float = 1.0

    def __len__(self) -> int:
        return int(self.counts.shape[0])

    def part(self, rows: slice) -> Profiles:
        return dataclasses.replace(self, counts=self.counts[rows])

    def work(self, known: Profiles) -> np.ndarray:
        """[n]: at most so many known rows have a feature in common with each row."""
        return np.minimum(self.sets @ known.widespread, len(known))

    def similar(self, known: Profiles) -> sp.csr_array:
        """[n known] float64: the similarity of every pair that has a feature in common."""
        products = self.asked_form(known) @ known.known_form
        both = None
        if self.shrink and self.measure not in ("cosine", "jaccard"):
            both = self.sets @ known.sets_across  # the same pairs, and in the same order once sorted
            both.sort_indices()
            products.sort_indices()
        row = np.repeat(np.arange(len(self)), np.diff(products.indptr))
        value = MEASURES[self.measure](_Pairs(products.data, self, row, known, products.indices))
        if both is not None:
            value = value * both.data / (both.data + self.shrink)
        return sp.csr_array((value, products.indices, products.indptr), shape=products.shape)

    # What is multiplied with what. Entries are above zero, so a product has one exactly for the pairs in question.

    def asked_form(self, known: Profiles) -> sp.csr_array:
        if self.measure in ("cosine", "jaccard", "hamming"):
            return self.sets
        if self.measure == "bhattacharyya":
            return self.roots
        return _unary(self.counts, known.highest) if self.measure == "manhattan" else self.counts

    @cached_property
    def known_form(self) -> sp.csr_array:
        if self.measure in ("cosine", "jaccard", "hamming"):
            return self.sets_across
        if self.measure == "bhattacharyya":
            return self.roots.T.tocsr()
        if self.measure == "manhattan":
            return _unary(self.counts, self.highest).T.tocsr()
        return (self.logs if self.measure == "kl" else self.counts).T.tocsr()

    @cached_property
    def sets(self) -> sp.csr_array:
        return _with(self.counts, np.ones(self.counts.nnz))

    @cached_property
    def sets_across(self) -> sp.csr_array:
        return self.sets.T.tocsr()

    @cached_property
    def roots(self) -> sp.csr_array:
        """Square roots of each row's shares of events."""
        return _with(self.counts, np.sqrt(self.counts.data / np.repeat(self.events, np.diff(self.counts.indptr))))

    @cached_property
    def logs(self) -> sp.csr_array:
        """log((x + smoothing) / smoothing): zero, and no entry, where there are no events."""
        return _with(self.counts, np.log1p(self.counts.data / self.smoothing))

    # What is summed over each row [n], or counted over each feature [F].

    @cached_property
    def events(self) -> np.ndarray:
        return self.counts.sum(axis=1)

    @cached_property
    def distinct(self) -> np.ndarray:
        return np.diff(self.counts.indptr).astype(np.float64)

    @cached_property
    def squares(self) -> np.ndarray:
        return _with(self.counts, self.counts.data**2).sum(axis=1)

    @cached_property
    def logged(self) -> np.ndarray:
        return self.logs.sum(axis=1)

    @cached_property
    def widespread(self) -> np.ndarray:
        """How many rows have each feature."""
        return np.bincount(self.counts.indices, minlength=self.counts.shape[1]).astype(np.float64)

    @cached_property
    def highest(self) -> np.ndarray:
        """The largest count of each feature."""
        most = np.zeros(self.counts.shape[1], dtype=np.int64)
        np.maximum.at(most, self.counts.indices, self.counts.data.astype(np.int64))
        return most


@dataclasses.dataclass(frozen=True, eq=False)
class _Pairs:
    """Pair p is row `row[p]` of x with row `column[p]` of y; `product[p]` is the product of their forms."""

    product: np.ndarray
    x: Profiles
    row: np.ndarray
    y: Profiles
    column: np.ndarray


def _cosine(pairs: _Pairs) -> np.ndarray:
    """Of sets: |x & y| / sqrt(|x| |y|)."""
    x, y = np.sqrt(pairs.x.distinct)[pairs.row], np.sqrt(pairs.y.distinct)[pairs.column]
    return pairs.product / (x * y + pairs.x.shrink)


def _jaccard(pairs: _Pairs) -> np.ndarray:
    """Of sets: |x & y| / |x | y|."""
    either = pairs.x.distinct[pairs.row] + pairs.y.distinct[pairs.column] - pairs.product
    return pairs.product / (either + pairs.x.shrink)


def _hamming(pairs: _Pairs) -> np.ndarray:
    """Of sets: d = how many features one has and the other has not."""
    return 1 / (1 + pairs.x.distinct[pairs.row] + pairs.y.distinct[pairs.column] - 2 * pairs.product)


def _pearson(pairs: _Pairs) -> np.ndarray:
    """Of counts: their correlation over all features, those without events too; 0 where a row is the same everywhere.

    F sum(x y) - sum(x) sum(y) over the root of the same for (x, x) and (y, y): whole numbers, so nothing cancels.
    """
    x, y, features = pairs.x, pairs.y, pairs.x.features
    above = features * pairs.product - x.events[pairs.row] * y.events[pairs.column]
    spread_x, spread_y = (np.sqrt(features * side.squares - side.events**2) for side in (x, y))
    below = spread_x[pairs.row] * spread_y[pairs.column]
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _euclidean(pairs: _Pairs) -> np.ndarray:
    """Of counts: d² = |x|² + |y|² - 2 x·y, whole numbers."""
    return 1 / (1 + np.sqrt(pairs.x.squares[pairs.row] + pairs.y.squares[pairs.column] - 2 * pairs.product))


def _manhattan(pairs: _Pairs) -> np.ndarray:
    """Of counts: d = sum |x - y| = sum x + sum y - 2 sum min(x, y); the product is of unary forms."""
    return 1 / (1 + pairs.x.events[pairs.row] + pairs.y.events[pairs.column] - 2 * pairs.product)


def _bhattacharyya(pairs: _Pairs) -> np.ndarray:
    """Of shares of events p and q: the coefficient sum sqrt(p q)."""
    return pairs.product


def _kl(pairs: _Pairs) -> np.ndarray:
    """exp(-KL(p || q)), p = (x + a) / (sum x + a F), q likewise of y, a the smoothing: finite however little is shared.

    With l(v) = log(1 + v / a), which is zero where nothing was met, KL(p || q) is
    (sum (x + a) l(x) - sum x l(y) - a sum l(y)) / (sum x + a F) + log((sum y + a F) / (sum x + a F)).
    """
    x, y, a = pairs.x, pairs.y, pairs.x.smoothing
    mass_x, mass_y = (side.events + a * side.features for side in (x, y))
    own = _with(x.counts, (x.counts.data + a) * x.logs.data).sum(axis=1)
    cross = pairs.product + a * y.logged[pairs.column]
    divergence = (own[pairs.row] - cross) / mass_x[pairs.row] + np.log(mass_y[pairs.column] / mass_x[pairs.row])
    return np.exp(-np.maximum(divergence, 0))  # never below zero, but for rounding


MEASURES: Mapping[str, Callable[[_Pairs], np.ndarray]] = {
    "pearson": _pearson,
    "cosine": _cosine,
    "jaccard": _jaccard,
    "euclidean": _euclidean,
    "hamming": _hamming,
    "manhattan": _manhattan,
    "bhattacharyya": _bhattacharyya,
    "kl": _kl,
}


def _with(matrix: sp.csr_array, data: np.ndarray) -> sp.csr_array:
    """The same cells with other values."""
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _unary(counts: sp.csr_array, highest: np.ndarray) -> sp.csr_array:
    """A count c of feature f as c ones in the columns (f, 1) ... (f, highest[f]): a common product sums min(x, y).

    Counts above `highest` are cut to it: the other side has no more, so the minimum is the same.
    """
    height = np.minimum(counts.data, highest[counts.indices]).astype(np.int64)
    ends = np.concatenate([[0], np.cumsum(height)])
    first = np.cumsum(highest) - highest
    column = np.repeat(first[counts.indices] - ends[:-1], height) + np.arange(ends[-1])
    return sp.csr_array((np.ones(ends[-1]), column, ends[counts.indptr]), shape=(len(counts.indptr) - 1, highest.sum()))
