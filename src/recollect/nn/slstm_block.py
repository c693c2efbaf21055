"""The block around the sLSTM cell: normalise, convolve, remember with mixing, add; then a gated feed-forward.

Source: xLSTM-LSR sec. 4.4; Beck et al. 2024, fig. 9. The convolution feeds the input and forget gates only.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.config import ConfigError, Settings
from recollect.contracts import Events, State
from recollect.nn import slstm
from recollect.nn.conv import CausalConv
from recollect.nn.dropout import Dropout
from recollect.nn.feedforward import GatedFeedForward
from recollect.nn.initialisation import (
    Initialisation,
    Place,
    power_law,
    start_convolution,
    start_feedforward,
    start_small,
)
from recollect.nn.matrix_memory import Gate
from recollect.nn.norm import HeadNorm
from recollect.nn.projection import BlockLinear
from recollect.nn.slstm_windows import overlapped_scan
from recollect.nn.windows import grid, overlapped


class SLSTMSettings(Settings):
    """How an sLSTM block is built."""

    heads: int = Field(4, ge=1)
    """Groups of cells that mix with each other and not across groups."""
    convolution: int = Field(4, ge=1)
    """Width of the causal convolution that feeds the input and forget gates."""
    block: int = Field(0, ge=0)
    """Block size of the gate projections (the paper: 4); 0 is dense."""
    input_gate: Gate = "exp"
    """sigmoid is the paper's ablation `w/o MIXE`."""
    forget_gate: Gate = "sigmoid"
    """The paper prints an exponential one (eq. 20); every working implementation takes the sigmoid."""
    forget_range: tuple[float, float] = (3.0, 6.0)
    """Start of the forget gate's input, spread over the heads: it keeps sigmoid(low) to sigmoid(high)."""
    feedforward: float = Field(4 / 3, ge=0)
    """Width factor of the gated feed-forward behind the cell; 0 leaves it out."""
    activation: Literal["silu", "gelu"] = "silu"
    """Of the feed-forward's gate (the xLSTM code: gelu)."""
    initialisation: Initialisation = "own"
    """own: projections and mixing start uniform, as torch's layers do; nxai: as in NX-AI's code, projections normal and
    smaller, no mixing, the forget gate spread over the channels by a power law, in place of `forget_range`."""


