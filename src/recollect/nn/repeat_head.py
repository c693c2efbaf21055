"""The repeat head: what a user already has is scored by how often, how long ago and after what it was met.

    score_v = b(h) + w1(h) ln(1 + n_v) + w2(h) ln(1 + m_v) - w3(h) ln(1 + events since) - w4(h) ln(1 + time since)
    logit_v <- ln(exp(kept(h) + logit_v) + exp(score_v + share(h) logit_v))

for v that was met n_v times, m_v of them right after the item of the newest event: a Markov chain of the user's own.
b, w1, w2 and kept are linear in the hidden vector h; w3 and w4 are softplus of linear maps, so that both kinds of age
only ever take away; share is a sigmoid. With a share of 1 and nothing kept the score would be added to the logit; then
what everybody chooses weighs among the things of one's own as much as elsewhere, which it does not (docs/log.md).

Source: RepeatNet (Ren et al. 2019) for the split into repeating and exploring, ACT-R (Anderson & Schooler 1991) for
counts and ages in logarithms.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.config import Settings
from recollect.contracts import Met

HOUR = 3600.0
"""Seconds that time since the last meeting is counted in."""


class RepeatSettings(Settings):
    """What every network has: the switch of the repeat head."""

    repeat: int = Field(0, ge=0)
    """Over how many of a user's last events the repeat head looks for items to repeat; 0: there is no such head."""


class RepeatHead(nn.Module):
    """hidden [N D] and what was met -> scores of the items met. `events`: how far it looks back."""

    def __init__(self, width: int, events: int) -> None:
        super().__init__()
        self.events = events
        self.linear = nn.Linear(width, 7)
        nn.init.zeros_(self.linear.weight)
        with torch.no_grad():  # it begins by preferring what was met often and lately, for everybody alike
            self.linear.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 0.0, -3.0]))

    def weights(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """kept [N], share [N], and b, w1, w2, w3, w4 [N 5] of each hidden vector; fp32."""
        raw = F.linear(hidden.float(), self.linear.weight, self.linear.bias)
        return raw[..., 0], raw[..., 1].sigmoid(), torch.cat([raw[..., 2:5], F.softplus(raw[..., 5:])], dim=-1)

    def forward(
        self, coefficients: Tensor, counts: Tensor, since: Tensor, followed: Tensor, elapsed: Tensor | None
    ) -> Tensor:
        """coefficients [... 5], and of what was met [...] what `Met` says of it, with seconds since (None: no clock)
        -> [...] scores."""
        b, often, after, events, time = coefficients.unbind(-1)
        scores = b + often * counts.float().log1p() + after * followed.float().log1p()
        scores = scores - events * since.float().log1p()
        return scores if elapsed is None else scores - time * (elapsed.clamp(min=0).float() / HOUR).log1p()

    def of_request(self, hidden: Tensor, met: Met, at: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """hidden [B D], met [B M] -> kept [B 1], share [B 1], scores [B M], 0 where there is no item. `at` [B]: without
        it time is counted from the newest meeting."""
        elapsed = None
        if met.times is not None and met.items.shape[1]:
            present = met.times.masked_fill(~met.mask, torch.iinfo(torch.int64).min).amax(1) if at is None else at
            elapsed = (present[:, None] - met.times).masked_fill(~met.mask, 0)
        kept, share, coefficients = self.weights(hidden)
        scores = self(coefficients[:, None], met.counts, met.since, met.followed, elapsed)
        return kept[:, None], share[:, None], scores.masked_fill(~met.mask, 0.0)


def repeat_head(width: int, events: int) -> RepeatHead | None:
    """The head, if it is switched on."""
    return RepeatHead(width, events) if events else None
