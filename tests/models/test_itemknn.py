"""Item neighbours against dense brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import Catalog, Events
from recollect.counting import scoring
from recollect.models.itemknn import ItemKNN

from ..counting.material import SIZE, Rows, last_distinct, ragged, rows_of_items

configs = st.builds(
    ItemKNN.Config, neighbours=st.integers(1, 8), shrink=st.sampled_from([0.0, 3.0]), history=st.integers(1, 7)
)


def fitted(rows: Rows, config: ItemKNN.Config) -> ItemKNN:
    model = ItemKNN(config, Catalog(SIZE))
    model.fit(ragged(rows))
    return model


def dense_similar(rows: Rows, config: ItemKNN.Config) -> np.ndarray:
    """Cosine of the items' sets of users, the nearest of each row kept, ties to the smaller code."""
    met_by = [{user for user, row in enumerate(rows) if item in row} for item in range(SIZE)]
    similar = np.zeros((SIZE, SIZE))
    for a in range(SIZE):
        nearest = []
        for b in range(SIZE):
            if a != b and met_by[a] & met_by[b]:
                cosine = len(met_by[a] & met_by[b]) / (
                    (len(met_by[a]) ** 0.5) * (len(met_by[b]) ** 0.5) + config.shrink
                )
                nearest.append((-np.float32(cosine), b))
        for negative, b in sorted(nearest)[: config.neighbours]:
            similar[a, b] = -negative
    return similar


@given(rows_of_items, rows_of_items, configs)
def test_scores_are_the_definition(rows: Rows, asked: Rows, config: ItemKNN.Config) -> None:
    model = fitted(rows, config)
    scores = model.score(model.advance(model.fresh(len(asked)), Events.of(asked)))
    similar = dense_similar(rows, config)
    counts = np.bincount([item for row in rows for item in row], minlength=SIZE) + 1.0
    for history, row in zip(asked, scores, strict=True):
        expected = similar[last_distinct(history, config.history)].sum(0)
        if not expected.any():
            expected = np.log(counts / counts[1:].sum())
        assert np.allclose(row[1:].numpy(), expected[1:], rtol=1e-5, atol=1e-6)


def test_blocks_of_items_and_users_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    rows = [draw.integers(1, SIZE, 6).tolist() for _ in range(10)]
    config = ItemKNN.Config(neighbours=3)
    whole = fitted(rows, config)
    state = whole.advance(whole.fresh(10), Events.of(rows))
    scores = whole.score(state)
    monkeypatch.setattr(scoring, "CELLS", 2 * SIZE)
    blocked = fitted(rows, config)
    assert torch.equal(scores, blocked.score(state))
    assert all(torch.equal(tensor, blocked.tensors()[name]) for name, tensor in whole.tensors().items())


def test_an_item_is_no_neighbour_of_itself() -> None:
    model = fitted([[1, 1, 2], [1, 2]], ItemKNN.Config())
    scores = model.score(model.advance(model.fresh(1), Events.of([[1]])))
    assert scores[0, 1] == 0 and scores[0, 2] == pytest.approx(1.0)
