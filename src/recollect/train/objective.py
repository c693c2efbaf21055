"""One training step as a module: from a batch and a state to a loss and the state after it.

Every event is a target of the hidden vector before it, the first one of the model's learned start (or of the state
carried from the segment before). All the loop knows of models is here: a carried model hands over hidden vectors and a
state, a window model hidden vectors. A batch comes as a plain mapping, which Fabric can look into; a state is sealed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recollect.contracts import Carried, Events, HasOwnLoss, Network, State, Window
from recollect.losses.choice import LossSettings, loss_of


class Sealed:
    """A state that Fabric hands on as it is. In mixed precision it rounds whatever float tensors it finds to bf16."""

    __slots__ = ("state",)

    def __init__(self, state: State) -> None:
        self.state = state


class Objective(nn.Module):
    """batch, state -> loss, figures to show (detached scalars), state after it (None for window models)."""

    def __init__(self, model: Network, loss: LossSettings) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(
        self, batch: Mapping[str, Tensor], carried: Sealed | None
    ) -> tuple[Tensor, dict[str, Tensor], Sealed | None]:
        """batch: `items` and `times` [B T], `lengths` [B], `targets` [B T] bool."""
        events, targets = Events(batch["items"], batch["lengths"], batch["times"]), batch["targets"]
        after: Sealed | None = None
        if isinstance(self.model, Carried):
            state = self.model.fresh(events.users) if carried is None else carried.state
            first = state["hidden"]
            hidden, state, aux = self.model(events, state)
            after = Sealed(state.detach())
        else:
            assert isinstance(self.model, Window)
            first = self.model.start().expand(events.users, -1)
            # What comes after the last event predicts nothing here, and a piece is one event longer than the window.
            events_read = events.span(0, events.items.shape[1] - 1)
            hidden, aux = self.model.encode(events_read)
        before = hidden[:, : targets.shape[1] - 1]
        predicting = torch.cat([first.unsqueeze(1).to(hidden.dtype), before], dim=1)
        wanted = events.codes[targets]
        loss = loss_of(self.loss, predicting[targets], self.model.item_vectors(), wanted, self.model.item_bias())
        figures = {"loss": loss.detach()}
        if isinstance(self.model, HasOwnLoss):
            own, more = self.model.own_loss(hidden, aux, events.mask[:, : hidden.shape[1]])
            loss, figures = loss + own, figures | dict(more)
        return loss, figures, after
