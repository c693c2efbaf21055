"""Item neighbours against dense brute force, with every similarity."""

from __future__ import annotations

import typing

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.config import ConfigError
from recollect.contracts import Catalog, Events
from recollect.counting import neighbours, scoring
from recollect.counting.neighbours import Similarity
from recollect.models.itemknn import ItemKNN

from ..counting.brute import alike, alike_in_order, best
from ..counting.material import SIZE, Rows, last_distinct, ragged, rows_of_items

SIMILARITIES = typing.get_args(Similarity)
TABLE = np.random.default_rng(5).normal(size=(SIZE, 3))
"""Vectors of items for similarity embedding, as a network would have them."""
rules = {"neighbours": st.integers(1, 8), "history": st.integers(1, 7)}
configs = st.one_of(
    st.builds(ItemKNN.Config, shrink=st.sampled_from([0.0, 3.0]), **rules),
    st.builds(
        ItemKNN.Config,
        similarity=st.sampled_from([name for name in SIMILARITIES if name != "embedding"]),
        shrink=st.sampled_from([0.0, 3.0]),
        sequence=st.sampled_from([{"last": 3}, {"measure": "edit"}]),
        **rules,
    ),
    st.builds(ItemKNN.Config, similarity=st.just("embedding"), **rules),
)


def fitted(rows: Rows, config: ItemKNN.Config) -> ItemKNN:
    model = ItemKNN(config, Catalog(SIZE))
    model.fit(ragged(rows), vectors=TABLE if config.similarity == "embedding" else None)
    return model


def dense_similar(rows: Rows, config: ItemKNN.Config) -> np.ndarray:
    """The similarity of all pairs of items, the nearest of each kept."""
    similar = np.zeros((SIZE, SIZE))
    for a in range(1, SIZE):
        values = [float("nan") if b == 0 else _alike(rows, config, a, b) for b in range(SIZE)]
        for b, value in best(values, config.neighbours, without=a).items():
            similar[a, b] = value
    return similar


def _alike(rows: Rows, config: ItemKNN.Config, a: int, b: int) -> float:
    if config.similarity == "embedding":
        return TABLE[a] @ TABLE[b] / (np.linalg.norm(TABLE[a]) * np.linalg.norm(TABLE[b]))
    if config.similarity == "sequence":
        # Material has one event a second, one user after the other: in order of time is in order of users.
        met_by = [[user + 1 for user, row in enumerate(rows) for met in row if met == item] for item in (a, b)]
        last = [users[-config.sequence.last :] for users in met_by]
        return alike_in_order(config.sequence.measure, *last, config.shrink)
    counts = [np.array([row.count(item) for row in rows], dtype=float) for item in (a, b)]
    return alike(config.similarity, *counts, config.shrink, config.smoothing)


@settings(max_examples=200)
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


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_blocks_of_items_and_users_change_nothing(similarity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    rows = [draw.integers(1, SIZE, 6).tolist() for _ in range(10)]
    config = ItemKNN.Config(neighbours=3, similarity=similarity)
    whole = fitted(rows, config)
    state = whole.advance(whole.fresh(10), Events.of(rows))
    scores = whole.score(state)
    monkeypatch.setattr(scoring, "CELLS", 2 * SIZE)
    monkeypatch.setattr(neighbours, "PAIRS", 2 * SIZE)
    blocked = fitted(rows, config)
    assert torch.equal(scores, blocked.score(state))
    assert all(torch.equal(tensor, blocked.tensors()[name]) for name, tensor in whole.tensors().items())


def test_an_item_is_no_neighbour_of_itself() -> None:
    model = fitted([[1, 1, 2], [1, 2]], ItemKNN.Config())
    scores = model.score(model.advance(model.fresh(1), Events.of([[1]])))
    assert scores[0, 1] == 0 and scores[0, 2] == pytest.approx(1.0)


def test_users_are_taken_in_order_of_time() -> None:
    """Three users came to items 1 and 2 in the same order, to item 3 the other way round."""
    histories = ragged([[1, 2, 3], [1, 2, 3], [1, 2, 3]])
    histories.times[:] = [10, 11, 32, 20, 21, 22, 30, 31, 12]
    model = ItemKNN(ItemKNN.Config(similarity="sequence"), Catalog(SIZE))
    model.fit(histories)
    scores = model.score(model.advance(model.fresh(1), Events.of([[1]])))
    assert scores[0, 2] == 1 and scores[0, 3] == pytest.approx(1 / 3)


def test_own_vectors_are_made_where_none_are_given() -> None:
    draw = np.random.default_rng(0)
    rows = [draw.integers(1 + 4 * (user % 2), 5 + 4 * (user % 2), 20).tolist() for user in range(30)]
    model = ItemKNN(ItemKNN.Config(similarity="embedding", embedding={"width": 2}), Catalog(SIZE))
    model.fit(ragged(rows))
    scores = model.score(model.advance(model.fresh(2), Events.of([[1], [6]])))
    assert scores[0, 2:5].min() > scores[0, 5:].max() and scores[1, 1:5].max() < scores[1, [5, 7, 8]].min()


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ConfigError, match="shrink"):
        ItemKNN(ItemKNN.Config(similarity="embedding", shrink=1.0), Catalog(SIZE))
    with pytest.raises(ConfigError, match="similarity=embedding"):
        ItemKNN(ItemKNN.Config(), Catalog(SIZE)).fit(ragged([[1, 2]]), vectors=TABLE)
