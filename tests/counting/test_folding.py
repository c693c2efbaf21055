"""What models that fold users in share, on one whose scores are the weights of what is remembered."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import Catalog, Events
from recollect.counting import scoring
from recollect.counting.folding import FoldIn, FoldInSettings

from .material import SIZE, Rows, last_distinct, ragged, rows_of_items


class Mirror(FoldIn):
    """Learns how many users met each item, and shows the row it is given."""

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"users": (self.catalog.size,)}

    def learn(self, matrix: sp.csr_array) -> Mapping[str, np.ndarray]:
        return {"users": matrix.sum(axis=0)}

    def answer(self, rows: sp.csr_array) -> np.ndarray:
        return rows.toarray()


def mirror(rows: Rows, **settings: float) -> Mirror:
    model = Mirror(FoldInSettings(**settings), Catalog(SIZE))
    model.fit(ragged(rows))
    return model


@given(rows_of_items, rows_of_items, st.integers(1, 5), st.sampled_from([1.0, 0.5]))
def test_rows_are_what_training_knew_of_the_memory(rows: Rows, asked: Rows, history: int, decay: float) -> None:
    asked = [[*row, SIZE - 1] for row in asked]  # the newest of everybody is a stranger
    model = mirror(rows, history=history, decay=decay)
    scores = model.score(model.advance(model.fresh(len(asked)), Events.of(asked))).numpy()
    events = [item for row in rows for item in row]
    counts = np.bincount(events, minlength=SIZE)
    for row, found in zip(asked, scores, strict=True):
        expected = np.zeros(SIZE)
        for age, item in enumerate(reversed(last_distinct(row, history))):
            expected[item] = decay**age if item in events else 0
        if not expected.any():
            expected = np.log((counts + 1) / (counts[1:] + 1).sum())
        assert np.allclose(found[1:], expected[1:]) and found[0] == -np.inf


def test_a_row_that_says_nothing_of_any_item_is_answered_by_popularity() -> None:
    class Silent(Mirror):
        def answer(self, rows: sp.csr_array) -> np.ndarray:
            return np.zeros(rows.shape, np.float32)

    model = Silent(FoldInSettings(), Catalog(SIZE))
    model.fit(ragged([[1, 1, 2]]))
    scores = model.score(model.advance(model.fresh(2), Events.of([[1], []])))
    assert torch.equal(scores[0], scores[1]) and scores[0, 1] > scores[0, 2] > scores[0, 3]


def test_tables_are_learned_from_users_not_events() -> None:
    assert mirror([[1, 1, 2], [2], []]).tensors()["users"].tolist() == [0, 1, 2, 0, 0, 0, 0, 0, 0]


def test_blocks_of_users_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    rows = [draw.integers(1, SIZE, draw.integers(0, 6)).tolist() for _ in range(10)]
    model = mirror(rows, decay=0.5)
    state = model.advance(model.fresh(10), Events.of(rows))
    scores = model.score(state)
    monkeypatch.setattr(scoring, "CELLS", 3 * SIZE)
    assert torch.equal(scores, model.score(state))


def test_tables_of_another_shape_are_refused() -> None:
    model = mirror([[1, 2]])
    with pytest.raises(ValueError, match=r"mirror: users has the shape \(3,\), not \(9,\)"):
        model.restore({**model.tensors(), "users": torch.zeros(3)})
