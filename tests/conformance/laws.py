"""The laws every recommender obeys (docs: the contract), as functions of a model: silent, or AssertionError.

A law knows nothing of how a model works: only the three verbs, and `forward` or `encode` where training uses them.
`LAWS` is the list; `test_laws.py` runs it on every registered model, `test_sinners.py` shows that each can fail.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import itertools
import tomllib
from collections.abc import Callable, Mapping

import torch
from safetensors.torch import load, save

from recollect.config import ConfigError, decode, plain, to_toml
from recollect.contracts import CLOCK, PAD, Carried, Catalog, Events, Network, Recommender, Request, State, Window

from ..device import ACCELERATED, DEVICE, again
from .material import (
    LONGEST,
    SIZE,
    START,
    STRANGER,
    answers,
    close,
    events,
    hidden_of,
    met_in,
    precision,
    rebuilt,
    remember,
    same_bits,
    settled,
)
from .watch import nothing_read


def _precisions(model: Recommender) -> tuple[torch.dtype, ...]:
    return (torch.float32, torch.bfloat16) if isinstance(model, Network) else (torch.float32,)


def chopping(model: Recommender) -> None:
    """advance(advance(s, a), b) answers as advance(s, a+b), for any cut, and goes on doing so."""
    lengths = [0, 1, 2, 7, 23, 150, 150]
    whole, later = events(lengths), events([3, 0, 5, 1, 1, 2, 9], seed=2)
    for kind in _precisions(model):
        with precision(kind):
            straight = remember(model, whole)
            onward = model.score(model.advance(straight, later))
            for cut in (0, 1, 2, 5, 64, 149):
                pieces = remember(model, whole.span(0, cut), whole.span(cut, 150))
                close(model.score(straight), model.score(pieces), f"cut at {cut}, {kind}", kind)
                close(onward, model.score(model.advance(pieces, later)), f"going on after a cut at {cut}, {kind}", kind)
    short = whole.span(0, 20)
    single = remember(model, *(short.span(t, t + 1) for t in range(20)))
    close(answers(model, short), model.score(single), "one event at a time")


def prefix(model: Recommender) -> None:
    """The hidden vector training used at position t is the one after advancing t events."""
    assert isinstance(model, Network)
    longest = min(model.window, 70) if isinstance(model, Window) else 70
    batch = events([longest, longest // 2, 1])
    for kind in _precisions(model):
        with precision(kind):
            trained, state = hidden_of(model, batch), model.fresh(batch.users)
            if isinstance(model, Carried):
                assert state["hidden"].shape == (batch.users, trained.shape[2]), "a fresh state has a hidden vector"
            pairs, vectors = [], []
            for t in range(longest):
                state = model.advance(state, batch.span(t, t + 1))
                there = batch.lengths > t
                if isinstance(model, Window) and not model.causal:
                    there &= batch.lengths == t + 1  # only the last position means something
                pairs.append((model.logits(trained[there, t]), model.score(state.rows(there))))
                if isinstance(model, Carried):
                    vectors.append((trained[there, t], model.respond(state["hidden"], state.part(CLOCK))[there]))
            for what, found in (("scores", pairs), ("hidden vectors", vectors)):
                if found:
                    in_training, in_serving = (torch.cat(side) for side in zip(*found, strict=True))
                    close(in_training, in_serving, f"{what} in training and in serving, {kind}", kind)


def padding(model: Recommender) -> None:
    """What stands in padded cells changes nothing, to the last bit; nor does how much padding there is."""
    lengths = [0, 3, 17, 6]
    clean = events(lengths, width=20)
    for rubbish in (1, SIZE + 1_000, -7, 2**40):
        dirty = clean.map(torch.clone)
        dirty.items[~clean.mask] = rubbish
        assert dirty.times is not None
        dirty.times[~clean.mask] = -(2**40)
        start = remember(model, events([4, 0, 2, 30], seed=3))
        same_bits(model.advance(start, clean), model.advance(start, dirty), f"{rubbish} in padded cells")
        if isinstance(model, Network):
            short = [tensor.span(0, model.window) if isinstance(model, Window) else tensor for tensor in (clean, dirty)]
            one, two = (hidden_of(model, batch) for batch in short)
            mask = short[0].mask
            assert torch.equal(one[mask], two[mask]), f"hidden vectors see {rubbish} in padded cells"
    close(answers(model, clean.span(0, 17)), answers(model, clean), "three more columns of padding")
    wide = Events(torch.cat([clean.items, clean.items], 1), clean.lengths, torch.cat([clean.times, clean.times], 1))
    close(answers(model, clean), answers(model, wide), "twenty more columns of padding")


def company(model: Recommender) -> None:
    """A user's result does not depend on who shares the batch; new and returning users mix."""
    batch = events([5, 0, 31, 12, 1])
    returning = remember(model, batch)
    mixed = State.stack([returning.rows([2, 0]), model.fresh(1), returning.rows([3])])
    more = events([4, 9, 2, 0], seed=4)
    together = model.score(model.advance(mixed, more))
    for row in range(4):
        alone = model.score(model.advance(mixed.rows([row]), more.rows([row])))
        close(together[row : row + 1], alone, f"row {row} alone and in company")
    order = torch.tensor([3, 1, 0, 2])
    turned = model.score(model.advance(mixed.rows(order), more.rows(order)))
    close(together[order], turned, "rows in another order")
    if isinstance(model, Network):
        short = batch.span(0, model.window) if isinstance(model, Window) else batch
        whole = hidden_of(model, short)
        for row in range(batch.users):
            alone = hidden_of(model, short.rows([row]))
            mask = short.rows([row]).mask
            close(whole[row : row + 1][mask], alone[mask], f"hidden vectors of row {row} alone and in company")


