"""Models that look at the last events only: attention and bidirectional networks. Sixth and last file of the contract.

Their state is those events, which are encoded again whenever a score is asked for.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from recollect.contracts.events import PAD, Events
from recollect.contracts.recommender import Network, take_last
from recollect.contracts.request import Request
from recollect.contracts.state import State


class Window(Network):
    """An attention or bidirectional model. Its state is the last `window` events, re-encoded when asked."""

    window: int
    """How many events it can look at."""
    causal: bool = True
    """True if hidden t depends on events up to t only, so that every position can be a target in one pass.

    Where not, training asks for the ends of prefixes, or hides events if the network is `Cloze`.
    """

    @abstractmethod
    def start(self) -> Tensor:
        """[D]: the hidden vector of an empty window."""

    @abstractmethod
    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        """-> hidden [B T D] after each event (only the last one means something where not causal); aux."""

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        recent = torch.zeros(users, self.window, dtype=torch.int64, device=self.device)
        return State({"recent": recent, "held": torch.zeros(users, dtype=torch.int64, device=self.device)})

    def advance(self, state: State, events: Events) -> State:
        recent, held = push_recent(state["recent"], state["held"], events)
        return State({"recent": recent, "held": held})

    def recall(self, state: State, request: Request | None) -> Events:
        """What `encode` reads to answer a request: each row's events, and no more cells than the longest needs."""
        held = state["held"]
        return Events(state["recent"][:, : max(1, int(held.max())) if held.numel() else 1], held)

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        hidden, _ = self.encode(self.recall(state, request))
        return self.logits(take_last(hidden, state["held"], self.start().to(hidden.dtype)), items, request)


@runtime_checkable
class Cloze(Protocol):
    """A bidirectional network that learns to recover hidden events. (Others learn from the ends of prefixes.)"""

    def conceal(self, mask: Tensor) -> Tensor:
        """mask [B T] of real events -> [B T]: those to hide in this step, drawn at random, at least one a row."""
        ...

    def recover(self, window: Events, concealed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """At most one event more than a window -> hidden [B T D], which at concealed ones has not seen them; aux."""
        ...


def push_recent(recent: Tensor, held: Tensor, events: Events) -> tuple[Tensor, Tensor]:
    """Append events to a left-aligned window of the newest codes, dropping the oldest.

    recent [B M] with `held` [B] of its cells filled, events [B T] -> the same after each row's events.
    """
    keep = recent.shape[1]
    total = held + events.lengths
    # Position p of the new window is position p + (total - kept) of the row's (old window + new events).
    kept = total.clamp(max=keep)
    place = torch.arange(keep, device=recent.device) + (total - kept)[:, None]  # [B M]
    old = recent.gather(1, place.clamp(max=keep - 1))
    late = place - held[:, None]
    if events.items.shape[1]:
        new = events.codes.gather(1, late.clamp(0, events.items.shape[1] - 1))
    else:
        new = torch.zeros_like(recent)
    filled = torch.arange(keep, device=recent.device) < kept[:, None]
    return torch.where(filled, torch.where(late < 0, old, new), PAD), kept
