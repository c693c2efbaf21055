"""Whether the times of histories are times: models that count by age must not take places in a history for them."""

from __future__ import annotations

import numpy as np

from recollect.contracts import Histories


def only_an_order(histories: Histories) -> bool:
    """Whether times are positions: 0, 1, 2, ... in each history."""
    offsets = histories.offsets
    positions = np.arange(len(histories.times)) - np.repeat(offsets[:-1], np.diff(offsets))
    return np.array_equal(histories.times, positions)
