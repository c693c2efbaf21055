"""List metrics against definitions written out pair by pair."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cosine

from recollect.evaluate.lists import ListTally, gini

SIZE = 11
COUNTS = np.array([0, 50, 40, 9, 8, 7, 6, 5, 4, 3, 0])
VECTORS = np.random.default_rng(0).integers(0, 2, (SIZE, 6)).astype(float)
VECTORS[1:, 0] = 1  # no item is a vector of zeros
lists_of_codes = st.lists(st.permutations(range(1, SIZE)).map(lambda codes: codes[:4]), min_size=1, max_size=8)


@given(lists_of_codes, st.integers(0, 3), st.integers(1, 8))
def test_all_figures_are_those_written_out(lists, empty, cut):
    lists = [codes[: 4 - empty] + [0] * empty if row % 2 else codes for row, codes in enumerate(lists)]
    tally = ListTally(COUNTS, VECTORS)
    for begin in range(0, len(lists), cut):
        tally.add(np.array(lists[begin : begin + cut]))
    found = tally.result()
    shown = [code for codes in lists for code in codes if code]
    assert found.lists == len(lists)
    assert found.coverage == pytest.approx(len(set(shown)) / 10)
    chances = (COUNTS[1:] + 1) / (COUNTS[1:] + 1).sum()
    assert found.novelty == pytest.approx(np.mean([-np.log2(chances[code - 1]) for code in shown]))
    assert found.popularity_share == pytest.approx(np.mean([code in (1, 2) for code in shown]))
    exposure = [shown.count(code) for code in range(1, SIZE)]
    apart = np.mean([abs(a - b) for a, b in itertools.product(exposure, repeat=2)])
    assert found.exposure_gini == pytest.approx(apart / 2 / np.mean(exposure))
    pairs = [list(itertools.combinations([code for code in codes if code], 2)) for codes in lists]
    distances = [np.mean([cosine(VECTORS[a], VECTORS[b]) for a, b in two]) for two in pairs if two]
    assert found.diversity == pytest.approx(np.mean(distances), abs=1e-12)


def test_gini_at_its_ends():
    assert gini(np.ones(7)) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 5])) == pytest.approx(3 / 4)


def test_without_vectors_there_is_no_diversity_and_without_lists_no_figure():
    tally = ListTally(COUNTS)
    with pytest.raises(ValueError, match="no list"):
        tally.result()
    tally.add(np.array([[1, 2, 0]]))
    assert tally.result().diversity is None
    assert "coverage" in str(tally.result()) and "diversity" not in str(tally.result())
