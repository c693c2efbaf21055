"""How alike two orders of events are: the longest common subsequence or the edit distance of their last codes.

Source: Wagner & Fischer 1974, "The string-to-string correction problem": one table of prefixes a pair, its rows worked
out for many pairs at once. Only sequences that have a code in common are compared.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from recollect.config import Settings
from recollect.contracts import PAD
from recollect.counting.matrices import counts_of

CELLS = 1 << 20
"""Cells of the tables' rows that are held at a time: few enough to stay in a processor's cache."""


class SequenceSettings(Settings):
    """What of an order is compared, and how."""

    measure: Literal["lcs", "edit"] = "lcs"
    """`lcs`: longest common subsequence / the longer length. `edit`: 1 - edit distance / the longer length."""
    last: int = Field(20, ge=1, le=10_000)
    """How many of the last codes are looked at; the time of a comparison grows with its square."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sequences:
    """The last codes of many rows [n M], oldest first, padding after them; codes are below `size`.

    `shrink`: similarities are multiplied by c / (c + shrink), c the distinct codes in common.
    """

    codes: np.ndarray
    size: int
    measure: Literal["lcs", "edit"] = "lcs"
    shrink: float = 0.0

    def __len__(self) -> int:
        return len(self.codes)

    def part(self, rows: slice) -> Sequences:
        return dataclasses.replace(self, codes=self.codes[rows])

    @cached_property
    def lengths(self) -> np.ndarray:
        return (self.codes != PAD).sum(axis=1)

    @cached_property
    def sets(self) -> sp.csr_array:
        counts = counts_of(self.codes, self.size)
        counts.data[:] = 1
        return counts

    @cached_property
    def sets_across(self) -> sp.csr_array:
        return self.sets.T.tocsr()

    def work(self, known: Sequences) -> np.ndarray:
        """[n]: at most so many known rows have a code in common with each row."""
        return np.minimum(self.sets @ np.diff(known.sets_across.indptr), len(known))

    def similar(self, known: Sequences) -> sp.csr_array:
        """[n known] float64: the similarity of every pair that has a code in common."""
        both = self.sets @ known.sets_across
        row, column = np.repeat(np.arange(len(self)), np.diff(both.indptr)), both.indices
        longer = np.maximum(self.lengths[row], known.lengths[column])
        alike = np.empty(len(row))
        step = max(1, CELLS // known.codes.shape[1])
        for start in range(0, len(row), step):
            some = slice(start, start + step)
            a, b = self.codes[row[some]], known.codes[column[some]]
            alike[some] = longest_common(a, b) if self.measure == "lcs" else longer[some] - edit_distance(a, b)
        value = alike / longer
        if self.shrink:
            value *= both.data / (both.data + self.shrink)
        return sp.csr_array((value, column, both.indptr), shape=both.shape)


def longest_common(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a [P M], b [P N], padding after the codes -> [P]: the length of the longest common subsequence.

    L[i, j] = max(L[i-1, j], L[i, j-1], L[i-1, j-1] + (a_i = b_j)), a cell of all pairs at once.
    """
    along, across = _columns(a), _columns(np.where(b == PAD, -1, b))  # padding of b is no code of a, nor its padding
    row = np.zeros((len(across) + 1, len(b)), dtype=np.int16)
    for code in along:
        row[1:] = np.maximum(row[1:], row[:-1] + (across == code))
        for j in range(1, len(row)):  # NumPy's running maximum takes six times as long
            np.maximum(row[j], row[j - 1], out=row[j])
    return row[-1]


def edit_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a [P M], b [P N], padding after the codes -> [P]: how many codes must be put in, left out or changed.

    D[i, j] = min(D[i-1, j] + 1, D[i, j-1] + 1, D[i-1, j-1] + (a_i != b_j)), a cell of all pairs at once. What stands in
    padding never reaches D at the two lengths.
    """
    along, across = _columns(a), _columns(b)
    length_a, length_b = (a != PAD).sum(axis=1), (b != PAD).sum(axis=1)
    row = np.repeat(np.arange(len(across) + 1, dtype=np.int16)[:, None], len(b), axis=1)
    distance = length_b.copy()  # right where a is empty
    for done, code in enumerate(along, start=1):
        row[1:] = np.minimum(row[1:] + 1, row[:-1] + (across != code))
        row[0] = done
        for j in range(1, len(row)):
            np.minimum(row[j], row[j - 1] + 1, out=row[j])
        ended = np.flatnonzero(length_a == done)
        distance[ended] = row[length_b[ended], ended]
    return distance


def _columns(codes: np.ndarray) -> np.ndarray:
    """[P M] -> [M P], each place of all pairs side by side, as int32: items and users are fewer."""
    return np.ascontiguousarray(codes.T, dtype=np.int32)


def last_codes(codes: np.ndarray, offsets: np.ndarray, last: int) -> np.ndarray:
    """The last codes of each ragged row, oldest first: [rows last], padding after them."""
    lengths = np.minimum(np.diff(offsets), last)
    place = np.arange(last)
    filled = place < lengths[:, None]
    table = np.full(filled.shape, PAD, dtype=np.int32)
    table[filled] = codes[((offsets[1:] - lengths)[:, None] + place)[filled]]
    return table
