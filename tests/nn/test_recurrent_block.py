"""The LSTM in an xLSTM block's place: its windows are runs of torch's LSTM over the real cells alone."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from recollect.contracts import Events
from recollect.nn.recurrent_block import RecurrentBlock


def made(feedforward: float = 1.0) -> RecurrentBlock:
    torch.manual_seed(0)
    return RecurrentBlock(6, 0.5, feedforward).eval()


def alone(block: RecurrentBlock, x: torch.Tensor) -> torch.Tensor:
    """One user's events [T D], straight through torch's LSTM."""
    layer = block.lstm.layers[0]
    y = x + layer(F.layer_norm(x, (6,))[None])[0][0]
    return y if block.feedforward is None else block.feedforward(y)


@given(left=st.integers(0, 4), right=st.integers(0, 4), real=st.integers(1, 6))
def test_windows_are_read_over_their_real_cells(left: int, right: int, real: int) -> None:
    block = made()
    x = torch.randn(2, left + real + right, 6)
    valid = torch.zeros(2, x.shape[1], dtype=torch.bool)
    valid[0, left : left + real] = True
    valid[1] = True
    got = block.encode(x, valid)
    torch.testing.assert_close(got[0, left : left + real], alone(block, x[0, left : left + real]))
    torch.testing.assert_close(got[1], alone(block, x[1]))
    torch.testing.assert_close(block.encode(x, valid, 1), got[:, -1:])


def test_a_window_of_nothing_is_finite() -> None:
    block = made()
    assert block.encode(torch.randn(2, 4, 6), torch.zeros(2, 4, dtype=torch.bool)).isfinite().all()


def test_without_feedforward_and_as_a_long_block() -> None:
    block, x = made(0), torch.randn(1, 5, 6)
    y, _ = block(x, Events(torch.ones(1, 5, dtype=torch.int64), torch.tensor([5])), block.fresh(1))
    torch.testing.assert_close(y[0], alone(block, x[0]))
