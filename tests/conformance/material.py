"""What the laws are tried on: one small log and catalogue, random histories, and how equal two results must be.

Tolerances stand here and nowhere else in the suite.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from recollect.contracts import (
    CLOCK,
    Carried,
    Catalog,
    Counting,
    Events,
    Met,
    Network,
    Recommender,
    Request,
    State,
    Window,
)
from recollect.data.histories import Ragged
from recollect.data.last_meetings import LastMeetings

from ..device import DEVICE

SIZE = 40
"""Item codes in the catalogue of the suite, padding included; the last one never occurs in training."""
STRANGER = SIZE - 1
LONGEST = 10_000
START = 1_500_000_000

TOLERANCE = {torch.float32: 2e-4, torch.bfloat16: 0.03}
"""Largest difference between two ways to one result, as a share of the largest magnitude in its row.

fp32: every row (orders of summation over some hundred events; measured up to 2e-5). bf16: the middle row (measured
about .005). A single bf16 row may stand where the memory's normaliser cancels, and there every way to compute it is
far from the fp32 result; so fp32 holds the logic to account, and bf16 that it is still the same computation.
"""


def training_log(users: int = 60, seed: int = 0) -> Ragged:
    """Random histories over all codes but `STRANGER`, some users with none."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(0, 40, users)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    popularity = np.arange(SIZE - 2, 0, -1) ** 1.5
    items = draw.choice(np.arange(1, SIZE - 1), size=offsets[-1], p=popularity / popularity.sum())
    return Ragged(items, START + np.arange(offsets[-1], dtype=np.int64) * 60, offsets)


def catalog() -> Catalog:
    return Catalog(SIZE, np.bincount(training_log().items, minlength=SIZE))


def events(lengths: list[int], seed: int = 1, width: int | None = None) -> Events:
    """Random events of the given lengths, with repeats and strangers, times rising."""
    draw = torch.Generator().manual_seed(seed)
    span = max([*lengths, width or 0])
    items = torch.randint(1, SIZE, (len(lengths), span), generator=draw)
    times = START + torch.randint(0, 90_000, (len(lengths), span), generator=draw).cumsum(1)
    batch = Events(items, torch.tensor(lengths), times)
    return dataclasses.replace(batch, items=batch.codes).to(DEVICE)


def met_in(batch: Events, last: int) -> Met:
    """What each row has met in its last events."""
    lengths, mask = batch.lengths.cpu().numpy(), batch.mask.cpu()
    assert batch.times is not None
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    meetings = LastMeetings.of(batch.items.cpu()[mask].numpy(), batch.times.cpu()[mask].numpy(), offsets)
    return Request(None, meetings.before(offsets[:-1], offsets[1:], last)).to(DEVICE).met  # type: ignore[return-value]


def close(one: Tensor, two: Tensor, what: str, kind: torch.dtype = torch.float32) -> None:
    """Equal within `TOLERANCE`, row by row (the last axis), infinities in the same places."""
    assert one.shape == two.shape, f"{what}: shapes {tuple(one.shape)} and {tuple(two.shape)}"
    one, two = one.detach().float(), two.detach().float()
    finite = one.isfinite()
    assert torch.equal(finite, two.isfinite()), f"{what}: one is finite where the other is not"
    one, two = one.where(finite, 0), two.where(finite, 0)
    if one.numel():
        scale = one.abs().amax(-1, keepdim=True).clamp(min=1e-6)
        gaps = ((one - two).abs() / scale).amax(-1).flatten()
        gap = float(gaps.median() if kind == torch.bfloat16 else gaps.max())
        assert gap <= TOLERANCE[kind], f"{what}: differ by {gap:.2g} of a row's size (allowed {TOLERANCE[kind]:g})"


def same_bits(one: Mapping[str, Tensor], two: Mapping[str, Tensor], what: str) -> None:
    assert set(one) == set(two), f"{what}: names {sorted(set(one) ^ set(two))} are in one only"
    for name in one:
        a, b = one[name].detach().contiguous(), two[name].detach().contiguous()
        assert a.dtype == b.dtype and a.shape == b.shape, f"{what}: {name} is {a.dtype}{tuple(a.shape)} and {b.dtype}"
        raw_a, raw_b = a.reshape(-1).view(torch.uint8), b.reshape(-1).view(torch.uint8)
        assert torch.equal(raw_a, raw_b), f"{what}: {name} differs"


def rebuilt(model: Recommender) -> Recommender:
    """Another model of the same settings; a counting one fitted on the same log."""
    other = type(model)(model.config, model.catalog)  # type: ignore[call-arg]
    if isinstance(other, Counting):
        other.fit(training_log())
    return settled(other)


def settled(model: Recommender) -> Recommender:
    """A network in evaluation mode on the device of the tests; what counts stays as and where it is."""
    return model.to(DEVICE).eval() if isinstance(model, Network) else model


def answers(model: Recommender, *parts: Events) -> Tensor:
    """The scores after the parts, one `advance` each, from a fresh state."""
    return model.score(remember(model, *parts))


def remember(model: Recommender, *parts: Events) -> State:
    state = model.fresh(parts[0].users)
    for part in parts:
        state = model.advance(state, part)
    return state


def hidden_of(model: Network, batch: Events) -> Tensor:
    """[B T D]: what training multiplies with the item table, asked right after each event."""
    if isinstance(model, Carried):
        state = model.fresh(batch.users)
        hidden, _, aux = model.forward(batch, state)
        memory = {name: aux[f"{CLOCK}.{name}"].flatten(0, 1) for name in state.part(CLOCK)}
        return model.respond(hidden.flatten(0, 1), memory).view(hidden.shape)
    assert isinstance(model, Window)
    return model.encode(batch)[0]


@contextlib.contextmanager
def precision(kind: torch.dtype) -> Iterator[None]:
    """fp32 as it is, or bf16 by autocast, as the training loop does it."""
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=kind == torch.bfloat16):
        yield
