"""Markov against the definition, computed densely with plain loops; on ML-1M, against the known floor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import Catalog, Events
from recollect.counting import scoring
from recollect.models.markov import Markov

from ..counting.material import SIZE, Rows, ragged, rows_of_items


def dense_steps(rows: Rows, config: Markov.Config) -> np.ndarray:
    """T[a, b], pair by pair."""
    seen = np.zeros(SIZE)
    steps = np.zeros((SIZE, SIZE))
    for row in rows:
        for place, after in enumerate(row):
            seen[after] += 1
            for gap in range(1, config.gaps + 1):
                if place - gap >= 0:
                    steps[row[place - gap], after] += config.decay ** (gap - 1)
    seen += config.shrink
    return steps / (seen[:, None] ** config.source_power * seen[None, :] ** config.target_power)


def dense_scores(rows: Rows, history: list[int], config: Markov.Config) -> np.ndarray:
    steps = dense_steps(rows, config)
    total = np.zeros(SIZE)
    for back, item in enumerate(reversed(history[-config.recent :])):
        total += config.decay**back * steps[item]
    if not total.any():  # nothing ever followed these items
        counts = np.bincount([item for row in rows for item in row], minlength=SIZE) + 1.0
        total = np.log(counts / counts[1:].sum())
    return total[1:]


def fitted(rows: Rows, config: Markov.Config) -> Markov:
    model = Markov(config, Catalog(SIZE))
    model.fit(ragged(rows))
    return model


@given(rows_of_items, rows_of_items, st.sampled_from([Markov.Config(), Markov.Config(gaps=2, recent=3, decay=0.5)]))
def test_scores_are_the_definition(rows: Rows, asked: Rows, config: Markov.Config) -> None:
    model = fitted(rows, config)
    scores = model.score(model.advance(model.fresh(len(asked)), Events.of(asked)))
    for history, row in zip(asked, scores, strict=True):
        assert np.allclose(row[1:].numpy(), dense_scores(rows, history, config), rtol=1e-5, atol=1e-7)
    assert (scores[:, 0] == -torch.inf).all()


def test_blocks_of_users_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    rows = [draw.integers(1, SIZE, 20).tolist() for _ in range(10)]
    model = fitted(rows, Markov.Config())
    state = model.advance(model.fresh(10), Events.of(rows))
    whole, some = model.score(state), model.score(state, items=torch.tensor([3, 1]))
    monkeypatch.setattr(scoring, "CELLS", 3 * SIZE)
    assert torch.equal(whole, model.score(state)) and torch.equal(some, model.score(state, items=torch.tensor([3, 1])))
    assert model.score(model.fresh(0)).shape == (0, SIZE)


def test_state_is_the_last_codes() -> None:
    model = fitted([[1, 2]], Markov.Config(recent=3))
    state = model.advance(model.fresh(2), Events.of([[1, 2, 3, 4, 4], [7]]))
    assert state["recent"].tolist() == [[3, 4, 4], [7, 0, 0]] and state["held"].tolist() == [3, 1]
    assert state.bytes_per_user == 8 * 4


@pytest.mark.parametrize("config", [{"gaps": 0}, {"decay": 0}, {"decay": 1.1}, {"recent": 0}, {"shrink": 0}])
def test_settings_out_of_range(config: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Markov.Config(**config)
