"""The memory network of MIMN: slots that are written and read by content, and a channel beside each that follows it.

Source: Pi et al. 2019 (MIMN), eq. 1-9, on the Neural Turing Machine of Graves et al. 2014. For an event x_t, with slots
M, channels S (one row each a slot), and u the mean of the write weights so far:

    h_t    = GRU(h_{t-1}; x_t, r_{t-1})             the controller; from it, linearly: keys k, beta, erase e, add a
    v(k)   = beta (cos(k, M_{t-1}) + cos(k, A)) / 2   what a key finds, for the read key and for the write key
    r_t    = M_{t-1}^T w^r_t,  w^r_t = softmax(v(k^r_t))                                                (eq. 1-3)
    P_t    = softmax(W u_{t-1}),  w_t = softmax(v(k^w_t)) P_t, divided by its sum                        (eq. 5-6)
    M_t    = (1 - w_t e_t^T) M_{t-1} + w_t a_t^T                                                         (eq. 4)
    S_t(i) = GRU(S_{t-1}(i); M_t(i), x_t)           for the K slots that were read most; others stay     (eq. 9)

The strength beta = 2 (1 + softplus) and the learned addresses A are the authors' code's: the paper's eq. 1 has neither,
but slots that are still empty differ in nothing else. Reading before writing is the code's order too; the paper's
indices leave it open. Eq. 6 as printed does not divide by the sum, so that an event is written with about 1/m of its
weight (`product`); the code has weights that sum to one, but rebalances by a learned shift and sharpening, which is
not here. u is a mean where the paper has the sum: 10 events and 10,000 are then balanced alike. The code lets no
gradient pass from S to M; here it passes.

The channels feed nothing back, so they run in a second loop, with all that is no recurrence done in one product.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.config import ConfigError
from recollect.contracts import Events, State

Rebalance = Literal["normalised", "product", "none"]
STAY = 1e30
"""What stands in a GRU's update gate where nothing is to be updated: its sigmoid is exactly 1."""
FAINT = 1e-3
"""A slot shorter than this (an empty one) resembles no key, rather than having a direction made of rounding."""


class Memory(NamedTuple):
    """What the loop over events carries."""

    slots: Tensor  # [B m d]
    read: Tensor  # [B d]
    control: Tensor  # [B h]
    usage: Tensor  # [B m]


