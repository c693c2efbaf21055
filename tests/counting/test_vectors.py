"""Item vectors against the dense decomposition of the counted definition; means and cosines against loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.config import ConfigError
from recollect.counting import vectors
from recollect.counting.matrices import counted
from recollect.counting.vectors import (
    EmbeddingSettings,
    Vectors,
    given_vectors,
    item_vectors,
    mean_vectors,
    positive_information,
)
from recollect.data.histories import Ragged

from .material import SIZE, Rows, ragged, rows_of_items


def dense_information(rows: Rows, size: int, within: int) -> np.ndarray:
    near = np.zeros((size, size))
    for row in rows:
        for i, a in enumerate(row):
            for j, b in enumerate(row):
                near[a, b] += 0 < abs(i - j) <= within
    expected = np.zeros_like(near)
    for a, b in zip(*near.nonzero(), strict=True):
        expected[a, b] = max(0, np.log(near[a, b] * near.sum() / (near[a].sum() * near[b].sum())))
    return expected


@given(rows_of_items, st.integers(1, 4))
def test_information_is_the_definition(rows: Rows, within: int) -> None:
    found = positive_information(ragged(rows), SIZE, within).toarray()
    assert np.allclose(found, dense_information(rows, SIZE, within), atol=1e-12)


def topics() -> Ragged:
    """Histories that stay in one of three topics of 40 items, where items near in number follow each other."""
    draw = np.random.default_rng(0)
    starts = draw.integers(0, 3, 400) * 40
    rows = [(1 + start + (draw.integers(0, 40) + draw.integers(-3, 4, 25)) % 40).tolist() for start in starts]
    return ragged(rows)


@pytest.mark.parametrize("dense", [True, False])
def test_vectors_are_the_leading_part_of_the_decomposition(dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "DENSE", 1000 if dense else 0)
    found = item_vectors(topics(), 125, EmbeddingSettings(width=6))
    left, strength, _ = np.linalg.svd(positive_information(topics(), 125, 5).toarray())
    # Vectors may be turned; what does not turn is every product of two of them.
    expected = (left[:, :6] * strength[:6]) @ left[:, :6].T
    assert np.allclose(found @ found.T, expected, atol=1e-4 * strength[0])
    assert not found[0].any() and not found[121:].any()
    assert np.array_equal(found, item_vectors(topics(), 125, EmbeddingSettings(width=6)))


def test_items_of_one_topic_are_alike() -> None:
    table = Vectors(item_vectors(topics(), 121, EmbeddingSettings(width=12))[1:])
    cosine = table.similar(table).toarray()
    within = np.repeat(np.eye(3), 40, 0).repeat(40, 1).astype(bool)
    assert cosine[within].mean() > 10 * cosine[~within].mean()


@pytest.mark.parametrize("rows", [[[]], [[3]], [[1], [2]], [[1, 2]], [[1, 1, 1]]])
def test_logs_that_say_next_to_nothing(rows: Rows) -> None:
    found = item_vectors(ragged(rows), SIZE, EmbeddingSettings(width=4))
    assert found.shape == (SIZE, 4) and np.isfinite(found).all()


@given(rows_of_items)
def test_means_are_over_events(rows: Rows) -> None:
    table = np.random.default_rng(0).normal(size=(SIZE, 3)).astype(np.float32)
    found = mean_vectors(counted(ragged(rows), SIZE), table)
    for row, mean in zip(rows, found, strict=True):
        assert np.allclose(mean, table[row].astype(np.float64).mean(0) if row else 0)


def test_similarity_is_the_cosine_where_it_is_above_zero() -> None:
    draw = np.random.default_rng(0)
    one, two = draw.normal(size=(8, 3)), draw.normal(size=(9, 3))
    one[4] = 0
    found = Vectors(one).similar(Vectors(two)).toarray()
    for a in range(8):
        for b in range(9):
            cosine = 0 if a == 4 else one[a] @ two[b] / (np.linalg.norm(one[a]) * np.linalg.norm(two[b]))
            assert abs(found[a, b] - max(0, cosine)) < 1e-6


def test_given_vectors_are_checked_and_not_changed() -> None:
    table = torch.ones(4, 2, requires_grad=True)
    taken = given_vectors(table, 4)
    assert taken.dtype == np.float32 and not taken[0].any() and taken[1:].all() and table[0].all()
    array = np.ones((4, 2), np.float32)
    given_vectors(array, 4)
    assert array.all()
    for wrong in (np.ones((5, 2)), np.ones(4), np.full((4, 2), np.nan)):
        with pytest.raises(ConfigError, match="vectors"):
            given_vectors(wrong, 4)