class SLSTMBlock(nn.Module):
    """x [B T D] -> [B T D]: over a whole history with its state, or over windows that start from nothing (`encode`)."""

    def __init__(self, width: int, settings: SLSTMSettings, dropout: float, place: Place = (0, 1)) -> None:
        super().__init__()
        if width % settings.heads:
            raise ConfigError(f"an sLSTM block of width {width} does not divide into {settings.heads} heads")
        self.settings, self.size = settings, width // settings.heads
        self.norm = nn.LayerNorm(width)
        self.conv = CausalConv(width, settings.convolution)
        self.z, self.i, self.f, self.o = (BlockLinear(width, settings.block or width) for _ in range(4))
        heads, size = settings.heads, self.size
        self.mixing = nn.Parameter(torch.empty(heads, 4, size, size).uniform_(-(size**-0.5), size**-0.5))
        self.bias = nn.Parameter(torch.zeros(heads, 4, size))
        with torch.no_grad():
            start = torch.linspace(*settings.forget_range, heads)
            self.bias[:, 2] = (start if settings.forget_gate == "sigmoid" else F.logsigmoid(start))[:, None]
        self.head_norm = HeadNorm(heads, size)
        self.dropout = Dropout(dropout)
        activation = F.gelu if settings.activation == "gelu" else F.silu
        self.feedforward = (
            GatedFeedForward(width, settings.feedforward, dropout, activation=activation)
            if settings.feedforward
            else None
        )
        if settings.initialisation == "nxai":
            self._start_as_nxai(width, place)

    def _start_as_nxai(self, width: int, place: Place) -> None:
        settings = self.settings
        if settings.forget_range != SLSTMSettings.model_fields["forget_range"].default:
            raise ConfigError("slstm.forget_range: initialisation nxai has a range of its own; leave it out")
        for layer in (self.z, self.i, self.f, self.o):
            start_small(layer, width)
        start_convolution(self.conv)
        start_feedforward(self.feedforward, width, place)
        nn.init.zeros_(self.mixing)
        with torch.no_grad():
            start = power_law(self.size, place)
            self.bias[:, 2] = start if settings.forget_gate == "sigmoid" else F.logsigmoid(start)

    def fresh(self, users: int) -> State:
        """`tail`: the convolution's last inputs; `cell`, `norm`, `hidden`, `peak`: the memory, [B H d] each."""
        memory = slstm.Memory.zeros(self.settings.heads, self.size, users, device=self.bias.device)
        return State({"tail": self.conv.fresh(users), **_users_first(memory)})

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        if x.shape[1] == 0:
            return x, state
        inner = self.norm(x)
        mixed, tail = self.conv(inner, events.lengths, state["tail"])
        memory = slstm.Memory(*(state[name].permute(1, 2, 0).contiguous() for name in slstm.Memory._fields))
        x, memory = self._remember(x, inner, F.silu(mixed), events.mask, memory)
        return x, State({"tail": tail, **_users_first(memory)})

    def encode(self, x: Tensor, valid: Tensor, last: int | None = None) -> Tensor:
        """Windows x [N W D]; `valid` [N W] is False on padding, left or right -> what stands at the `last` cells.

        [N last D]; unset, all cells: [N W D].
        """
        inner = torch.where(valid[:, :, None], self.norm(x), 0.0)
        mixed = self._mixed(inner)
        kind = {"device": x.device, "dtype": self.bias.dtype}
        memory = slstm.Memory.zeros(self.settings.heads, self.size, x.shape[0], **kind)
        return self._remember(x, inner, mixed, valid, memory, last)[0]

    def encode_overlapped(self, x: Tensor, valid: Tensor, size: int, offset: int) -> Tensor:
        """`overlapped(x, valid, size, self.encode, offset)`, where nothing that both windows of an event share is made
        twice; x [B size-1+T D] -> [B T D]."""
        if not self._shares_windows(size) or x.shape[1] < size:
            return overlapped(x, valid, size, self.encode, offset)
        (B, cells, _), T = x.shape, x.shape[1] - size + 1
        left, blocks = grid(T, size, offset)
        right = (blocks + 1) * size - cells - left
        x, valid = F.pad(x, (0, 0, left, right)), F.pad(valid, (left, right))
        inner = torch.where(valid[:, :, None], self.norm(x), 0.0)
        before = self.conv.width - 1
        mixed = self._mixed(inner)
        edges = inner.view(B, blocks + 1, size, -1)[:, :-1, :before].flatten(0, 1)
        early = self._mixed(edges).view(B, blocks, before, x.shape[2])
        h = overlapped_scan(inner, mixed, early, valid, self._gate_matrix(), self.mixing, self.bias, size)
        read = x[:, size - 1 : size - 1 + blocks * size]
        return self._add(read, h.to(inner.dtype))[:, left : left + T]

    def _mixed(self, inner: Tensor) -> Tensor:
        """What input and forget gates read of windows [N W D] that begin from nothing."""
        return F.silu(self.conv.mix(F.pad(inner, (0, 0, self.conv.width - 1, 0))))

    def _shares_windows(self, size: int) -> bool:
        """Whether the gates are those of `overlapped_scan`, and windows are long enough for the convolution."""
        settings = self.settings
        return (settings.input_gate, settings.forget_gate) == ("exp", "sigmoid") and self.conv.width - 1 <= size

    def _remember(
        self, x: Tensor, inner: Tensor, mixed: Tensor, valid: Tensor, memory: slstm.Memory, last: int | None = None
    ) -> tuple[Tensor, slstm.Memory]:
        """inner, mixed [B T D]: what the cell reads, and what its input and forget gates read."""
        # [B T D] each -> [T 2D B], users last: one product then gives gates of which a step of the scan is contiguous
        read = torch.cat([inner, mixed], dim=-1).permute(1, 2, 0).contiguous()
        gates = (self._gate_matrix() @ read).to(self.bias.dtype).view(len(read), self.settings.heads, 4, self.size, -1)
        kind = {"bounded": self.settings.input_gate == "sigmoid", "growing": self.settings.forget_gate == "exp"}
        h, memory = slstm.fused_scan(gates, self.mixing, memory, valid.T.contiguous(), self.bias, **kind)
        if last is not None:
            x, h = x[:, x.shape[1] - last :], h[h.shape[0] - last :]
        return self._add(x, h.permute(3, 0, 1, 2).to(inner.dtype)), memory

    def _add(self, x: Tensor, h: Tensor) -> Tensor:
        """x [B T D] and what the cell says of it, [B T H d] -> what the block says."""
        x = x + self.dropout(self.head_norm(h))
        return x if self.feedforward is None else self.feedforward(x)

    def _gate_matrix(self) -> Tensor:
        """[4D 2D], rows by head, gate and channel: z and o read the first half of the columns, i and f the second."""
        z, i, f, o = (part.matrix() for part in (self.z, self.i, self.f, self.o))
        none = torch.zeros_like(z)
        rows = torch.stack([torch.cat(pair, dim=1) for pair in ((z, none), (none, i), (none, f), (o, none))])
        by_head = rows.view(4, self.settings.heads, self.size, -1).transpose(0, 1)  # [H 4 d 2D]
        return by_head.flatten(0, 2)


def _users_first(memory: slstm.Memory) -> dict[str, Tensor]:
    """[H d B] -> [B H d], by name."""
    return {name: part.permute(2, 0, 1).contiguous() for name, part in memory._asdict().items()}
