"""Popularity against plain counting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from recollect.config import ConfigError
from recollect.contracts import Catalog, Events
from recollect.data.histories import Ragged
from recollect.models.popularity import Popularity

HISTORIES = Ragged(np.array([1, 2, 2, 3, 2]), np.array([0, 86_400, 2 * 86_400, 0, 9 * 86_400]), np.array([0, 3, 3, 5]))


def test_scores_are_log_shares_and_the_same_for_everybody() -> None:
    model = Popularity(Popularity.Config(), Catalog(5))
    model.fit(HISTORIES)
    scores = model.score(model.advance(model.fresh(2), Events.of([[1, 1, 3], []])))
    expected = torch.tensor([-torch.inf, *np.log(np.array([2, 4, 2, 1]) / 9)], dtype=torch.float32)
    assert torch.allclose(scores, expected.expand(2, -1))
    assert float(scores[0].softmax(0).sum()) == pytest.approx(1) and torch.allclose(
        scores[0].exp().sum(), torch.ones(())
    )


def test_only_recent_events_where_asked() -> None:
    model = Popularity(Popularity.Config(days=8), Catalog(5))
    model.fit(HISTORIES)
    assert model.tensors()["counts"].tolist() == [0, 0, 2, 0, 0]  # days 2 and 9; day 1 is not less than 8 days ago


def test_an_empty_log_gives_equal_shares() -> None:
    model = Popularity(Popularity.Config(days=1), Catalog(4))
    model.fit(Ragged(np.array([], dtype=np.int64), np.array([], dtype=np.int64), np.array([0, 0])))
    assert torch.allclose(model.score(model.fresh(1)).exp()[0], torch.tensor([0, 1, 1, 1]) / 3)


@pytest.mark.parametrize("values", [{"days": 0}, {"smoothing": 0}, {"smoothing": -1}, {"half_life": 0}])
def test_settings_out_of_range(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Popularity.Config(**values)


def test_events_lose_worth_by_their_age() -> None:
    model = Popularity(Popularity.Config(half_life=3), Catalog(5))
    model.fit(HISTORIES)
    expected = np.zeros(5)
    for item, time in zip(HISTORIES.items, HISTORIES.times, strict=True):
        expected[item] += 2.0 ** (-(9 * 86_400 - time) / (3 * 86_400))
    assert np.allclose(model.tensors()["counts"].numpy(), expected)
    shares = np.log((expected + 1) / (expected[1:] + 1).sum())
    assert np.allclose(model.score(model.fresh(1))[0, 1:].numpy(), shares[1:])


def test_a_window_and_a_half_life_go_together() -> None:
    model = Popularity(Popularity.Config(days=8, half_life=7), Catalog(5))
    model.fit(HISTORIES)
    assert model.tensors()["counts"].tolist() == [0, 0, 1.5, 0, 0]


@pytest.mark.parametrize("values", [{"days": 3}, {"half_life": 3}])
def test_a_log_without_clock_is_answered(values: dict[str, float]) -> None:
    order = Ragged(np.array([1, 2, 2, 3, 2]), np.array([0, 1, 2, 0, 1]), np.array([0, 3, 3, 5]))
    Popularity(Popularity.Config(), Catalog(5)).fit(order)
    with pytest.raises(ConfigError, match="clock"):
        Popularity(Popularity.Config(**values), Catalog(5)).fit(order)
