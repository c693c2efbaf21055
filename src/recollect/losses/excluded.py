"""Items that are no candidates of some targets: where seen items will be hidden, they are left out of the loss as well.

A model that is asked for new items should not spend itself on pushing down the old ones, which the filter hides anyway.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True, slots=True)
class Excluded:
    """Ragged lists of item codes, one for each target: those of target n are `items[offsets[n]:offsets[n + 1]]`.

    A target in its own list stays a candidate.
    """

    offsets: Tensor
    """[N + 1] int64, on the CPU, so that a part can be taken without waiting for a device."""
    items: Tensor
    """[E] int64 codes."""
    targets: Tensor
    """[E] int64: which target each is of, ascending."""

    @classmethod
    def of(cls, lists: Tensor, starts: Tensor, counts: Tensor) -> Excluded:
        """Target n's list is `lists[starts[n]:starts[n] + counts[n]]`."""
        ends = counts.cumsum(0)
        offsets = torch.nn.functional.pad(ends, (1, 0)).cpu()
        total = int(offsets[-1])
        targets = torch.repeat_interleave(counts, output_size=total)
        places = torch.arange(total, device=lists.device) + (starts - ends + counts)[targets]
        return cls(offsets, lists[places], targets)

    def part(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Of the targets `start` to `stop`: which target each entry is of, counted from `start`, and its item."""
        last = len(self.offsets) - 1
        begin, end = (int(self.offsets[min(place, last)]) for place in (start, stop))
        return self.targets[begin:end] - start, self.items[begin:end]
