"""An LSTM where an xLSTM block would stand: what the ablations `w/o MTX` and `w/o MIX` of xLSTM-LSR put in its place.

Source: xLSTM-LSR sec. 5.6.1, which says no more than that. Norm, residual and feed-forward are those of the blocks it
replaces. With the xLSTM cell go its convolution, the norm of its heads, the wide projections and branch gate of an
mLSTM block, and gates that start at remembering for long; here torch's LSTM starts at forgetting half. What such an
ablation shows is therefore the worth of a whole block, not of the cell alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recollect.contracts import Events, State
from recollect.nn.dropout import Dropout
from recollect.nn.feedforward import GatedFeedForward
from recollect.nn.recurrent import Recurrent


class RecurrentBlock(nn.Module):
    """x [B T D] -> [B T D], as a long block with its state, or over windows that start from nothing (`encode`)."""

    def __init__(self, width: int, dropout: float, feedforward: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.lstm = Recurrent("lstm", width, width)
        self.dropout = Dropout(dropout)
        self.feedforward = GatedFeedForward(width, feedforward, dropout) if feedforward else None

    def fresh(self, users: int) -> State:
        return self.lstm.fresh(users)

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        h, state = self.lstm(self.norm(x), events, state)
        x = x + self.dropout(h)
        return (x if self.feedforward is None else self.feedforward(x)), state

    def encode(self, x: Tensor, valid: Tensor, last: int | None = None) -> Tensor:
        """Windows x [N W D]; `valid` [N W] False on padding, left or right -> what stands at the `last` cells.

        [N last D]; unset, all cells: [N W D].
        """
        # Real events move to the front, where an LSTM starts, and back: a stable sort of the mask is that move.
        order = (~valid).to(torch.int8).argsort(dim=1, stable=True)[:, :, None].expand_as(x)
        events = Events(order[:, :, 0], valid.sum(1))
        packed, _ = self(x.gather(1, order), events, self.fresh(len(x)))
        unpacked = torch.empty_like(packed).scatter_(1, order, packed)
        return unpacked if last is None else unpacked[:, x.shape[1] - last :]
