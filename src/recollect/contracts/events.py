"""Events: what happened, as every layer passes it on. First file of the contract.

A batch holds sequences of different lengths. They are right-padded, and no result may depend on the padding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

PAD = 0
"""The item code that is padding and never an item."""

REQUEST_TIME = "request_time"
"""The feature column [B T] of a model that uses request time: at each event, when the next item is requested."""

ASKED = REQUEST_TIME
"""Its name before; goes with version 0.2."""


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Events:
    """A batch of event sequences, right-padded. What stands in padded cells is never looked at.

    `items` [B T] int64 codes; `lengths` [B] int64, zero allowed; `times` [B T] int64 seconds, or None for a log
    that has only an order; `features`: named columns [B T ...].
    """

    items: Tensor
    lengths: Tensor
    times: Tensor | None = None
    features: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        sequences: Sequence[Sequence[int]],
        times: Sequence[Sequence[int]] | None = None,
        *,
        width: int | None = None,
    ) -> Events:
        """Build a batch from lists of item codes; `width` pads further than the longest."""
        lengths = [len(sequence) for sequence in sequences]
        span = max([*lengths, width or 0])
        items = torch.zeros(len(sequences), span, dtype=torch.int64)
        clock = None if times is None else torch.zeros_like(items)
        for row, sequence in enumerate(sequences):
            items[row, : len(sequence)] = torch.as_tensor(sequence, dtype=torch.int64)
            if clock is not None and times is not None:
                clock[row, : len(sequence)] = torch.as_tensor(times[row], dtype=torch.int64)
        return cls(items, torch.tensor(lengths, dtype=torch.int64), clock)

    def __repr__(self) -> str:
        columns = ["items", *(["times"] if self.times is not None else []), *self.features]
        total = int(self.lengths.clamp(max=self.items.shape[1]).sum())
        cells = self.items.shape[1]
        return f"Events({self.users:,} users, {total:,} events in {cells:,} cells each: {', '.join(columns)})"

    @property
    def users(self) -> int:
        return self.items.shape[0]

    @property
    def mask(self) -> Tensor:
        """[B T] bool: True where an event stands."""
        return torch.arange(self.items.shape[1], device=self.items.device) < self.lengths[:, None]

    @property
    def codes(self) -> Tensor:
        """[B T]: the item codes with every padded cell set to `PAD`, whatever stood there."""
        return torch.where(self.mask, self.items, PAD)

    def map(self, change: Any) -> Events:
        """Apply one function to every tensor of the batch."""
        return Events(
            change(self.items),
            change(self.lengths),
            None if self.times is None else change(self.times),
            {name: change(column) for name, column in self.features.items()},
        )

    def to(self, device: torch.device | str) -> Events:
        return self.map(lambda tensor: tensor.to(device))

    def widen(self, width: int) -> Events:
        """The same events with padding up to `width` cells."""
        short = width - self.items.shape[1]
        if short <= 0:
            return self

        def pad(column: Tensor) -> Tensor:
            return torch.cat([column, column.new_zeros(column.shape[0], short, *column.shape[2:])], dim=1)

        features = {name: pad(column) for name, column in self.features.items()}
        return Events(pad(self.items), self.lengths, None if self.times is None else pad(self.times), features)

    def rows(self, index: Any) -> Events:
        """The users named by `index` (a slice, list, or tensor)."""
        return self.map(lambda tensor: tensor[index])

    def span(self, start: int, stop: int) -> Events:
        """The events at positions `start` to `stop` of every row."""
        return Events(
            self.items[:, start:stop],
            (self.lengths - start).clamp(0, max(0, min(stop, self.items.shape[1]) - start)),
            None if self.times is None else self.times[:, start:stop],
            {name: column[:, start:stop] for name, column in self.features.items()},
        )
