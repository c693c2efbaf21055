"""Every fast form on the device of the tests beside its readable reference in fp64 on the CPU: values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from recollect.losses.full import full_cross_entropy
from recollect.losses.sampled import sampled_softmax
from recollect.nn import lru, mlstm, selective_scan, slstm
from recollect.nn.attention import SelfAttention
from recollect.nn.dropout import Dropout
from recollect.recommend import top

from ..device import DEVICE, apart, on_a_named_device

pytestmark = on_a_named_device
CLOSE = 2e-4
"""Between fp32 on the device and fp64 on the CPU, as a share of a tensor's largest value."""

Form = Callable[..., Sequence[Tensor]]


def held_together(fast: Form, readable: Form, *given: Tensor) -> None:
    """Both forms of the same inputs: what comes out, and the gradient of each input that has one."""
    found = []
    for form, place, kind in ((readable, torch.device("cpu"), torch.float64), (fast, DEVICE, torch.float32)):
        wide = {torch.float32: kind, torch.complex64: torch.complex128 if kind == torch.float64 else torch.complex64}
        inputs = [x.to(place, wide.get(x.dtype, x.dtype)).requires_grad_(x.dtype in wide) for x in given]
        out = form(*inputs)
        draw, total = torch.Generator().manual_seed(9), torch.zeros((), dtype=kind, device=place)
        for part in out:
            weight = torch.randn(part.shape, generator=draw).to(place)
            total = total + ((part.real * weight).sum() if part.is_complex() else (part * weight).sum())
        total.backward()
        found.append([*out, *(x.grad for x in inputs if x.grad is not None)])
    exact, quick = found
    assert len(exact) == len(quick)
    for number, (one, two) in enumerate(zip(exact, quick, strict=True)):
        assert two.device.type == DEVICE.type
        one, two = (torch.view_as_real(x) if x.is_complex() else x for x in (one.detach(), two.detach()))
        assert apart(one, two) < CLOSE, f"tensor {number} is {apart(one, two):.2g} of its size away"


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_mlstm_chunkwise() -> None:
    B, H, T, d = 3, 2, 101, 16
    q, k, v = (drawn(B, H, T, d, seed=seed) for seed in range(3))
    log_i, log_f = drawn(B, H, T, seed=3), F.logsigmoid(drawn(B, H, T, seed=4) + 3)
    cell, norm, peak = drawn(B, H, d, d, seed=5), drawn(B, H, d, seed=6), drawn(B, H, seed=7)

    def form(cellwise: Callable[..., tuple[Tensor, mlstm.Memory]]) -> Form:
        def run(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, *memory: Tensor) -> Sequence[Tensor]:
            h, after = cellwise(q, k, v, i, f, mlstm.Memory(*memory))
            return [h, after.cell, after.norm]

        return run

    held_together(form(mlstm.chunkwise), form(mlstm.parallel), q, k, v, log_i, log_f, cell, norm, peak)


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("growing", [False, True])
def test_slstm_fused_scan(bounded: bool, growing: bool) -> None:
    T, H, d, B = 40, 2, 8, 5
    gates, mixing = drawn(T, H, 4, d, B), 0.2 * drawn(H, 4, d, d, seed=1)
    if growing:
        gates[:, :, 2] = F.logsigmoid(gates[:, :, 2])
    valid = torch.arange(T)[:, None] < torch.tensor([40, 0, 1, 17, 39])

    def form(scan: Callable[..., tuple[Tensor, slstm.Memory]]) -> Form:
        def run(gates: Tensor, mixing: Tensor) -> Sequence[Tensor]:
            memory = slstm.Memory.zeros(H, d, B, device=gates.device, dtype=gates.dtype)
            return [scan(gates, mixing, memory, valid.to(gates.device), bounded=bounded, growing=growing)[0]]

        return run

    held_together(form(slstm.fused_scan), form(slstm.scan), gates, mixing)