class MemoryNetwork(nn.Module):
    """x [B T d] -> what is known after each event [B T size], in the precision of the parameters; and the state."""

    def __init__(self, width: int, hidden: int, slots: int, channels: int, rebalance: Rebalance) -> None:
        super().__init__()
        if channels > slots:
            raise ConfigError(f"an event cannot update {channels} channels where there are {slots} slots: set fewer")
        self.width, self.slots, self.channels, self.rebalance = width, slots, channels, rebalance
        self.size = hidden + width + (width if channels else 0)
        self.controller = nn.GRUCell(2 * width, hidden)
        self.heads = nn.Linear(hidden, 4 * width + 2)  # read key, write key, add, erase, two strengths
        self.addresses = nn.Parameter(torch.randn(slots, width) * 0.5)
        if rebalance != "none":
            self.transfer = nn.Parameter(torch.zeros(slots, slots))
        if channels:
            self.induction = nn.GRUCell(2 * width, width)

    def fresh(self, users: int) -> State:
        """No events, empty slots, an even usage of nothing."""
        zero = self.addresses.new_zeros
        state = {
            "slots": zero(users, self.slots, self.width),
            "read": zero(users, self.width),
            "control": zero(users, self.controller.hidden_size),
            "usage": zero(users, self.slots),
            "events": zero(users, dtype=torch.int64),
        }
        return State({**state, "channels": torch.zeros_like(state["slots"])} if self.channels else state)

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        if x.shape[1] == 0:
            return self.addresses.new_zeros(x.shape[0], 0, self.size), state
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.addresses.dtype).transpose(0, 1).contiguous()  # [T B d]
            series, read_weights = self._remember(x, state)
            known, after = [series.control, series.read], series._asdict()
            if self.channels:
                after["channels"] = self._induce(x, series.slots, read_weights, state["channels"])
                known.append((read_weights.unsqueeze(2) @ after["channels"]).squeeze(2))
            ends = {name: _at_end(tensor, events.lengths, state[name]) for name, tensor in after.items()}
            return torch.cat(known, dim=2).transpose(0, 1), State({**ends, "events": state["events"] + events.lengths})

    def _remember(self, x: Tensor, state: State) -> tuple[Memory, Tensor]:
        """x [T B d] -> the memory after each event, [T ...] each, and the read weights [T B m]."""
        from_x, from_read = self.controller.weight_ih.chunk(2, dim=1)
        inputs = F.linear(x, from_x, self.controller.bias_ih)
        number = state["events"] + torch.arange(1, len(x) + 1, device=x.device)[:, None]  # [T B]
        pace = number.to(x.dtype).reciprocal().unsqueeze(2)
        addresses, from_read = F.normalize(self.addresses, dim=-1), from_read.T
        memory, memories, read_weights = Memory(*(state[name] for name in Memory._fields)), [], []
        for now, step in zip(inputs.unbind(), pace.unbind(), strict=True):
            memory, weights = self.step(torch.addmm(now, memory.read, from_read), step, addresses, memory)
            memories.append(memory)
            read_weights.append(weights)
        return Memory(*(torch.stack(part) for part in zip(*memories, strict=True))), torch.stack(read_weights)

    def step(self, inputs: Tensor, pace: Tensor, addresses: Tensor, memory: Memory) -> tuple[Memory, Tensor]:
        """One event of every user: `inputs` [B 3h] of the controller, `pace` [B 1] one over the events it has seen.

        `addresses` [m d] are of unit length. Returns the memory after the event, and the weights [B m] of reading it.
        """
        slots, _, control, usage = memory
        control = gru_step(inputs, control, self.controller)
        tanh, erase, strengths = self.heads(control).split_with_sizes([3 * self.width, self.width, 2], dim=1)
        keys, add = torch.tanh(tanh).split_with_sizes([2 * self.width, self.width], dim=1)
        keys = keys.view(-1, 2, self.width)  # of the read, of the write
        alike = F.normalize(keys, dim=2) @ (F.normalize(slots, dim=2, eps=FAINT) + addresses).transpose(1, 2)
        found = alike * (1 + F.softplus(strengths)).unsqueeze(2)  # beta / 2 x the sum of the cosines [B 2 m]
        read_weights, weights = found[:, 0].softmax(1), self.balance(found[:, 1], usage)
        read = (read_weights.unsqueeze(1) @ slots).squeeze(1)
        change = torch.addcmul(add.unsqueeze(1), torch.sigmoid(erase).unsqueeze(1), slots, value=-1)  # a - e M
        slots = torch.addcmul(slots, weights.unsqueeze(2), change)
        return Memory(slots, read, control, torch.lerp(usage, weights, pace)), read_weights

    def balance(self, found: Tensor, usage: Tensor) -> Tensor:
        """What the write key found [B m] and how much each slot was written so far [B m] -> the write weights [B m]."""
        if self.rebalance == "none":
            return found.softmax(1)
        if self.rebalance == "product":
            return found.softmax(1) * (usage @ self.transfer.T).softmax(1)
        # A product of two softmaxes, divided by its sum, is the softmax of the sum.
        return torch.addmm(found, usage, self.transfer.T).softmax(1)

    def _induce(self, x: Tensor, slots: Tensor, read_weights: Tensor, channels: Tensor) -> Tensor:
        """x [T B d], slots after each event [T B m d], how they were read [T B m] -> channels after each [T B m d]."""
        T, B, m, d = slots.shape
        from_slot, from_x = self.induction.weight_ih.chunk(2, dim=1)
        inputs = F.linear(slots, from_slot) + F.linear(x, from_x, self.induction.bias_ih).unsqueeze(2)
        chosen = torch.zeros_like(read_weights, dtype=torch.bool)
        order = read_weights.argsort(dim=2, descending=True, stable=True)  # of slots read alike, the first
        chosen = chosen.scatter(2, order[..., : self.channels], True)
        reset, update, new = inputs.chunk(3, dim=3)
        inputs = torch.cat([reset, torch.where(chosen.unsqueeze(3), update, STAY), new], dim=3)
        channel, series = channels.reshape(B * m, d), []
        for now in inputs.view(T, B * m, 3 * d).unbind():
            channel = gru_step(now, channel, self.induction)
            series.append(channel)
        return torch.stack(series).view(T, B, m, d)


def gru_step(inputs: Tensor, hidden: Tensor, cell: nn.GRUCell) -> Tensor:
    """torch's GRU cell, its input's part W x + b [N 3h] given: hidden [N h] -> [N h]; an update gate of 1 keeps it."""
    size = hidden.shape[1]
    gates, new = inputs.split_with_sizes([2 * size, size], dim=1)
    own_gates, own = F.linear(hidden, cell.weight_hh, cell.bias_hh).split_with_sizes([2 * size, size], dim=1)
    reset, update = torch.sigmoid(gates + own_gates).chunk(2, dim=1)
    return torch.lerp(torch.tanh(torch.addcmul(new, reset, own)), hidden, update)


def _at_end(series: Tensor, lengths: Tensor, before: Tensor) -> Tensor:
    """series [T B ...] at each row's last event; what was `before` [B ...], bit for bit, where a row has none."""
    last = series[(lengths - 1).clamp(min=0), torch.arange(len(lengths), device=lengths.device)]
    return torch.where((lengths > 0).view(-1, *[1] * (before.ndim - 1)), last, before)
