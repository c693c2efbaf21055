"""What a model is told of the data before it sees a sequence: the catalog of items, and whole histories to count.

Third file of the contract.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol, runtime_checkable

import numpy as np


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Catalog:
    """What a model must know of the items when it is built: how many codes there are, and how often each was seen.

    `size` counts codes 0 (padding) to `size - 1`; `counts` [size] int64 are events in the training part.
    """

    size: int
    counts: np.ndarray | None = None

    def __repr__(self) -> str:
        events = "" if self.counts is None else f", {int(self.counts.sum()):,} events"
        return f"Catalog({self.size - 1:,} items{events})"


@runtime_checkable
class Histories(Protocol):
    """Ragged event histories: events of row u are `items[offsets[u]:offsets[u + 1]]`, in time order.

    `weights` [events] float32: how much each counts as a target, 0 for context only; None: all alike.
    """

    @property
    def items(self) -> np.ndarray: ...
    @property
    def times(self) -> np.ndarray: ...
    @property
    def offsets(self) -> np.ndarray: ...
    @property
    def weights(self) -> np.ndarray | None: ...
