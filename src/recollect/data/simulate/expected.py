"""What the best ranking gets on average, from the chances of every item: a ceiling without the luck of one log.

The likeliest first is best for every metric that falls with the target's rank, and items of one chance may stand in any
order: on average over what happens they are worth the same.
"""

from __future__ import annotations

import numpy as np


def best_figures(chances: np.ndarray, k: int = 10) -> dict[str, float]:
    """chances [Q V], rows sum to one -> the expected `hr@k` and `ndcg@k` of ranking by them, means over the rows."""
    ordered = -np.sort(-chances, axis=1)[:, :k]  # [Q k]
    gains = 1 / np.log2(np.arange(2, ordered.shape[1] + 2))
    return {f"hr@{k}": float(ordered.sum(axis=1).mean()), f"ndcg@{k}": float((ordered @ gains).mean())}
