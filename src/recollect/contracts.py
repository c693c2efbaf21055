"""The contract: what a recommender is, and the values that pass between the layers. Read this first.

Everything that recommends answers three verbs: `fresh`, `advance`, `score`. Evaluation and serving know nothing
else. A memory is a value (`State`): it goes in and comes out, and no model keeps one for itself. Three kinds of
model implement the verbs: `Counting` (fitted in one pass), `Carried` (a recurrent state) and `Window` (the last
events, re-encoded when asked). The laws they obey are run on every registered model by `tests/conformance/`.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from safetensors.torch import load as _load_bytes
from safetensors.torch import save as _save_bytes
from torch import Tensor, nn

from recollect.config import Settings

PAD = 0
"""The item code that is padding and never an item."""

ASKED = "asked"
"""The feature column [B T] of a model with `request_time`: when the item after each event is asked for."""


@dataclasses.dataclass(frozen=True, slots=True)
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


class State(Mapping[str, Tensor]):
    """The memory of a batch of users: a flat, immutable mapping of named tensors, first axis the user.

    Parts are named with dots (`long.0.cell`); `part` and `join` let a block own its corner of the mapping.
    """

    __slots__ = ("_tensors",)

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = dict(tensors)

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return "State(" + ", ".join(f"{k}={tuple(v.shape)}" for k, v in self._tensors.items()) + ")"

    @property
    def users(self) -> int:
        return next(iter(self._tensors.values())).shape[0]

    @property
    def bytes_per_user(self) -> int:
        return sum(t.element_size() * t[:1].numel() for t in self._tensors.values())

    def map(self, change: Any) -> State:
        """Apply one function to every tensor."""
        return State({name: change(tensor) for name, tensor in self._tensors.items()})

    def rows(self, index: Any) -> State:
        """The users named by `index`: a slice, a list, or a tensor of row numbers or of booleans."""
        return self.map(lambda tensor: tensor[index])

    def to(self, device: torch.device | str) -> State:
        return self.map(lambda tensor: tensor.to(device))

    def detach(self) -> State:
        """Cut off from the graph: where truncated back-propagation stops."""
        return self.map(lambda tensor: tensor.detach())

    def part(self, prefix: str) -> State:
        """The tensors named `prefix.*`, under their shorter names."""
        start = prefix + "."
        return State({n[len(start) :]: t for n, t in self._tensors.items() if n.startswith(start)})

    @staticmethod
    def join(parts: Mapping[str, Mapping[str, Tensor] | Tensor]) -> State:
        """The reverse of `part`: tensors keep their name, mappings get their key as a prefix."""
        flat: dict[str, Tensor] = {}
        for name, value in parts.items():
            if isinstance(value, Tensor):
                flat[name] = value
            else:
                flat.update({f"{name}.{inner}": tensor for inner, tensor in value.items()})
        return State(flat)

    @staticmethod
    def stack(states: Sequence[State]) -> State:
        """Users of several states in one, in order."""
        return State({name: torch.cat([state[name] for state in states]) for name in states[0]})

    def to_bytes(self) -> bytes:
        """safetensors bytes; the same state comes back from `from_bytes`, bit for bit."""
        return _save_bytes({name: tensor.detach().cpu().contiguous() for name, tensor in self._tensors.items()})

    @staticmethod
    def from_bytes(data: bytes) -> State:
        return State(_load_bytes(data))


@dataclasses.dataclass(frozen=True, slots=True)
class Catalog:
    """What a model must know of the items when it is built: how many codes there are, and how often each was seen.

    `size` counts codes 0 (padding) to `size - 1`; `counts` [size] int64 are events in the training part.
    """

    size: int
    counts: np.ndarray | None = None


@runtime_checkable
class Histories(Protocol):
    """Ragged event histories: events of row u are `items[offsets[u]:offsets[u + 1]]`, in time order.

    `weights` [events] float32: how much each counts as a target, 0 for context only; None: all alike.
    """

    @property
    def items(self) -> np.ndarray: ...
    @property
    def times(self) -> np.ndarray: ...
    @property
    def offsets(self) -> np.ndarray: ...
    @property
    def weights(self) -> np.ndarray | None: ...


class Recommender(ABC):
    """The three verbs. `Config` is the model's own frozen settings; `__init__` takes it and the catalog."""

    Config: ClassVar[type[Settings]]
    request_time: bool = False
    """True if `score` looks at `at`, the time of asking; in training, the next event's time (`ASKED`)."""
    probabilistic: ClassVar[bool] = True
    """True if softmax of the scores is a likelihood of the next item."""
    weighs: ClassVar[bool] = False
    """True if fitting counts every event by its weight as a target: views can be context, and purchases asked."""
    seeded: ClassVar[bool] = True
    """False if fitting draws no random numbers, so that one run says all that more seeds would."""

    config: Settings
    catalog: Catalog

    @abstractmethod
    def fresh(self, users: int, features: Mapping[str, Tensor] | None = None) -> State:
        """A memory of nothing, one row a user; scoring it is meaningful (popularity, say)."""

    @abstractmethod
    def advance(self, state: State, events: Events) -> State:
        """Append `lengths[b]` events to row b. A row of length zero comes back bit for bit."""

    @abstractmethod
    def score(self, state: State, at: Tensor | None = None, items: Tensor | None = None) -> Tensor:
        """A logit an item code: [B V], or [B K] for candidate codes `items` [K] or [B K]. Padding scores -inf."""

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

    @abstractmethod
    def item_vectors(self) -> Tensor:
        """[V D]: what a hidden vector is multiplied with."""

    def item_bias(self) -> Tensor | None:
        """[V], or None."""
        return None

    def logits(self, hidden: Tensor, items: Tensor | None = None) -> Tensor:
        """hidden [B D] -> [B V], or [B K] for candidates; computed in fp32, also under mixed precision."""
        with torch.autocast(hidden.device.type, enabled=False):
            return self._logits(hidden.float(), items)

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

    @abstractmethod
    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        """-> hidden [B T D] after each event; the state after `lengths[b]` events; aux for losses and pages."""

    def advance(self, state: State, events: Events) -> State:
        return self.forward(events, state)[1]

    def score(self, state: State, at: Tensor | None = None, items: Tensor | None = None) -> Tensor:
        return self.logits(state["hidden"], items)


