"""xLSTM-LSR: a matrix memory for the whole history, a scalar memory for the last few events, and a gate between them.

Source: the xLSTM-LSR paper, sec. 4, eq. 1-27. What it leaves open is a switch here: the shape of the gate, where the
norms stand, the contrastive temperature and weight (tuned on ML-1M validation, see docs/results). The defaults are what
did best here; with the settings of `papers/xlstm_lsr.py` it is the paper's model, equation by equation. The published
tables are no targets: most of their columns are arithmetically impossible.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.config import ConfigError
from recollect.contracts import CLOCK, Carried, Catalog, Events, State, push_recent, take_last
from recollect.losses.contrastive import contrastive_loss
from recollect.nn.clock import Clock, TimeSettings
from recollect.nn.embed import ItemTable
from recollect.nn.mlstm_block import MLSTMSettings, make_mlstm_block
from recollect.nn.recurrent_block import RecurrentBlock
from recollect.nn.repeat_head import RepeatSettings, repeat_head
from recollect.nn.slstm_block import SLSTMBlock, SLSTMSettings
from recollect.nn.stack import Stack
from recollect.nn.windows import align_right, overlapped, sliding


class XLSTMLSR(Carried):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of both streams."""
        blocks: int = Field(2, ge=1)
        """Blocks of the long stream."""
        recent: int = Field(20, ge=1)
        """How many of the last events the short stream reads (m; the paper tries 10, 20, 30)."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""
        gate: Literal["vector", "scalar", "none"] = "vector"
        """One alpha a channel, one a position, or equal weights (the ablation `w/o GN`)."""
        long_memory: Literal["mlstm", "lstm"] = "mlstm"
        """lstm is the ablation `w/o MTX`."""
        short_memory: Literal["slstm", "lstm"] = "slstm"
        """lstm is the ablation `w/o MIX`."""
        short_training: Literal["overlapped", "sliding"] = "overlapped"
        """Windows of the short stream in training: blocks with m to 2m - 1 events of context, or exactly m."""
        normalise: bool = True
        """Layer norm and dropout on what is read (eq. 1); False is the ablation `w/o LN`."""
        contrastive: float = Field(0.1, ge=0)
        """Weight lambda of the contrastive loss (eq. 27); 0 is the ablation `w/o CL`."""
        temperature: float = Field(0.2, gt=0)
        """Temperature tau of the contrastive loss (eq. 24)."""
        time: TimeSettings = TimeSettings()
        """What is made of time; gaps are read by the long stream."""
        mlstm: MLSTMSettings = MLSTMSettings()
        """How a long block is built."""
        slstm: SLSTMSettings = SLSTMSettings()
        """How the short block is built."""

    config: Config
    clock: Clock

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.repeat = repeat_head(config.width, config.repeat)
        self.clock = Clock(config.width, config.time)
        self.request_time = config.time.request
        if config.time.gaps and config.long_memory != "mlstm":
            raise ConfigError("time.gaps: only matrix memories read gaps; set long_memory=mlstm")
        width, dropout = config.width, config.dropout
        self.table = ItemTable(catalog.size, width, dropout * config.normalise, normalised=config.normalise)
        self.long = Stack(
            make_mlstm_block(width, config.mlstm, dropout, (block, config.blocks), elapsing=config.time.gaps)
            if config.long_memory == "mlstm"
            else RecurrentBlock(width, dropout, config.mlstm.feedforward_factor)
            for block in range(config.blocks)
        )
        self.short = (
            SLSTMBlock(width, config.slstm, dropout)
            if config.short_memory == "slstm"
            else RecurrentBlock(width, dropout, config.slstm.feedforward)
        )
        self.norm_long, self.norm_short = nn.LayerNorm(width), nn.LayerNorm(width)
        if config.gate != "none":
            self.gate = nn.Linear(2 * width, width if config.gate == "vector" else 1)
        self.start = nn.Parameter(torch.randn(width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        recent = torch.zeros(users, self.config.recent - 1, dtype=torch.int64, device=self.device)
        return State.join(
            {
                "hidden": self.start.expand(users, -1),
                "alpha": self.start.new_zeros(users),
                "recent": recent,
                "held": recent.new_zeros(users),
                "long": self.long.fresh(users),
                CLOCK: self.clock.fresh(users, self.device),
            }
        )

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        """aux: `long` and `short` [B T D], `alpha` [B T D or 1], the weight of the long stream."""
        x = self.table(events.codes)
        events, clock, times = self.clock.read(x, events, state.part(CLOCK))
        long, after = self._read_long(x, events, state)
        before, real = align_right(state["recent"], state["held"])
        extended = torch.cat([self.table(before).to(x.dtype), x], dim=1)
        valid = torch.cat([real, events.mask], dim=1)
        if x.shape[1] <= self.config.recent and not bool(real.any()):  # all of the past is in every window
            short = self._encode_short(x, events.mask)
        else:
            short = self._read_short(extended, valid)
        hidden, aux = self._fuse(long, short)
        last = take_last(hidden, events.lengths, state["hidden"])
        weight = take_last(aux["alpha"].mean(-1, keepdim=True).float(), events.lengths, state["alpha"][:, None])
        return (
            hidden,
            self._next(state, events, after, clock, last, weight[:, 0]),
            {**aux, **State.join({CLOCK: times})},
        )

    def advance(self, state: State, events: Events) -> State:
        """As `forward`, with the short stream computed where it is asked for: at each row's last event."""
        if events.items.shape[1] == 0:
            return state
        x = self.table(events.codes)
        events, clock, _ = self.clock.read(x, events, state.part(CLOCK))
        long, after = self._read_long(x, events, state)
        window, held = push_recent(nn.functional.pad(state["recent"], (0, 1)), state["held"], events)
        places = torch.arange(window.shape[1], device=window.device) < held[:, None]
        short = self._encode_short(self.table(window), places)
        hidden, aux = self._fuse(take_last(long, events.lengths, long[:, 0]), take_last(short, held, short[:, 0]))
        grown = events.lengths > 0
        last = torch.where(grown[:, None], hidden, state["hidden"])
        weight = torch.where(grown, aux["alpha"].mean(-1).float(), state["alpha"])
        return self._next(state, events, after, clock, last, weight)

    def long_weight(self, state: State) -> Tensor:
        """[B]: the mean weight of long-term memory at the last event, from 0 to 1; 0 where there was none."""
        return state["alpha"]

    def own_loss(self, hidden: Tensor, aux: Mapping[str, Tensor], mask: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """lambda x the contrastive loss, at one random real position of each user; nothing for a single user."""
        rows = mask.any(dim=1).nonzero().squeeze(1)
        if self.config.contrastive == 0 or len(rows) < 2:
            return hidden.new_zeros(()), {}
        place = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, -1).argmax(dim=1)[rows]
        loss = contrastive_loss(
            hidden[rows, place], aux["long"][rows, place], aux["short"][rows, place], self.config.temperature
        )
        return self.config.contrastive * loss, {"contrastive": loss.detach()}

    def _read_long(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        x, after = self.long(x, events, state.part("long"))
        return self.norm_long(x), after

    def _read_short(self, extended: Tensor, valid: Tensor) -> Tensor:
        size = self.config.recent
        if self.training and self.config.short_training == "overlapped":
            offset = int(torch.randint(size, ()))
            if isinstance(self.short, SLSTMBlock):
                shared: Tensor = self.norm_short(self.short.encode_overlapped(extended, valid, size, offset))
                return shared
            return overlapped(extended, valid, size, self._encode_short, offset)
        return sliding(extended, valid, size, self._encode_short)

    def _encode_short(self, x: Tensor, valid: Tensor, last: int | None = None) -> Tensor:
        result: Tensor = self.norm_short(self.short.encode(x, valid, last))
        return result

    def _fuse(self, long: Tensor, short: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """eq. 22-23."""
        if self.config.gate == "none":
            alpha = torch.full_like(long[..., :1], 0.5)
        else:
            alpha = torch.sigmoid(self.gate(torch.cat([long, short], dim=-1)))
        return alpha * long + (1 - alpha) * short, {"long": long, "short": short, "alpha": alpha}

    def _next(self, state: State, events: Events, after: State, clock: State, hidden: Tensor, weight: Tensor) -> State:
        recent, held = push_recent(state["recent"], state["held"], events)
        return State.join(
            {"hidden": hidden, "alpha": weight, "recent": recent, "held": held, "long": after, CLOCK: clock}
        )
