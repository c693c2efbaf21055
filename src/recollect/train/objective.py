"""One training step as a module: from a batch and a state to a loss and the state after it.

Every event is a target of the hidden vector before it, the first one of the model's learned start (or of the state
carried from the segment before); a window that looks both ways has one target, behind its end, or hides some of its
events. All the loop knows of models is here: a carried model hands over hidden vectors and a state, a window model
hidden vectors. A batch comes as a plain mapping, which Fabric can look into; a state is sealed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from recollect.contracts import (
    CLOCK,
    REQUEST_TIME,
    Carried,
    Cloze,
    Events,
    HasOwnLoss,
    Network,
    Repeats,
    State,
    Window,
    take_last,
)
from recollect.losses.choice import LossSettings, loss_of
from recollect.losses.sparse import Excluded, Lists, Scored


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
        self, batch: Mapping[str, Any], carried: Sealed | None
    ) -> tuple[Tensor, dict[str, Tensor], Sealed | None]:
        """batch: `items` and `times` [B T] (None without a clock), `lengths` [B], `targets` [B T] bool, `weights` [B T]
        of the targets (None or no such key: all alike), and where items met are no candidates, what
        `FirstMeetings.of_step` says of them."""
        events, targets = Events(batch["items"], batch["lengths"], batch["times"]), batch["targets"]
        weights = batch.get("weights")
        concealed: Tensor | None = None
        if isinstance(self.model, Cloze):
            askable = events.mask if weights is None else events.mask & (weights > 0)
            targets = concealed = self.model.conceal(askable)
        # Looked up before the network is under way: an accelerator must finish all it was given before it can answer.
        places = targets.nonzero(as_tuple=True)
        excluded = _excluded(batch, places, both_ways=concealed is not None)
        met = _met(batch, places)
        after: Sealed | None = None
        if isinstance(self.model, Carried):
            state = self.model.fresh(events.users) if carried is None else carried.state
            first = state["hidden"]
            read = events
            begin = state
            hidden, state, aux = self.model(events, state)
            after = Sealed(state.detach())
            memory = {
                name: _shifted(begin[f"{CLOCK}.{name}"], aux[f"{CLOCK}.{name}"])[:, :-1][places]
                for name in begin.part(CLOCK)
            }
            at = events.times[places] if self.model.request_time and events.times is not None else None
            predicting = self.model.respond(_shifted(first, hidden)[:, :-1][places], memory, at)
        elif isinstance(self.model, Cloze):
            assert concealed is not None
            read = events
            hidden, aux = self.model.recover(events, concealed)
            predicting = hidden[places]
        else:
            assert isinstance(self.model, Window)
            read = self._before_targets(events, causal=self.model.causal)
            first = self.model.start().expand(events.users, -1)
            hidden, aux = self.model.encode(read)
            if self.model.causal:
                predicting = _shifted(first, hidden)[places]
            else:  # one target a row, in the order of the rows; a row whose last event weighs nothing has none
                predicting = take_last(hidden, read.lengths, first.to(hidden.dtype))[places[0]]
        wanted = events.codes[places]
        worth = None if weights is None else weights[places]
        scored = (
            None if met is None or self.model.repeat is None else _scored(self.model.repeat, predicting, batch, met)
        )
        loss = loss_of(
            self.loss, predicting, self.model.item_vectors(), wanted, self.model.item_bias(), worth, excluded, scored
        )
        figures = {"loss": loss.detach()}
        if isinstance(self.model, HasOwnLoss):
            own, more = self.model.own_loss(hidden, aux, read.mask)
            loss, figures = loss + own, figures | dict(more)
        return loss, figures, after

    def _before_targets(self, events: Events, *, causal: bool) -> Events:
        """What a window is shown: its last event predicts nothing, and is no part of a window that looks both ways."""
        read = events.span(0, events.items.shape[1] - 1)
        if not causal:
            read = dataclasses.replace(read, lengths=events.lengths - 1)
        if self.model.request_time and events.times is not None:
            read = dataclasses.replace(read, features={**read.features, REQUEST_TIME: events.times[:, 1:]})
        return read


def _excluded(batch: Mapping[str, Any], places: tuple[Tensor, ...], *, both_ways: bool) -> Excluded | None:
    """The items that the user of each target has met; with `both_ways` all that the row holds, as its end is asked."""
    if "seen_items" not in batch:
        return None
    row, begins = places[0], batch["seen_begins"]
    counts = (begins[1:] - begins[:-1])[row] if both_ways else batch["seen_counts"][places]
    lists = Lists.of(begins[row], counts)
    return Excluded(lists, batch["seen_items"].index_select(0, lists.places))


def _met(batch: Mapping[str, Any], places: tuple[Tensor, ...]) -> Lists | None:
    """The lists of what the user of each target has met lately, in the batch's long list of them."""
    if "met_lengths" not in batch:
        return None
    lengths: Tensor = batch["met_lengths"]
    ends = lengths.flatten().cumsum(0).view(lengths.shape)
    return Lists.of((ends - lengths)[places], lengths[places])


def _scored(head: Repeats, hidden: Tensor, batch: Mapping[str, Any], lists: Lists) -> Scored:
    """hidden [N D] of the targets -> how the head scores the items they have met."""
    items, counts, since, followed = (
        batch[f"met_{name}"][lists.places] for name in ("items", "counts", "since", "followed")
    )
    elapsed = batch["met_elapsed"][lists.places] if "met_elapsed" in batch else None
    kept, share, coefficients = head.weights(hidden)
    return Scored(lists, items, kept, share, head(coefficients[lists.targets], counts, since, followed, elapsed))


def _shifted(first: Tensor, hidden: Tensor) -> Tensor:
    """hidden [B T ...] after each event -> [B T+1 ...]: what there is before each, `first` [B ...] before the first."""
    return torch.cat([first.unsqueeze(1).to(hidden.dtype), hidden], dim=1)