class Window(Network):
    """An attention or bidirectional model. Its state is the last `window` events, re-encoded when asked."""

    window: int
    """How many events it can look at."""
    causal: bool = True
    """True if hidden t depends on events up to t only, so that every position can be a target in one pass.

    Where not, training asks for the ends of prefixes, or hides events if the network is `Cloze`.
    """

    @abstractmethod
    def start(self) -> Tensor:
        """[D]: the hidden vector of an empty window."""

    @abstractmethod
    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        """-> hidden [B T D] after each event (only the last one means something where not causal); aux."""

    def fresh(self, users: int, features: Mapping[str, Tensor] | None = None) -> State:
        recent = torch.zeros(users, self.window, dtype=torch.int64, device=self.device)
        return State({"recent": recent, "held": torch.zeros(users, dtype=torch.int64, device=self.device)})

    def advance(self, state: State, events: Events) -> State:
        recent, held = push_recent(state["recent"], state["held"], events)
        return State({"recent": recent, "held": held})

    def recall(self, state: State, at: Tensor | None) -> Events:
        """What `encode` reads to answer at time `at`: each row's events, and no more cells than the longest needs."""
        held = state["held"]
        return Events(state["recent"][:, : max(1, int(held.max())) if held.numel() else 1], held)

    def score(self, state: State, at: Tensor | None = None, items: Tensor | None = None) -> Tensor:
        hidden, _ = self.encode(self.recall(state, at))
        return self.logits(take_last(hidden, state["held"], self.start().to(hidden.dtype)), items)


@runtime_checkable
class Cloze(Protocol):
    """A bidirectional network that learns to recover hidden events. (Others learn from the ends of prefixes.)"""

    def conceal(self, mask: Tensor) -> Tensor:
        """mask [B T] of real events -> [B T]: those to hide in this step, drawn at random, at least one a row."""
        ...

    def recover(self, window: Events, concealed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """At most one event more than a window -> hidden [B T D], which at concealed ones has not seen them; aux."""
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


def push_recent(recent: Tensor, held: Tensor, events: Events) -> tuple[Tensor, Tensor]:
    """Append events to a left-aligned window of the newest codes, dropping the oldest.

    recent [B M] with `held` [B] of its cells filled, events [B T] -> the same after each row's events.
    """
    keep = recent.shape[1]
    total = held + events.lengths
    # Position p of the new window is position p + (total - kept) of the row's (old window + new events).
    kept = total.clamp(max=keep)
    place = torch.arange(keep, device=recent.device) + (total - kept)[:, None]  # [B M]
    old = recent.gather(1, place.clamp(max=keep - 1))
    late = place - held[:, None]
    if events.items.shape[1]:
        new = events.codes.gather(1, late.clamp(0, events.items.shape[1] - 1))
    else:
        new = torch.zeros_like(recent)
    filled = torch.arange(keep, device=recent.device) < kept[:, None]
    return torch.where(filled, torch.where(late < 0, old, new), PAD), kept
