"""The three verbs, and the kinds of model that answer them with what they carry along. Fifth file of the contract.

`Counting` models are fitted in one pass over the log. `Network`s are trained; a `Carried` one reads a history of any
length into a state of constant size. The third kind, `Window`, stands in the next file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from recollect.config import Settings
from recollect.contracts.catalog import Catalog, Histories
from recollect.contracts.events import PAD, Events
from recollect.contracts.repeats import Repeats, mixed
from recollect.contracts.request import Request
from recollect.contracts.state import State


class Recommender(ABC):
    """The three verbs. `Config` is the model's own frozen settings; `__init__` takes it and the catalog."""

    Config: ClassVar[type[Settings]]
    request_time: bool = False
    """True if `score` looks at the request's `at`; in training that is the next event's time (`REQUEST_TIME`)."""
    probabilistic: ClassVar[bool] = True
    """True if softmax of the scores is a likelihood of the next item."""
    weighs: ClassVar[bool] = False
    """True if fitting counts every event by its weight as a target: views can be context, and purchases targets."""
    seeded: ClassVar[bool] = True
    """False if fitting draws no random numbers, so that one run says all that more seeds would."""

    config: Settings
    catalog: Catalog

    @property
    def needs_clock(self) -> bool:
        """True if times are part of what it learns, so that a log which has only an order is no use to it."""
        return False

    @property
    def met_events(self) -> int:
        """Over how many of a user's last events `score` looks at what the request says was met; 0: not at all."""
        return 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.catalog.size - 1:,} items, {self.config!r})"

    @abstractmethod
    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        """A memory of nothing, one row a user; scoring it is meaningful (popularity, say)."""

    @abstractmethod
    def advance(self, state: State, events: Events) -> State:
        """Append `lengths[b]` events to row b. A row of length zero comes back bit for bit."""

    @abstractmethod
    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        """A logit an item code: [B V], or [B K] for candidate codes `items` [K] or [B K]. Padding scores -inf.

        The state is not changed, and what the request does not say, or the model does not look at, changes nothing.
        """

    @abstractmethod
    def tensors(self) -> Mapping[str, Tensor]:
        """All that was learned, by name: what an artifact stores."""

    @abstractmethod
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave; raise ValueError where names or shapes do not fit."""


class Counting(Recommender):
    """A model fitted in one pass over the log; a new user is folded in from their history."""

    @abstractmethod
    def fit(self, histories: Histories) -> None: ...


class Network(nn.Module, Recommender):
    """What carried and window models share: a tied item table that turns a hidden vector into scores."""

    weighs = True

    def __init__(self) -> None:
        super().__init__()
        self.repeat: Repeats | None = None
        """What scores items that were met, in a network that has such a head."""

    @property
    def met_events(self) -> int:
        return 0 if self.repeat is None else self.repeat.events

    @abstractmethod
    def item_vectors(self) -> Tensor:
        """[V D]: what a hidden vector is multiplied with."""

    def item_bias(self) -> Tensor | None:
        """[V], or None."""
        return None

    def logits(self, hidden: Tensor, items: Tensor | None = None, request: Request | None = None) -> Tensor:
        """hidden [B D] -> [B V], or [B K] for candidates; computed in fp32, also under mixed precision."""
        with torch.autocast(hidden.device.type, enabled=False):
            scores = self._logits(hidden.float(), items)
            if self.repeat is None or request is None or request.met is None:
                return scores
            met = request.met
            kept, share, again = self.repeat.of_request(hidden, met, request.at if self.request_time else None)
            if items is None:
                own = scores.gather(1, met.items)
                return scores.scatter(1, met.items, mixed(own, kept, share, again).where(met.mask, own))
            same = (items.expand(len(hidden), -1)[:, :, None] == met.items[:, None]) & met.mask[:, None]  # [B K M]
            return mixed(scores, kept, share, (same * again[:, None]).sum(-1)).where(same.any(-1), scores)

    def _logits(self, hidden: Tensor, items: Tensor | None) -> Tensor:
        table, bias = self.item_vectors().float(), self.item_bias()
        if items is None:
            scores = hidden @ table.T if bias is None else torch.addmm(bias.float(), hidden, table.T)
            scores[:, PAD] = -torch.inf
            return scores
        items = items.expand(hidden.shape[0], -1)
        scores = torch.einsum("bd,bkd->bk", hidden, table[items])
        if bias is not None:
            scores = scores + bias.float()[items]
        return scores.masked_fill(items == PAD, -torch.inf)

    def tensors(self) -> Mapping[str, Tensor]:
        return self.state_dict()

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        try:
            self.load_state_dict(dict(tensors))
        except RuntimeError as error:
            raise ValueError(str(error)) from None

    @property
    def device(self) -> torch.device:
        return self.item_vectors().device


class Carried(Network):
    """A recurrent or state-space model. Training, prefill and one-event serving are one `forward`.

    The state's `hidden` [B D] is the vector after the last event (a learned start for a fresh user), so that
    `score` re-reads nothing and the first event of a history is a target like every other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock: RespondsInTime | None = None
        """What looks at the time of asking, in a network that has such a part."""

    @property
    def needs_clock(self) -> bool:
        return self.clock is not None and self.clock.used

    @abstractmethod
    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        """-> hidden [B T D] after each event; the state after `lengths[b]` events; aux for losses and pages.

        Where there is a clock, aux has its part of the state after each event too, named as in the state (`clock.*`).
        """

    def advance(self, state: State, events: Events) -> State:
        return self.forward(events, state)[1]

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        at = None if request is None else request.at
        return self.logits(self.respond(state["hidden"], state.part(CLOCK), at), items, request)

    def respond(self, hidden: Tensor, memory: Mapping[str, Tensor], at: Tensor | None = None) -> Tensor:
        """hidden [N D] after an event, and the clock's part of the state there -> [N D] as scored at the times `at`."""
        return hidden if self.clock is None else self.clock.respond(hidden, memory, at)


CLOCK = "clock"
"""The clock's corner of a state."""


class RespondsInTime(Protocol):
    """A part of a network that turns the vector after the last event into the one at the moment of asking."""

    @property
    def used(self) -> bool:
        """Whether it reads times at all."""
        ...

    def respond(self, hidden: Tensor, memory: Mapping[str, Tensor], at: Tensor | None) -> Tensor:
        """hidden [N D], the part's own memory [N ...], at [N] seconds (None: not told) -> [N D]."""
        ...


@runtime_checkable
class HasOwnLoss(Protocol):
    """A network that adds a term of its own to the loss (the contrastive loss of xLSTM-LSR, say)."""

    def own_loss(self, hidden: Tensor, aux: Mapping[str, Tensor], mask: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """hidden [B T D], mask [B T] of real events -> the term, already weighted, and figures to show."""
        ...


def take_last(hidden: Tensor, lengths: Tensor, default: Tensor) -> Tensor:
    """hidden [B T D] at position `lengths - 1` of each row; `default` ([D] or [B D]) where a row is empty."""
    if hidden.shape[1] == 0:
        return default.expand(hidden.shape[0], -1)
    index = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, hidden.shape[2])
    return torch.where((lengths > 0)[:, None], hidden.gather(1, index).squeeze(1), default)
