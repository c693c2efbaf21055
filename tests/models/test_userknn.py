"""User neighbours against dense brute force, with every similarity."""

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
from recollect.models.userknn import UserKNN

from ..counting.brute import alike, alike_in_order, best
from ..counting.material import SIZE, Rows, ragged, rows_of_items

SIMILARITIES = typing.get_args(Similarity)
TABLE = np.random.default_rng(5).normal(size=(SIZE, 3)).astype(np.float32)
"""Vectors of items for similarity embedding, as a network would have them."""
rules = {"neighbours": st.integers(1, 5), "history": st.integers(1, 9), "normalise": st.booleans()}
configs = st.one_of(
    st.builds(
        UserKNN.Config,
        similarity=st.sampled_from([name for name in SIMILARITIES if name != "embedding"]),
        shrink=st.sampled_from([0.0, 3.0]),
        sequence=st.sampled_from([{"last": 3}, {"measure": "edit"}]),
        **rules,
    ),
    st.builds(UserKNN.Config, similarity=st.just("embedding"), **rules),
)


def fitted(rows: Rows, config: UserKNN.Config) -> UserKNN:
    model = UserKNN(config, Catalog(SIZE))
    model.fit(ragged(rows), vectors=TABLE if config.similarity == "embedding" else None)
    return model


def dense_scores(rows: Rows, history: list[int], config: UserKNN.Config) -> np.ndarray:
    """The votes of the nearest users, each compared with by the definition."""
    near = best([_alike(history, row, config) for row in rows], config.neighbours)
    total = np.zeros(SIZE)
    for user, value in near.items():
        total[list(set(rows[user]))] += value / (sum(near.values()) if config.normalise else 1)
    if not near:
        counts = np.bincount([item for row in rows for item in row], minlength=SIZE) + 1.0
        total = np.log(counts / counts[1:].sum())
    return total[1:]


def _alike(history: list[int], row: list[int], config: UserKNN.Config) -> float:
    if config.similarity == "sequence":
        last = config.sequence.last
        return alike_in_order(config.sequence.measure, history[-last:], row[-last:], config.shrink)
    history = history[-config.history :]
    if config.similarity == "embedding":
        if not history or not row:
            return float("nan")
        x, y = TABLE[history].astype(float).mean(0), TABLE[row].astype(float).mean(0)
        return x @ y / (np.linalg.norm(x) * np.linalg.norm(y))
    counts = [np.bincount(items, minlength=SIZE)[1:].astype(float) for items in (history, row)]
    return alike(config.similarity, *counts, config.shrink, config.smoothing)


@settings(max_examples=200)
@given(rows_of_items, rows_of_items, configs)
def test_scores_are_the_definition(rows: Rows, asked: Rows, config: UserKNN.Config) -> None:
    model = fitted(rows, config)
    scores = model.score(model.advance(model.fresh(len(asked)), Events.of(asked)))
    for history, row in zip(asked, scores, strict=True):
        assert np.allclose(row[1:].numpy(), dense_scores(rows, history, config), rtol=1e-5, atol=1e-6)
    assert (scores[:, 0] == -torch.inf).all()


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_blocks_of_users_change_nothing(similarity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    rows = [draw.integers(1, SIZE, 6).tolist() for _ in range(10)]
    model = fitted(rows, UserKNN.Config(neighbours=3, similarity=similarity))
    state = model.advance(model.fresh(10), Events.of(rows))
    scores = model.score(state)
    for cells, pairs in ((2 * SIZE, 1 << 20), (1 << 20, 20), (3 * SIZE, 1)):
        monkeypatch.setattr(scoring, "CELLS", cells)
        monkeypatch.setattr(neighbours, "PAIRS", pairs)
        assert torch.equal(scores, model.score(state))


def test_repeats_count_where_counts_are_compared() -> None:
    """Both users share items 1 and 2 with who asks; only the second met item 1 as often."""
    rows = [[1, 2, 2, 2, 3], [1, 1, 1, 2, 4]]
    for similarity, differ in (("euclidean", True), ("bhattacharyya", True), ("cosine", False), ("hamming", False)):
        model = fitted(rows, UserKNN.Config(similarity=similarity))
        scores = model.score(model.advance(model.fresh(1), Events.of([[1, 1, 1, 2]])))
        assert (scores[0, 4] > scores[0, 3]) == differ, similarity


def test_normalised_scores_are_shares() -> None:
    rows = [[1, 2], [1, 3], [1, 3, 4]]
    model = fitted(rows, UserKNN.Config(normalise=True))
    scores = model.score(model.advance(model.fresh(1), Events.of([[1]])))
    assert scores[0, 1] == pytest.approx(1) and 0 < scores[0, 4] < scores[0, 3] < 1


def test_own_vectors_are_made_where_none_are_given() -> None:
    draw = np.random.default_rng(0)
    rows = [draw.integers(1 + 4 * (user % 2), 5 + 4 * (user % 2), 20).tolist() for user in range(30)]
    model = UserKNN(UserKNN.Config(similarity="embedding", embedding={"width": 2}, neighbours=5), Catalog(SIZE))
    model.fit(ragged(rows))
    scores = model.score(model.advance(model.fresh(2), Events.of([[1], [6]])))
    assert scores[0, 1:5].min() > scores[0, 5:].max() and scores[1, 1:5].max() < scores[1, 5:].min()
    returned = UserKNN(model.config, model.catalog)
    returned.restore(model.tensors())
    state = model.advance(model.fresh(1), Events.of([[2, 7]]))
    assert torch.equal(model.score(state), returned.score(state))


def test_a_stored_model_names_nobody_and_is_checked() -> None:
    model = fitted([[1, 2], [3]], UserKNN.Config(similarity="sequence"))
    tensors = dict(model.tensors())
    assert set(tensors) == {"counts", "met.offsets", "met.items", "met.values", "last"}
    returned = UserKNN(model.config, model.catalog)
    for name, wrong in (("last", tensors["last"][:, :-1]), ("last", tensors["last"][:1]), ("counts", torch.ones(3))):
        with pytest.raises(ValueError, match="userknn"):
            returned.restore({**tensors, name: wrong})
    returned.restore(tensors)
    state = model.advance(model.fresh(1), Events.of([[3, 2]]))
    assert torch.equal(model.score(state), returned.score(state))


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ConfigError, match="shrink"):
        UserKNN(UserKNN.Config(similarity="embedding", shrink=1.0), Catalog(SIZE))
    with pytest.raises(ConfigError, match="similarity=embedding"):
        UserKNN(UserKNN.Config(), Catalog(SIZE)).fit(ragged([[1, 2]]), vectors=TABLE)
