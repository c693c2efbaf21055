"""The chunked cross-entropy against torch's: value, gradients, chunk borders, precision, and memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from recollect.losses import full
from recollect.losses.full import full_cross_entropy


def draw(N: int, V: int, D: int, seed: int, kind: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    made = torch.Generator().manual_seed(seed)
    hidden, table, bias = (torch.randn(*shape, generator=made, dtype=kind) for shape in ((N, D), (V, D), (V,)))
    return hidden, table, torch.randint(1, V, (N,), generator=made), bias


def torchs(hidden: Tensor, table: Tensor, targets: Tensor, bias: Tensor | None) -> Tensor:
    """The same without chunks: padding is left out by its logit."""
    logits = hidden @ table.T if bias is None else hidden @ table.T + bias
    logits = torch.cat([torch.full_like(logits[:, :1], -torch.inf), logits[:, 1:]], dim=1)
    return F.cross_entropy(logits, targets)


@given(
    N=st.integers(1, 40),
    V=st.integers(2, 30),
    D=st.integers(1, 6),
    cells=st.integers(1, 200),
    biased=st.booleans(),
    calm=st.sampled_from([0.0, full.CALM]),
    seed=st.integers(0, 1000),
)
def test_value_and_gradients_are_torchs_whatever_the_chunk_and_with_a_stabiliser_or_without(
    N: int, V: int, D: int, cells: int, biased: bool, calm: float, seed: int
) -> None:
    hidden, table, targets, bias = draw(N, V, D, seed)
    inputs = [hidden, table, bias] if biased else [hidden, table]
    for tensor in inputs:
        tensor.requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(full, "CHUNK_CELLS", cells)
        patch.setattr(full, "CALM", calm)
        ours = full_cross_entropy(hidden, table, targets, bias if biased else None)
    theirs = torchs(hidden, table, targets, bias if biased else None)
    torch.testing.assert_close(ours, theirs)
    for one, two in zip(torch.autograd.grad(3 * ours, inputs), torch.autograd.grad(3 * theirs, inputs), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("size", [1.0, 7.0, 8.0, 30.0])
def test_logits_up_to_where_a_stabiliser_is_wanted_and_beyond_are_exact_in_fp32(size: float) -> None:
    """D = 1, so that the bound is reached: logits from -size^2 to size^2, which is 49 and 64 around `CALM`."""
    made = torch.Generator().manual_seed(7)
    hidden = size * torch.where(torch.rand(50, 1, generator=made) < 0.5, -1.0, 1.0)
    table = torch.linspace(-size, size, 300)[:, None].clone()
    targets = torch.randint(1, 300, (50,), generator=made)
    inputs = [hidden.requires_grad_(), table.requires_grad_()]
    exact = [x.detach().double().requires_grad_() for x in inputs]
    ours, theirs = full_cross_entropy(*inputs, targets), torchs(*exact, targets, None)
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-6, atol=1e-6)
    for one, two in zip(torch.autograd.grad(ours, inputs), torch.autograd.grad(theirs, exact), strict=True):
        torch.testing.assert_close(one.double(), two, rtol=1e-4, atol=1e-6 * size)


def test_gradcheck() -> None:
    hidden, table, targets, bias = draw(7, 6, 3, seed=0)
    assert torch.autograd.gradcheck(
        lambda h, t, b: full_cross_entropy(h, t, targets, b),
        (hidden.requires_grad_(), table.requires_grad_(), bias.requires_grad_()),
    )


def test_padding_is_no_candidate_and_gets_no_gradient() -> None:
    hidden, table, targets, bias = draw(5, 6, 3, seed=1)
    table[0], bias[0] = 1e3, 1e3
    table.requires_grad_(), bias.requires_grad_()
    loss = full_cross_entropy(hidden, table, targets, bias)
    loss.backward()
    assert loss < 20
    assert table.grad is not None and (table.grad[0] == 0).all() and (table.grad[1:] != 0).any()
    assert bias.grad is not None and bias.grad[0] == 0


@pytest.mark.parametrize("size", [90.0, 1e3, 1e6])
def test_a_target_whose_probability_underflows_still_costs_its_logit(size: float) -> None:
    """fp32: exp(-90) is below the smallest probability kept, and log of it would be -inf."""
    hidden = torch.tensor([[1.0], [1.0]], requires_grad=True)
    table = torch.tensor([[0.0], [0.0], [size], [1.0]])
    targets = torch.tensor([1, 2])
    loss = full_cross_entropy(hidden, table, targets)
    torch.testing.assert_close(loss, torchs(hidden, table, targets, None))
    assert loss.item() == pytest.approx(size / 2, rel=1e-5)
    (slope,) = torch.autograd.grad(loss, hidden)
    assert slope.isfinite().all() and slope[0].item() == pytest.approx(size / 2, rel=1e-5)


def test_bf16_is_close_and_its_gradients_keep_the_parameters_dtype() -> None:
    hidden, table, targets, bias = draw(300, 200, 16, seed=2, kind=torch.float32)
    for tensor in (hidden, table, bias):
        tensor.requires_grad_()
    exact = torchs(hidden, table, targets, bias)
    with torch.autocast("cpu", torch.bfloat16):
        rough = full_cross_entropy(hidden, table, targets, bias)
    assert rough.dtype == torch.float32
    assert rough.item() == pytest.approx(exact.item(), rel=5e-3)
    wanted, got = (torch.autograd.grad(loss, (hidden, table, bias)) for loss in (exact, rough))
    for one, two in zip(wanted, got, strict=True):
        assert two.dtype == torch.float32
        assert (one - two).norm() / one.norm() < 0.02


def test_no_targets_cost_nothing() -> None:
    hidden, table, _, _ = draw(0, 5, 3, seed=3)
    loss = full_cross_entropy(hidden.requires_grad_(), table.requires_grad_(), torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss == 0 and table.grad is not None and (table.grad == 0).all()


class _Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation gives out."""

    cells = 0

    def __torch_dispatch__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else (result,):
            if isinstance(value, Tensor):
                self.cells = max(self.cells, value.untyped_storage().nbytes() // value.element_size())
        return result


def alive(run: Callable[[], None]) -> int:
    """Peak bytes that torch's allocator held during `run`, beyond what it held before."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    held = peak = 0
    for event in profile.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


def test_no_tensor_and_no_moment_holds_tokens_times_items() -> None:
    """Eight times the tokens: the logits would be 128 MB in fp32; what is alive grows by hidden's gradient."""
    peaks = {}
    for N in (500, 4000):
        hidden, table, targets, _ = draw(N, 8000, 4, seed=4, kind=torch.float32)
        hidden.requires_grad_(), table.requires_grad_()
        with pytest.MonkeyPatch.context() as patch, _Largest() as seen:
            patch.setattr(full, "CHUNK_CELLS", 400_000)
            full_cross_entropy(hidden, table, targets).backward()
            assert seen.cells <= 400_000, f"{seen.cells} cells at once for {N} x 8000 logits"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(full, "CHUNK_CELLS", 400_000)
            peaks[N] = alive(lambda: full_cross_entropy(hidden, table, targets).backward())  # noqa: B023 - run at once
    assert 400_000 * 4 <= peaks[500] < 400_000 * 4 * 4, "the measure itself sees a chunk and not much more"
    assert peaks[4000] - peaks[500] < 1_000_000, f"{peaks}: grows with tokens"


def test_the_measure_sees_what_torchs_own_loss_holds() -> None:
    hidden, table, targets, _ = draw(1000, 2000, 4, seed=5, kind=torch.float32)
    hidden.requires_grad_()
    assert alive(lambda: torchs(hidden, table, targets, None).backward()) >= 1000 * 2000 * 4
