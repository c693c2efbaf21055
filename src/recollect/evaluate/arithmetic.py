"""Can these figures come from one ranking? With one relevant item a target, metrics at all cut-offs bind each other.

An answer at rank r adds 1 to recall, 1/log2(r + 1) to NDCG and 1/r to MRR at every cut-off from r on. So what NDCG and
MRR gain between two cut-offs lies between the worth of the ranks in between, times what recall gains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

WORTH: Mapping[str, Callable[[int], float]] = {
    "ndcg": lambda rank: 1 / math.log2(rank + 1),
    "mrr": lambda rank: 1 / rank,
}
"""What an answer at a rank adds, by metric."""


def contradictions(figures: Mapping[str, float], decimals: int = 4) -> list[str]:
    """Figures by name (`recall@5`, `ndcg@10`, `mrr@5`; `hr` is recall) -> what no ranking can have given, in words.

    One relevant item a target; every figure is rounded to `decimals`, and is given the benefit of that.
    """
    table: dict[str, dict[int, float]] = {"recall": {0: 0.0}, **{metric: {0: 0.0} for metric in WORTH}}
    for name, value in figures.items():
        metric, _, cutoff = name.lower().partition("@")
        metric = "recall" if metric in ("hr", "hit") else metric
        if metric in table:
            table[metric][int(cutoff)] = value
    found = []
    steps = sorted(table["recall"])
    for low, high in pairwise(steps):
        if table["recall"][high] < table["recall"][low] - 10.0**-decimals:
            found.append(
                f"recall falls from {table['recall'][low]:.4f} at {low} to {table['recall'][high]:.4f} at {high}"
            )
    for metric, worth in WORTH.items():
        cutoffs = sorted(set(table[metric]) & set(table["recall"]))
        for low, high in pairwise(cutoffs):
            slack = 10.0**-decimals / (2 if low == 0 else 1)  # nothing at cut-off 0 is exact
            hits = max(0.0, table["recall"][high] - table["recall"][low])
            gain = table[metric][high] - table[metric][low]
            least, most = (hits - slack) * worth(high) - slack, (hits + slack) * worth(low + 1) + slack
            if not least <= gain <= most:
                between = f"{metric.upper()}@{high} - {metric.upper()}@{low}" if low else f"{metric.upper()}@{high}"
                found.append(
                    f"{between} is {gain:.4f}, and {hits:.4f} of recall there make {least:.4f} to {most:.4f} possible"
                )
    return found
