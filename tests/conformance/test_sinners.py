"""The suite can fail: one honest model passes every law, and each small sin is caught by the law it breaks."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping

import pytest
import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.config import Settings
from recollect.contracts import Carried, Catalog, Counting, Events, Histories, Recommender, Request, State, Window

from ..device import on_the_cpu
from .laws import LAWS
from .subjects import ready

pytestmark = on_the_cpu


class Honest(Carried):
    """A leaky average of item vectors: h_t = .8 h_(t-1) + .2 e_t, the smallest carried model there is."""

    class Config(Settings):
        width: int = Field(8, ge=1)
        """Length of an item vector."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config = config
        self.catalog = catalog
        self.table = nn.Embedding(catalog.size, config.width)
        self.begin = nn.Parameter(torch.randn(config.width))

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State({"hidden": self.begin.expand(users, -1).clone()})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        now, steps = state["hidden"], []
        inputs, mask = self.embed(events), events.mask
        for t in range(events.items.shape[1]):
            now = torch.where(mask[:, t, None], self.step(now, inputs[:, t]), now)
            steps.append(now)
        hidden = torch.stack(steps, 1) if steps else now[:, None][:, :0]
        return hidden, State({"hidden": now}), {}

    def embed(self, events: Events) -> Tensor:
        return self.table(events.codes)

    def step(self, now: Tensor, seen: Tensor) -> Tensor:
        return 0.8 * now + 0.2 * seen


class HonestWindow(Window):
    """The mean of the item vectors so far in the window."""

    class Config(Settings):
        width: int = Field(8, ge=1)
        """Length of an item vector."""
        window: int = Field(6, ge=1)
        """How many events are looked at."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config = config
        self.catalog = catalog
        self.window = config.window
        self.table = nn.Embedding(catalog.size, config.width)
        self.begin = nn.Parameter(torch.randn(config.width))

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def start(self) -> Tensor:
        return self.begin

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        total = self.table(window.codes).cumsum(1)
        return total / torch.arange(1, window.items.shape[1] + 1)[:, None], {}


class HonestCounter(Counting):
    """Ranks by the number of events."""

    class Config(Settings):
        pass

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self.config = config
        self.catalog = catalog
        self.counts = torch.zeros(catalog.size)

    def fit(self, histories: Histories) -> None:
        self.counts = torch.from_numpy(histories.items).bincount(minlength=self.catalog.size).float()

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State({"nothing": torch.zeros(users, 0)})

    def advance(self, state: State, events: Events) -> State:
        return state

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        full = self.counts.repeat(state.users, 1)
        full[:, 0] = -torch.inf
        return full if items is None else full.gather(1, items.expand(state.users, -1))

    def tensors(self) -> Mapping[str, Tensor]:
        return {"counts": self.counts}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        if set(tensors) != {"counts"} or len(tensors["counts"]) != self.catalog.size:
            raise ValueError("counts do not fit")
        self.counts = tensors["counts"]


class ForgetsState(Honest):
    def advance(self, state: State, events: Events) -> State:
        return super().advance(self.fresh(state.users), events)


class TrainsOnOtherVectors(Honest):
    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        hidden, after, aux = super().forward(events, state)
        return hidden * 1.01, after, aux


class CountsFromTheEnd(HonestWindow):
    """Divides by the window's length, which differs between training and the moment of asking."""

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self.table(window.codes).cumsum(1) / window.lengths.clamp(min=1)[:, None, None], {}


class ReadsPadding(Honest):
    def embed(self, events: Events) -> Tensor:
        return self.table(events.codes) + 0.1 * (events.items == 1).any(1)[:, None, None]


class CountsPadding(Honest):
    def embed(self, events: Events) -> Tensor:
        return self.table(events.codes) / (1 + events.items.shape[1])


class TakesBatchMean(Honest):
    def embed(self, events: Events) -> Tensor:
        seen = super().embed(events)
        return seen - 0.1 * seen.mean(0)


class SeesTheFuture(Honest):
    def embed(self, events: Events) -> Tensor:
        seen = super().embed(events)
        return seen + 0.01 * seen.roll(-1, 1)


class SeesTheFutureOfItsWindow(HonestWindow):
    """Bidirectional, and does not say so."""

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        every = (self.table(window.codes) * window.mask[..., None]).sum(1, keepdim=True)
        return every.expand(-1, window.items.shape[1], -1), {}


class RemembersBehindTheState(Honest):
    """Keeps the last hidden vector on the module as well, and answers from there."""

    def advance(self, state: State, events: Events) -> State:
        after = super().advance(state, events)
        self.kept = after["hidden"]
        return after

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        return super().score(State({"hidden": getattr(self, "kept", state["hidden"])}), request, items)


class WritesIntoState(Honest):
    def step(self, now: Tensor, seen: Tensor) -> Tensor:
        return now.mul_(0.8).add_(0.2 * seen)


class KeepsEverything(Honest):
    """A memory that grows with the history."""

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State({**super().fresh(users), "all": torch.zeros(users, 0, dtype=torch.int64)})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        hidden, after, aux = super().forward(events, state)
        return hidden, State({**after, "all": torch.cat([state["all"], events.codes], 1)}), aux


class PutsUsersSecond(Honest):
    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State({**super().fresh(users), "layers": torch.zeros(2, users)})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        hidden, after, aux = super().forward(events, state)
        return hidden, State({**after, "layers": state["layers"]}), aux


class ChangesPrecision(Honest):
    """Under autocast the state comes back in another dtype than it went in."""

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        hidden, after, aux = super().forward(events, state)
        kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
        return hidden, after.map(lambda tensor: tensor.to(kind)), aux