def test_lru_fused_scan() -> None:
    T, B, C = 77, 4, 24
    u, start = torch.complex(drawn(T, B, C), drawn(T, B, C, seed=1)), torch.complex(drawn(B, C), drawn(B, C, seed=2))
    decay = torch.polar(0.8 + 0.19 * torch.rand(C), 6.28 * torch.rand(C))
    held_together(lambda *x: [lru.fused_scan(*x)], lambda *x: [lru.scan(*x)], u, decay, start)


@pytest.mark.parametrize("chunk", [0, 7])
def test_selective_scan(chunk: int) -> None:
    U, T, E, N = 3, 90, 12, 5
    x, B, C = drawn(U, T, E), drawn(U, T, N, seed=1), drawn(U, T, N, seed=2)
    delta, A = F.softplus(drawn(U, T, E, seed=3) - 2), -torch.exp(drawn(E, N, seed=4))
    D, memory = drawn(E, seed=5), drawn(U, E, N, seed=6)
    held_together(
        lambda *given: selective_scan.chunked(*given, chunk=chunk),
        selective_scan.recurrence,
        x, delta, A, B, C, D, memory,
    )  # fmt: skip


@pytest.mark.parametrize("biased", [False, True])
def test_full_cross_entropy(biased: bool) -> None:
    N, V, D = 700, 301, 16
    targets = torch.randint(1, V, (N,), generator=torch.Generator().manual_seed(3))
    # One target is so unlikely that its probability is lost to rounding.
    hidden, table, bias = drawn(N, D), drawn(V, D, seed=1), drawn(V, seed=2)
    hidden[0] = -60 * table[targets[0]]

    def textbook(hidden: Tensor, table: Tensor, bias: Tensor) -> Sequence[Tensor]:
        logits = hidden @ table[1:].T + (bias[1:] if biased else 0)
        return [F.cross_entropy(logits, targets.to(hidden.device) - 1)]

    def ours(hidden: Tensor, table: Tensor, bias: Tensor) -> Sequence[Tensor]:
        return [full_cross_entropy(hidden, table, targets.to(hidden.device), bias if biased else None)]

    held_together(ours, textbook, hidden, table, bias)


def test_sampled_softmax() -> None:
    N, V, D = 300, 200, 16
    targets, negatives = (torch.randint(1, V, (n,), generator=torch.Generator().manual_seed(n)) for n in (N, 64))

    def form(hidden: Tensor, table: Tensor) -> Sequence[Tensor]:
        return [sampled_softmax(hidden, table, targets.to(hidden.device), negatives.to(hidden.device))]

    held_together(form, form, drawn(N, D), drawn(V, D, seed=1))


@pytest.mark.parametrize("causal", [True, False])
def test_attention(causal: bool) -> None:
    torch.manual_seed(0)
    layer = SelfAttention(32, 2, 0.0, causal=causal)
    real = None if causal else torch.arange(50) < torch.tensor([50, 1, 33])[:, None]

    def form(x: Tensor) -> Sequence[Tensor]:
        there = None if real is None else real.to(x.device)
        return [layer.to(x.device, x.dtype)(x, there)]

    held_together(form, form, drawn(3, 50, 32))


def test_dropout_keeps_the_expectation_and_its_rate() -> None:
    layer, x = Dropout(0.2).train(), torch.ones(1_000_000, device=DEVICE)
    torch.manual_seed(0)
    out = layer(x)
    assert float(out.mean()) == pytest.approx(1.0, abs=0.003)
    assert float((out == 0).float().mean()) == pytest.approx(layer.dropped / 256, abs=0.003)


def test_the_best_stand_in_the_order_of_their_codes_where_scores_are_equal() -> None:
    scores = torch.randint(0, 12, (40, 300), generator=torch.Generator().manual_seed(0)).float()
    best, codes = top(scores.to(DEVICE), 25)
    for row, (found, values) in enumerate(zip(codes.tolist(), best.tolist(), strict=True)):
        wanted = sorted(range(300), key=lambda code: (-float(scores[row, code]), code))[:25]
        assert found == wanted and values == [float(scores[row, code]) for code in wanted]
