"""What training tells a model and its loss of the items that users have already, batch by batch."""

from __future__ import annotations

import dataclasses

import numpy as np
from torch import Tensor

from recollect.contracts import Histories, Network
from recollect.data.batches import Step
from recollect.data.first_meetings import FirstMeetings
from recollect.data.last_meetings import LastMeetings
from recollect.losses.choice import LossSettings


@dataclasses.dataclass(frozen=True, eq=False)
class Known:
    """The meetings that are wanted: `first` for a loss that leaves out what is seen, `last` for a repeat head."""

    first: FirstMeetings | None
    last: LastMeetings | None
    events: int
    """Over how many events the head looks."""
    context: int | None
    """How many events before a target are known of at most; None: all."""
    at: bool
    """Whether the model is told the request time."""

    @classmethod
    def of(
        cls, model: Network, histories: Histories, loss: LossSettings, *, clock: bool, context: int | None = None
    ) -> Known:
        offsets, times = np.asarray(histories.offsets), histories.times if clock else None
        return cls(
            FirstMeetings.of(histories) if loss.seen == "hidden" else None,
            LastMeetings.of(histories.items, times, offsets) if model.met_events else None,
            model.met_events,
            context,
            model.request_time,
        )

    def of_step(self, step: Step, targets: Tensor) -> dict[str, Tensor]:
        """Further entries of a batch with the targets [B T] bool; empty where nothing is wanted."""
        found: dict[str, Tensor] = {}
        if self.first is not None:
            found |= self.first.of_step(step)
        if self.last is not None:
            found |= self.last.of_step(step, targets.numpy(), self.events, self.at, self.context)
        return found
