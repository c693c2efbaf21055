"""Small random logs as lists, and what they say when looked at one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from recollect.data.histories import Ragged

SIZE = 9
"""Item codes, padding included; the last one occurs in no training log, but in what is asked."""
Rows = list[list[int]]
rows_of_items = st.lists(st.lists(st.integers(1, SIZE - 2), max_size=12), min_size=1, max_size=6)


def ragged(rows: Rows) -> Ragged:
    items = np.array([item for row in rows for item in row], dtype=np.int64)
    return Ragged(items, np.arange(len(items)), np.cumsum([0, *map(len, rows)]))


def last_distinct(history: list[int], keep: int) -> list[int]:
    """The last `keep` distinct codes, the newest at the end."""
    found: list[int] = []
    for item in reversed(history):
        if item not in found and len(found) < keep:
            found.insert(0, item)
    return found
