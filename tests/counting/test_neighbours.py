"""The nearest of each row against sorting all of them, in blocks of any size."""

from __future__ import annotations

import typing

import numpy as np
import pytest
import scipy.sparse as sp

from recollect.counting import neighbours
from recollect.counting.neighbours import Similarity, nearest
from recollect.counting.similarity import MEASURES, Profiles

from .brute import alike, best


def test_similarities_are_named_once() -> None:
    assert set(typing.get_args(Similarity)) == {*MEASURES, "embedding", "sequence"}


@pytest.mark.parametrize("pairs", [1, 50, 1 << 20])
@pytest.mark.parametrize("itself", [True, False])
@pytest.mark.parametrize(("measure", "keep"), [("jaccard", 4), ("pearson", 4), ("pearson", 20)])
def test_nearest_is_the_front_of_all(
    measure: str, keep: int, itself: bool, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "PAIRS", pairs)
    dense = np.random.default_rng(0).integers(0, 8, (25, 12)) // 6.0  # many ties, some rows without events
    dense[[0, 13, 24]] = 0
    rows = Profiles(sp.csr_array(dense), measure, 12)
    found = list(nearest(rows, rows, keep, itself=itself))
    assert [number for part, _ in found for number in range(25)[part]] == list(range(25))
    table = sp.vstack([near for _, near in found]).toarray()
    assert table.dtype == np.float32
    for a in range(25):
        expected = best([alike(measure, dense[a], other) for other in dense], keep, None if itself else a)
        assert {b: table[a, b] for b in np.flatnonzero(table[a])} == pytest.approx(expected)
    blocks = [len(range(25)[part]) for part, _ in found]
    assert (max(blocks) == 1) if pairs == 1 else (len(blocks) == 1) == (pairs > 50)
