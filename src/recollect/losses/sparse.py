"""What a loss is told of single items of single targets: which are no candidates, which were met and how they score.

Where seen items will be hidden they are left out of the loss as well: a model that is asked for new items should not
spend itself on pushing down the old ones, which the filter hides anyway. Where items may come again, a repeat head
scores those that were met.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from recollect.contracts import mixed


@dataclasses.dataclass(frozen=True, slots=True)
class Lists:
    """Ragged lists, one for each target: that of target n is the entries `offsets[n]:offsets[n + 1]`."""

    offsets: Tensor
    """[N + 1] int64, on the CPU, so that a part can be taken without waiting for a device."""
    targets: Tensor
    """[E] int64: which target each entry is of, ascending."""
    places: Tensor
    """[E] int64: where each entry stands in the long list it was taken from."""

    @classmethod
    def of(cls, starts: Tensor, counts: Tensor) -> Lists:
        """Target n's list is `starts[n]:starts[n] + counts[n]` of some long list."""
        ends = counts.cumsum(0)
        offsets = torch.nn.functional.pad(ends, (1, 0)).cpu()
        total = int(offsets[-1])
        targets = torch.repeat_interleave(counts, output_size=total)
        # index_select, here and for what is found there: plain indexing takes thrice as long over long lists
        places = (starts - ends + counts).index_select(0, targets).add_(torch.arange(total, device=counts.device))
        return cls(offsets, targets, places)

    def part(self, start: int, stop: int) -> slice:
        """The entries of the targets `start` to `stop`."""
        last = len(self.offsets) - 1
        return slice(int(self.offsets[min(start, last)]), int(self.offsets[min(stop, last)]))


@dataclasses.dataclass(frozen=True, slots=True)
class Excluded:
    """Items [E] that are no candidates of their targets. A target in its own list stays a candidate."""

    lists: Lists
    items: Tensor


@dataclasses.dataclass(frozen=True, slots=True)
class Scored:
    """Items [E] that were met, and what makes their logits (`contracts.mixed`); no item stands twice in a list."""

    lists: Lists
    items: Tensor
    kept: Tensor
    """[N] fp32, of each target."""
    share: Tensor
    """[N] fp32, of each target."""
    scores: Tensor
    """[E] fp32, of each item."""


def among(candidates: Tensor, entries: Excluded, size: int) -> Tensor:
    """candidates [N K] codes below `size` -> [N K] bool: whether each is in the list of its target."""
    return torch.isin(_keys(candidates, size), entries.lists.targets * size + entries.items)


def mixed_into(logits: Tensor, candidates: Tensor, entries: Scored, size: int) -> Tensor:
    """logits [N K] of candidates [N K], codes below `size` -> [N K]: those of the items that were met are mixed."""
    if len(entries.items) == 0:
        return logits
    keys, order = (entries.lists.targets * size + entries.items).sort()
    wanted = _keys(candidates, size)
    place = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    met = keys[place] == wanted
    return mixed(logits, entries.kept[:, None], entries.share[:, None], entries.scores[order[place]]).where(met, logits)


def _keys(candidates: Tensor, size: int) -> Tensor:
    return torch.arange(len(candidates), device=candidates.device)[:, None] * size + candidates
