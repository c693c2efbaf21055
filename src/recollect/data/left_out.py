"""Which rows of a source are no events, and why: counted by reason, each with the place of the first.

A row that falls out among thousands is counted. A file of which every row does is another thing: an export that is
written otherwise than the ones before it, of which an inherited `--on-bad skip` would leave nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from recollect.data.log import Dropped

Why = Callable[[int], str]
"""Says of a row, by its number, what is wrong with it."""


class Fallen(NamedTuple):
    """A file that gives no event though it has rows: its first row that falls out, why, and how many do."""

    first: int
    why: str
    rows: int


class LeftOut:
    """`keep` [n] bool: rows that are events still. `dropped`: the others, by reason, behind those that were given."""

    def __init__(self, rows: int, dropped: list[Dropped], place: Callable[[int], str]) -> None:
        self.keep = np.ones(rows, bool)
        self.dropped = dropped
        self._place = place
        self._faults: list[tuple[np.ndarray, Why]] = []

    def fault(self, reason: str, gone: np.ndarray, more: str = "", why: Why | None = None) -> None:
        """Leave out rows [n] bool that cannot be used. `more`: what else to say; `why`: what is wrong with one."""
        gone = gone & self.keep
        if gone.any():
            first = int(gone.argmax())
            self.dropped.append(Dropped(reason, int(gone.sum()), f"first at {self._place(first)}{more}"))
            self._faults.append((gone, why or (lambda row: reason)))
            self.keep &= ~gone

    def unwanted(self, reason: str, gone: np.ndarray, detail: str) -> None:
        """Leave out rows [n] bool that are no events by what was asked for: many and meant, so no place is named."""
        self.dropped.append(Dropped(reason, int(gone.sum()), detail))
        self.keep &= ~gone

    def fallen(self, starts: np.ndarray) -> Iterator[Fallen]:
        """The files all of whose rows are left out, and not for being unwanted alone. `starts` [files + 1]: the rows of
        file k are `starts[k]:starts[k + 1]`."""
        for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            if begin == end or self.keep[begin:end].any():
                continue
            inside = [(gone[begin:end], why) for gone, why in self._faults if gone[begin:end].any()]
            if inside:
                first, why = min(((int(gone.argmax()), why) for gone, why in inside), key=lambda one: one[0])
                yield Fallen(begin + first, why(begin + first), sum(int(gone.sum()) for gone, _ in inside))
