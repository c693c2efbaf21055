"""Histories end to end: what their events weigh when every user is to count alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.histories import Ragged

LENGTHS = st.lists(st.integers(0, 6), min_size=1, max_size=6)


def histories(lengths: list[int], weights: np.ndarray | None = None) -> Ragged:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Ragged(np.arange(1, offsets[-1] + 1), np.arange(offsets[-1]), offsets, weights)


def per_row(rows: Ragged) -> np.ndarray:
    assert rows.weights is not None
    return np.bincount(np.repeat(np.arange(len(rows)), rows.lengths), rows.weights, minlength=len(rows))


@given(LENGTHS, st.floats(0, 1), st.data())
def test_the_sum_stays_and_events_of_one_user_keep_their_proportions(
    lengths: list[int], power: float, data: st.DataObject
) -> None:
    events = sum(lengths)
    own = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=events, max_size=events)))
    given_weights = None if data.draw(st.booleans()) else own.astype(np.float32)
    plain = np.ones(events) if given_weights is None else own
    before = histories(lengths, given_weights)
    after = before.users_alike(power)
    assert after.weights is not None and after.weights.sum() == pytest.approx(plain.sum(), rel=1e-5)
    for row in range(len(lengths)):
        at = slice(before.offsets[row], before.offsets[row + 1])
        assert np.outer(after.weights[at], plain[at]) == pytest.approx(np.outer(plain[at], after.weights[at]), rel=1e-5)


def test_with_a_power_of_one_users_weigh_alike_and_with_none_nothing_changes() -> None:
    rows = histories([1, 0, 4, 7])
    assert per_row(rows.users_alike(1.0)) == pytest.approx([4, 0, 4, 4])
    assert per_row(rows.users_alike(0.0)) == pytest.approx([1, 0, 4, 7])
    assert per_row(rows.users_alike(0.5)) == pytest.approx(12 * np.sqrt([1, 0, 4, 7]) / np.sqrt([1, 4, 7]).sum())
