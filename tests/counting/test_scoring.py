"""Scoring in blocks gives what scoring at once gives, whatever the block; popularity is a probability."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recollect.counting import scoring
from recollect.counting.scoring import log_popularity, score_in_blocks


@pytest.mark.parametrize("cells", [1, 15, 1 << 20])
@pytest.mark.parametrize("items", [None, torch.tensor([3, 0, 3]), torch.tensor([[1, 2], [0, 4], [4, 4], [2, 1]])])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, cells: int, items: torch.Tensor | None) -> None:
    monkeypatch.setattr(scoring, "CELLS", cells)
    dense = np.arange(20, dtype=np.float32).reshape(4, 5)
    answer = score_in_blocks(lambda rows: dense[rows].copy(), 4, 5, items, torch.device("cpu"))
    expected = torch.from_numpy(dense).clone()
    expected[:, 0] = -torch.inf
    if items is not None:
        expected = expected.gather(1, items.expand(4, -1))
    assert torch.equal(answer, expected)


def test_no_users_have_no_scores() -> None:
    answer = score_in_blocks(lambda rows: np.empty((0, 5), np.float32), 0, 5, None, torch.device("cpu"))
    assert answer.shape == (0, 5)


def test_log_popularity_is_the_share_of_events() -> None:
    shares = np.exp(log_popularity(np.array([0, 3, 0, 1])))
    assert np.allclose(shares[1:], [4 / 7, 1 / 7, 2 / 7])
