"""Request: what is known at the moment of asking and is not the model's memory. Fourth file of the contract.

All its parts are optional. Scoring changes no state, so the same memory can be asked many things.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from recollect.contracts.events import PAD


@dataclasses.dataclass(frozen=True, slots=True)
class Met:
    """What users have met lately: the distinct items of their last events, right-padded to [B M].

    It is the caller's knowledge (the log's, the journal's), handed over beside the memory.
    """

    items: Tensor
    """[B M] int64 codes, each once; `PAD` where there is none."""
    counts: Tensor
    """[B M] int64: how often the user has met it, in the whole history."""
    since: Tensor
    """[B M] int64: how many events came after the last meeting; 0 for the item of the newest event."""
    followed: Tensor
    """[B M] int64: how often it came right after the item of the newest event, in the events that are looked at."""
    times: Tensor | None = None
    """[B M] int64 seconds: the time of the last meeting; None for a log that has only an order."""

    @property
    def mask(self) -> Tensor:
        """[B M] bool: True where an item stands."""
        return self.items != PAD


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One request a row of the state. A model says which parts it looks at (`Recommender.request_time`, `met_events`);
    a part that it does not look at changes nothing."""

    at: Tensor | None = None
    """[B] int64 seconds: the time of asking."""
    met: Met | None = None
    """What the users have already."""

    def map(self, change: Any) -> Request:
        """Apply one function to every tensor of the request."""

        def changed(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else change(tensor)

        met = None
        if self.met is not None:
            parts = (self.met.items, self.met.counts, self.met.since, self.met.followed, self.met.times)
            met = Met(*map(changed, parts))  # type: ignore[arg-type]
        return Request(changed(self.at), met)

    def to(self, device: torch.device | str) -> Request:
        return self.map(lambda tensor: tensor.to(device))

    def rows(self, index: Any) -> Request:
        """The requests named by `index` (a slice, list, or tensor)."""
        return self.map(lambda tensor: tensor[index])
