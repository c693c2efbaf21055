"""A head for what a user has met: how its score of such an item meets the logit that the network has of every item.

    logit of an item that was met = ln(exp(kept + logit) + exp(score + share * logit))

It can be chosen as any item can (the first term), or as something to come back to (the second), which knows how often
and how long ago it was met, how often it came next where the user now is and, as far as `share` lets it, what the
network thinks of it. One softmax over all items decides between the two and among them. Source: RepeatNet (Ren et al.
2019), which mixes two softmaxes by a gate.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from recollect.contracts.request import Met


class Repeats(Protocol):
    """Scores what a user has met. `events`: over how many of the last it looks."""

    events: int

    def weights(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """hidden [N D] -> `kept` [N], `share` [N], and [N K], by which it scores what was met."""
        ...

    def __call__(
        self, coefficients: Tensor, counts: Tensor, since: Tensor, followed: Tensor, elapsed: Tensor | None
    ) -> Tensor:
        """coefficients [... K], and of what was met [...] what `Met` says of it, with seconds since -> [...] scores."""
        ...

    def of_request(self, hidden: Tensor, met: Met, at: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """hidden [B D], met [B M] -> `kept` [B 1], `share` [B 1], scores [B M]; `at` [B]: the time of asking."""
        ...


def mixed(logits: Tensor, kept: Tensor, share: Tensor, scores: Tensor) -> Tensor:
    """The logits of items that were met, as above; shapes broadcast."""
    return torch.logaddexp(kept + logits, scores + share * logits)