def causality(model: Recommender) -> None:
    """Changing a later event changes no earlier hidden vector, and no earlier score."""
    first, later = events([6, 2, 0]), events([3, 8, 5], seed=5)
    state = remember(model, first)
    before = model.score(state)
    model.score(model.advance(state, later))
    assert torch.equal(before, model.score(state)), "the score of a state changed after another was advanced from it"
    if isinstance(model, Carried) or (isinstance(model, Window) and model.causal):
        span = min(model.window, 40) if isinstance(model, Window) else 40
        batch = events([span, span, span // 2 + 1])
        for t in (1, span // 2, span - 1):
            changed = batch.map(torch.clone)
            changed.items[:, t:] = changed.items[:, t:] % (SIZE - 1) + 1
            one, two = hidden_of(model, batch)[:, :t], hidden_of(model, changed)[:, :t]
            mask = batch.span(0, t).mask
            assert torch.equal(one[mask], two[mask]), f"a hidden vector before {t} saw events from {t} on"


def value(model: Recommender) -> None:
    """A state is a value: verbs change neither what they are given nor the model, and its size is constant."""
    learned = {name: tensor.clone() for name, tensor in model.tensors().items()}
    state = remember(model, events([4, 1, 0]))
    kept, batch = state.map(torch.clone), events([2, 12, 3], seed=6)
    given = batch.map(torch.clone)
    after = model.advance(state, batch)
    model.score(after)
    same_bits(state, kept, "the state given to advance")
    assert torch.equal(batch.items, given.items) and torch.equal(batch.lengths, given.lengths), "events were changed"
    scored = after.map(torch.clone)
    model.score(after).zero_()
    same_bits(after, scored, "the state given to score")
    same_bits(model.tensors(), learned, "what the model learned")
    fresh = model.fresh(3)
    for steps, kind in itertools.product((1, 300), _precisions(model)):
        with precision(kind):
            grown = remember(model, events([steps] * 3))
        for name in {*fresh, *grown}:
            was, now = (f"{s[name].dtype} {tuple(s[name].shape)}" if name in s else "absent" for s in (fresh, grown))
            assert was == now, f"{name} changed its shape or type after {steps} events in {kind}: {was} to {now}"


def rows(model: Recommender) -> None:
    """The first axis of every tensor is the user; slicing and stacking lose nothing."""
    for users in (1, 3):
        state = model.fresh(users)
        assert len(state) > 0 and all(t.shape[0] == users for t in state.values()), f"first axis is not users: {state}"
    batch = events([9, 0, 4, 30])
    state = remember(model, batch)
    assert all(t.shape[0] == 4 for t in state.values()), f"first axis is not users: {state}"
    same_bits(State.stack([state.rows(slice(0, 1)), state.rows([1, 2]), state.rows([3])]), state, "cut and stacked")
    picked = state.rows(torch.tensor([True, False, True, False]))
    close(model.score(state)[[0, 2]], model.score(picked), "scores of picked rows")


def idle(model: Recommender) -> None:
    """A row of length zero comes back bit for bit, whoever else moves and in whatever precision."""
    for kind in _precisions(model):
        with precision(kind):
            state = State.stack([remember(model, events([5, 40, 1])), model.fresh(1)])
            for lengths, width in (([0, 3, 0, 0], 3), ([0, 0, 0, 0], 0), ([0, 0, 0, 0], 5)):
                after = model.advance(state, events(lengths, seed=7, width=width))
                still = [row for row, length in enumerate(lengths) if length == 0]
                where = f"idle rows of {lengths}, {width} columns, {kind}"
                same_bits(state.rows(still), after.rows(still), where)
            if isinstance(model, Carried):
                hidden, after, _ = model.forward(events([0, 0, 0, 0]), state)
                assert hidden.shape[:2] == (4, 0), f"no events gave hidden vectors {tuple(hidden.shape)}"
                same_bits(state, after, f"forward over no columns, {kind}")


def bytes_(model: Recommender) -> None:
    """State and artifact survive a round trip through safetensors, bit for bit."""
    state, more = remember(model, events([0, 5, 33])), events([2, 0, 4], seed=8)
    returned = State.from_bytes(state.to_bytes()).to(DEVICE)
    same_bits(state, returned, "state")
    one_by_one = State.stack([State.from_bytes(state.rows([row]).to_bytes()) for row in range(3)]).to(DEVICE)
    same_bits(state, one_by_one, "state of one user at a time")
    scores = model.score(model.advance(state, more))
    assert torch.equal(scores, model.score(model.advance(returned, more))), "a returned state answers differently"
    stored = {name: tensor.detach().clone().contiguous() for name, tensor in model.tensors().items()}
    torch.manual_seed(99)
    other = settled(type(model)(model.config, model.catalog))  # type: ignore[call-arg]
    other.restore(load(save(stored)))
    same_bits(stored, other.tensors(), "artifact")
    assert torch.equal(scores, other.score(other.advance(returned, more))), "a restored model answers differently"
    name = sorted(stored)[0]
    for wrong in ({n: t for n, t in stored.items() if n != name}, {**stored, "no.such": torch.zeros(1)}):
        with contextlib.suppress(ValueError):
            other.restore(wrong)
            raise AssertionError("restore took tensors with a name missing or too many")
    larger = type(model)(model.config, Catalog(SIZE + 5))  # type: ignore[call-arg]
    with contextlib.suppress(ValueError):
        larger.restore(stored)
        raise AssertionError("restore took the tensors of a smaller catalog")


def finite(model: Recommender) -> None:
    """No NaN or infinity at lengths 0, 1 and 10,000, with extreme gate inputs, in fp32 and bf16."""
    kinds = _precisions(model)
    for kind in kinds:
        with precision(kind):
            state = remember(model, events([0, 1, LONGEST]), events([1, 0, 1], seed=9))
            _all_finite(model, state, f"lengths 0, 1, {LONGEST} in {kind}")
    if not isinstance(model, Network):
        return
    batch = events([0, 1, 50])
    for name, _ in model.named_parameters():
        for factor in (300.0, -300.0):
            extreme = copy.deepcopy(model)
            with torch.no_grad():
                extreme.get_parameter(name).mul_(factor)
            for kind in kinds:
                with precision(kind):
                    state = remember(extreme, batch, events([1, 0, 2], seed=9))
                    _all_finite(extreme, state, f"{name} times {factor:g} in {kind}")
    with torch.enable_grad():
        tame = copy.deepcopy(model).train(ACCELERATED)  # cuDNN gives recurrent layers gradients in training mode only
        short = batch.span(0, tame.window) if isinstance(tame, Window) else batch
        tame.logits(hidden_of(tame, short)[short.mask])[:, 1:].logsumexp(1).sum().backward()
        for name, parameter in tame.named_parameters():
            assert parameter.grad is None or parameter.grad.isfinite().all(), f"the gradient of {name} is not finite"


def _all_finite(model: Recommender, state: State, where: str) -> None:
    scores = model.score(state)
    assert scores[:, 1:].isfinite().all(), f"scores are not finite: {where}"
    assert (scores[:, PAD] == -torch.inf).all(), f"padding does not score -inf: {where}"
    for name, tensor in state.items():
        assert not tensor.isnan().any(), f"state {name} is NaN: {where}"


def strangers(model: Recommender) -> None:
    """A user without history gets a usable list; an item training never saw is handled."""
    scores = model.score(model.fresh(3))
    assert scores.shape == (3, SIZE) and scores[:, 1:].isfinite().all(), "a fresh user's scores are not all finite"
    assert (scores[:, PAD] == -torch.inf).all(), "padding must score -inf"
    assert (scores[:, 1:].max(1).values > scores[:, 1:].min(1).values).all(), "a fresh user's scores are constant"
    assert torch.equal(scores[0], scores[1]), "two fresh users differ"
    met = answers(
        model,
        Events.of([[STRANGER], [STRANGER] * 30, [1, STRANGER, 2]], [[START], [START] * 30, [START] * 3]).to(DEVICE),
    )
    assert met[:, 1:].isfinite().all(), "an item never seen in training breaks the scores"
    assert (met[:, 1:].max(1).values > met[:, 1:].min(1).values).all(), "an unseen item makes the scores constant"


def asking(model: Recommender) -> None:
    """`request_time` says truly whether the request time is looked at."""
    state = remember(model, events([5, 0, 12]))
    at = torch.full((3,), START + 12_345_678, device=DEVICE)
    late, later = Request(at), Request(at + 7_654_321)
    same = torch.equal(model.score(state, late), model.score(state, later))
    assert same or model.request_time, "scores depend on `at`, and request_time is False"
    if not model.request_time:
        assert torch.equal(model.score(state), model.score(state, late)), "scores depend on whether `at` is given"


def request(model: Recommender) -> None:
    """Scoring changes no state; a state and a request give the same scores, whoever asked before; `met_events` says
    truly whether what was met is looked at."""
    batch = events([5, 0, 12])
    state = remember(model, batch)
    kept, asked = state.map(torch.clone), Request(None, met_in(batch, model.met_events or 8))
    plainly, with_met = model.score(state), model.score(state, asked)
    same_bits(state, kept, "a state after scoring")
    assert torch.equal(model.score(state), plainly), "scores change when something else was asked before"
    assert torch.equal(model.score(state, asked), with_met), "one request, two answers"
    assert with_met[:, 1:].isfinite().all() and (with_met[:, PAD] == -torch.inf).all(), "scores with what was met"
    if model.met_events == 0:
        assert torch.equal(plainly, with_met), "scores depend on what was met, and met_events is 0"
    for row in range(3):
        alone = model.score(state.rows([row]), asked.rows([row]))
        close(alone, with_met[row : row + 1], f"request {row} alone and in company")


def candidates(model: Recommender) -> None:
    """Scores of some items, [K] or [B K], are those of the full list; padding scores -inf there too."""
    batch = events([0, 6, 25])
    state = remember(model, batch)
    few = torch.tensor([7, 2, PAD, STRANGER, 2], device=DEVICE)
    own = torch.randint(0, SIZE, (3, 4), generator=torch.Generator().manual_seed(0)).to(DEVICE)
    for asked in (None, Request(None, met_in(batch, 30))):
        full = model.score(state, asked)
        close(model.score(state, asked, items=few), full[:, few], "candidates [K]")
        close(model.score(state, asked, items=own), full.gather(1, own), "candidates [B K]")


def same_seed(model: Recommender) -> None:
    """The same seed and input give the same model and the same answer, bit for bit on a CPU; in training mode too.

    A model that says it is not `seeded` is the same whatever the seed.
    """
    pair, losses = [], []
    for _ in range(2):
        torch.manual_seed(3)
        pair.append(rebuilt(model))
    same_bits(pair[0].tensors(), pair[1].tensors(), "two models of one seed")
    if not model.seeded:
        torch.manual_seed(5)
        same_bits(pair[0].tensors(), rebuilt(model).tensors(), "seeded is False, and models of two seeds")
    batch = events([5, 0, 20])
    assert again(answers(model, batch), answers(model, batch)), "one model, one history, two answers"
    if isinstance(model, Network):
        short = batch.span(0, model.window) if isinstance(model, Window) else batch
        for _ in range(2):
            torch.manual_seed(4)
            losses.append(hidden_of(copy.deepcopy(model).train(), short))
        assert again(losses[0][short.mask], losses[1][short.mask]), "one seed, two outcomes in training mode"


def construction(model: Recommender) -> None:
    """Building reads no file, argument or environment; settings are documented, strict and survive TOML."""
    kind = type(model)
    with nothing_read():
        built = kind(model.config, model.catalog)  # type: ignore[call-arg]
    assert built.config is model.config and built.catalog is model.catalog, "a model keeps its config and catalog"
    settings = kind.Config()
    assert decode(kind.Config, plain(settings), where="model") == settings, "settings do not survive a round trip"
    written = tomllib.loads(to_toml(plain(settings)))
    assert decode(kind.Config, written, where="model") == settings, "settings do not survive TOML"
    for name, field in kind.Config.model_fields.items():
        assert field.description, f"the setting {name} has no docstring"
    try:
        decode(kind.Config, {"no_such_setting": 1}, where="model")
    except ConfigError:
        return
    raise AssertionError("an unknown setting was taken")


@dataclasses.dataclass(frozen=True)
class Law:
    """A check and the kinds of model it speaks of."""

    check: Callable[[Recommender], None]
    kind: type[Recommender] = Recommender

    def __call__(self, model: Recommender) -> None:
        with torch.no_grad():
            self.check(model)


LAWS: Mapping[str, Law] = {
    "chopping": Law(chopping),
    "prefix": Law(prefix, Network),
    "padding": Law(padding),
    "company": Law(company),
    "causality": Law(causality),
    "value": Law(value),
    "rows": Law(rows),
    "idle": Law(idle),
    "bytes": Law(bytes_),
    "finite": Law(finite),
    "strangers": Law(strangers),
    "asking": Law(asking),
    "request": Law(request),
    "candidates": Law(candidates),
    "same-seed": Law(same_seed),
    "construction": Law(construction),
}
