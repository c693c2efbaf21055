"""Classical recurrent layers (torch.nn) with a state per user that stops at the user's last event.

Source: Elman 1990 (RNN), Cho et al. 2014 (GRU), Hochreiter & Schmidhuber 1997 (LSTM). torch gives h at every position,
and c only at the end of what it was handed, so the LSTM is handed packed sequences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recollect.contracts import Events, State, take_last
from recollect.nn.precision import full_precision

Kind = Literal["rnn", "gru", "lstm"]
"""rnn: the plain cell, h_t = tanh(W x_t + U h_{t-1} + b)."""

_LAYERS: dict[Kind, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(nn.Module):
    """x [B T D] -> h [B T hidden] in fp32; state: `h` (and `c` for an LSTM), each [B layers*hidden]."""

    def __init__(self, kind: Kind, width: int, hidden: int, layers: int = 1) -> None:
        super().__init__()
        make = _LAYERS[kind]
        sizes = [width] + [hidden] * (layers - 1)
        # One module a layer, so that every layer's output, and with it the state at any length, is seen.
        self.layers = nn.ModuleList([make(size, hidden, batch_first=True) for size in sizes])
        self.kind, self.hidden = kind, hidden

    def fresh(self, users: int) -> State:
        zero = next(self.parameters()).new_zeros(users, len(self.layers) * self.hidden)
        return State({"h": zero, "c": zero.clone()} if self.kind == "lstm" else {"h": zero})

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        if x.shape[0] == 0 or x.shape[1] == 0:
            return x.new_zeros(*x.shape[:2], self.hidden, dtype=torch.float32), state
        ends: dict[str, list[Tensor]] = {name: [] for name in state}
        starts = {name: tensor.chunk(len(self.layers), dim=-1) for name, tensor in state.items()}
        with torch.autocast(x.device.type, enabled=False), full_precision(x.device):
            x = x.float()
            for depth, layer in enumerate(self.layers):
                start = {name: parts[depth].contiguous() for name, parts in starts.items()}
                if self.kind == "lstm":
                    x, c = self._lstm(layer, x, events.lengths, start)
                    ends["c"].append(torch.where((events.lengths > 0)[:, None], c, start["c"]))
                else:
                    x, _ = layer(x, start["h"].unsqueeze(0))
                ends["h"].append(take_last(x, events.lengths, start["h"]))
        return x, State({name: torch.cat(parts, dim=-1) for name, parts in ends.items()})

    def _lstm(self, layer: nn.Module, x: Tensor, lengths: Tensor, start: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        out, (_, c) = layer(packed, (start["h"].unsqueeze(0), start["c"].unsqueeze(0)))
        return pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])[0], c.squeeze(0)