class TouchesIdleRows(Honest):
    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        hidden, after, aux = super().forward(events, state)
        return hidden, State({"hidden": after["hidden"] * (1 + 1e-6)}), aux


class LearnsBesideItsTensors(HonestCounter):
    """What was fitted and is not stored cannot come back."""

    def fit(self, histories: Histories) -> None:
        super().fit(histories)
        self.bonus = 1.0

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        return super().score(state, request, items) + getattr(self, "bonus", 0.0)


class TakesAnyTensors(HonestCounter):
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.counts = tensors.get("counts", self.counts)


class Explodes(Honest):
    def step(self, now: Tensor, seen: Tensor) -> Tensor:
        return 1.1 * now + seen


class HasRawGates(Honest):
    """exp of a gate without a stabiliser: well until its input is large."""

    def step(self, now: Tensor, seen: Tensor) -> Tensor:
        gate = seen.mean(-1, keepdim=True).exp()
        return 0.5 * now + 0.5 * gate * seen / (1 + gate)


class KnowsNobody(Honest):
    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State({"hidden": torch.zeros(users, self.config.width)})


class BreaksOnUnseenItems(HonestCounter):
    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        return super().score(state, request, items).log()


class LooksAtMet(Honest):
    """Looks at what was met, and says it does not."""

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        scores = super().score(state, request, items)
        return scores if request is None or request.met is None else scores + request.met.counts.sum(1, keepdim=True)


class RemembersTheRequest(Honest):
    """Writes into the memory when it is asked."""

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        scores = super().score(state, request, items)
        if request is not None:
            state["hidden"].add_(1)
        return scores


class AsksTheTime(Honest):
    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        scores = super().score(state, request, items)
        return scores if request is None or request.at is None else scores * (1 + request.at[:, None] % 1000)


class ScoresCandidatesOtherwise(Honest):
    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        scores = super().score(state, request, items)
        return scores if items is None else scores + 1


class RecommendsPadding(Honest):
    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        scores = super().score(state, request, items)
        return scores.clamp(min=-100.0)


_built = itertools.count(1)


class DiffersEachTime(Honest):
    def __init__(self, config: Honest.Config, catalog: Catalog) -> None:
        super().__init__(config, catalog)
        with torch.no_grad():
            self.begin.fill_(float(next(_built)))


class DeniesItsSeed(HonestCounter):
    seeded = False

    def fit(self, histories: Histories) -> None:
        super().fit(histories)
        self.counts += torch.rand(self.catalog.size)


class ReadsTheEnvironment(Honest):
    def __init__(self, config: Honest.Config, catalog: Catalog) -> None:
        super().__init__(config, catalog)
        self.fast = os.environ.get("RECOLLECT_FAST") == "1"


class ReadsAFile(Honest):
    def __init__(self, config: Honest.Config, catalog: Catalog) -> None:
        super().__init__(config, catalog)
        with open(os.devnull) as file:
            self.notes = file.read()


class HasUndocumentedSettings(Honest):
    class Config(Honest.Config):
        depth: int = 1


SINS: list[tuple[type[Recommender], str, str]] = [
    (ForgetsState, "chopping", "cut at"),
    (SeesTheFuture, "chopping", "cut at"),
    (TrainsOnOtherVectors, "prefix", "in training and in serving"),
    (CountsFromTheEnd, "prefix", "in training and in serving"),
    (ReadsPadding, "padding", "in padded cells"),
    (CountsPadding, "padding", "more columns"),
    (TakesBatchMean, "company", "in company"),
    (SeesTheFuture, "causality", "hidden vector before"),
    (SeesTheFutureOfItsWindow, "causality", "hidden vector before"),
    (RemembersBehindTheState, "causality", "score of a state changed"),
    (WritesIntoState, "value", "given to advance"),
    (KeepsEverything, "value", "all changed its shape"),
    (PutsUsersSecond, "rows", "first axis"),
    (TouchesIdleRows, "idle", "idle rows"),
    (ChangesPrecision, "idle", "bfloat16"),
    (LearnsBesideItsTensors, "bytes", "restored model"),
    (TakesAnyTensors, "bytes", "restore took"),
    (Explodes, "finite", "lengths 0, 1, 10000"),
    (HasRawGates, "finite", "times 300"),
    (KnowsNobody, "strangers", "constant"),
    (BreaksOnUnseenItems, "strangers", "not all finite"),
    (RecommendsPadding, "strangers", "padding must"),
    (AsksTheTime, "asking", "depend on `at`"),
    (LooksAtMet, "request", "met_events is 0"),
    (RemembersTheRequest, "request", "after scoring"),
    (ScoresCandidatesOtherwise, "candidates", "candidates"),
    (DiffersEachTime, "same-seed", "one seed"),
    (DeniesItsSeed, "same-seed", "two seeds"),
    (ReadsTheEnvironment, "construction", "environment"),
    (ReadsAFile, "construction", "open"),
    (HasUndocumentedSettings, "construction", "no docstring"),
]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kind", [Honest, HonestWindow, HonestCounter])
def test_the_honest_pass(kind: type[Recommender], law: str) -> None:
    if issubclass(kind, LAWS[law].kind):
        LAWS[law](ready(kind))


@pytest.mark.parametrize(("kind", "law", "complaint"), SINS, ids=[f"{kind.__name__}-{law}" for kind, law, _ in SINS])
def test_the_sinner_is_caught(kind: type[Recommender], law: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        LAWS[law](ready(kind))


def test_every_law_catches_somebody() -> None:
    assert {law for _, law, _ in SINS} == set(LAWS)
