"""The seen-filter: may an item that a user already had be an answer? One definition, for measuring and recommending.

It moves figures by more than models differ, so it is stated with each of them, and it must hide the same items in both.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from recollect.data.blocks import ranges

Seen = Literal["hidden", "allowed"]
"""Whether items of the user's own history can be answers."""


def hide_seen(
    scores: Tensor, items: np.ndarray, starts: np.ndarray, ends: np.ndarray, value: float = -torch.inf
) -> None:
    """Set the scores of what each row has seen to `value`, in place.

    scores [B V], contiguous; `items`: codes of histories end to end, of which row b has `starts[b]:ends[b]`. Raises
    ValueError where the scores are not contiguous.
    """
    if not scores.is_contiguous():
        raise ValueError("scores to hide items in must be contiguous")
    index, row = ranges(starts, ends)
    cells = torch.from_numpy(row * scores.shape[1] + items[index])
    scores.view(-1).index_fill_(0, cells.to(scores.device), value)
