"""Similarities as their definitions say, pair by pair over whole dense rows: what the sparse forms are held against."""

from __future__ import annotations

import numpy as np
from scipy.spatial import distance
from scipy.special import rel_entr

MEASURES = ["pearson", "cosine", "jaccard", "euclidean", "hamming", "manhattan", "bhattacharyya", "kl"]


def alike(measure: str, x: np.ndarray, y: np.ndarray, shrink: float = 0.0, smoothing: float = 0.1) -> float:
    """The similarity of two dense rows of event counts [F]; NaN where they have no feature in common."""
    has_x, has_y = x > 0, y > 0
    both = int((has_x & has_y).sum())
    if both == 0:
        return float("nan")
    if measure == "cosine":
        return both / ((has_x.sum() * has_y.sum()) ** 0.5 + shrink)
    if measure == "jaccard":
        return both / ((has_x | has_y).sum() + shrink)
    factor = both / (both + shrink)
    if measure == "pearson":
        constant = np.ptp(x) == 0 or np.ptp(y) == 0
        return 0.0 if constant else factor * round(1 - distance.correlation(x, y), 12)
    if measure == "bhattacharyya":
        return factor * float(np.sqrt(x / x.sum() * y / y.sum()).sum())
    if measure == "kl":
        p, q = (x + smoothing) / (x + smoothing).sum(), (y + smoothing) / (y + smoothing).sum()
        return factor * float(np.exp(-rel_entr(p, q).sum()))
    if measure == "hamming":
        return factor / (1 + distance.hamming(has_x, has_y) * len(x))
    return factor / (1 + {"euclidean": distance.euclidean, "manhattan": distance.cityblock}[measure](x, y))


def common(a: list[int], b: list[int]) -> int:
    """The length of the longest common subsequence, cell by cell."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, code in enumerate(a):
        for j, other in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if code == other else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def edits(a: list[int], b: list[int]) -> int:
    """The edit distance, cell by cell."""
    table = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i, code in enumerate(a):
        for j, other in enumerate(b):
            table[i + 1][j + 1] = min(table[i][j] + (code != other), table[i][j + 1] + 1, table[i + 1][j] + 1)
    return table[-1][-1]


def alike_in_order(measure: str, a: list[int], b: list[int], shrink: float = 0.0) -> float:
    """The similarity of two sequences of codes; NaN where they have no code in common."""
    both = len(set(a) & set(b))
    if both == 0:
        return float("nan")
    longer = max(len(a), len(b))
    same = common(a, b) if measure == "lcs" else longer - edits(a, b)
    return same / longer * both / (both + shrink)


def best(values: list[float], keep: int, without: int | None = None) -> dict[int, np.float32]:
    """The numbers of the `keep` largest values above zero, as fp32, and the values; ties to the smaller number."""
    found = sorted((-np.float32(v), n) for n, v in enumerate(values) if np.float32(v) > 0 and n != without)
    return {number: -negative for negative, number in found[:keep]}
