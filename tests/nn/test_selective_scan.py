"""The selective scan against its definition in NumPy float64, and the written-out gradient against autograd."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from recollect.nn import selective_scan
from recollect.nn.selective_scan import chunked, recurrence

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
"""x, delta, A, B, C, D, memory."""


def draw(U: int, T: int, E: int, N: int, seed: int, time: float = 1.0, steep: float = 1.0) -> Inputs:
    """Random inputs, fp64; `time` and `steep` stretch delta and A."""
    made = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=made, dtype=torch.float64)

    delta, A = time * normal(U, T, E).exp(), -steep * normal(E, N).exp()
    return normal(U, T, E), delta, A, normal(U, T, N), normal(U, T, N), normal(E), normal(U, E, N)


def defined(*inputs: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """h' = exp(delta A) h + delta x B, y = C . h' + D x: one user, channel and event at a time."""
    x, delta, A, B, C, D, memory = (part.detach().numpy() for part in inputs)
    h, y = memory.copy(), np.zeros_like(x)
    for u, t, e in np.ndindex(*x.shape):
        h[u, e] = np.exp(delta[u, t, e] * A[e]) * h[u, e] + delta[u, t, e] * x[u, t, e] * B[u, t]
        y[u, t, e] = C[u, t] @ h[u, e] + D[e] * x[u, t, e]
    return y, h


def agree(got: tuple[Tensor, Tensor], wanted: tuple[np.ndarray, np.ndarray]) -> None:
    for ours, oracle in zip(got, wanted, strict=True):
        scale = max(1.0, float(np.abs(oracle).max(initial=0)))
        np.testing.assert_allclose(ours.detach().numpy() / scale, oracle / scale, rtol=1e-9, atol=1e-11)


@pytest.fixture(params=[1, 30, 10**6], ids=["event by event", "blocks", "all at once"])
def cells(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How much is worked on at once."""
    monkeypatch.setitem(selective_scan.CELLS, "cpu", request.param)
    return int(request.param)


shapes = {
    "U": st.integers(0, 3),
    "T": st.integers(0, 13),
    "E": st.integers(1, 4),
    "N": st.integers(1, 4),
    "seed": st.integers(0, 10_000),
}


@given(
    **shapes,
    chunk=st.integers(0, 15),
    time=st.sampled_from([1e-3, 1.0, 1e3]),
    steep=st.sampled_from([1e-3, 1.0, 1e3]),
    cells=st.sampled_from([1, 60, 10**6]),
)
def test_every_form_is_the_definition(
    U: int, T: int, E: int, N: int, seed: int, chunk: int, time: float, steep: float, cells: int
) -> None:
    inputs = draw(U, T, E, N, seed, time, steep)
    wanted = defined(*inputs)
    assert np.isfinite(wanted[0]).all()
    agree(recurrence(*inputs), wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(selective_scan.CELLS, "cpu", cells)
        agree(selective_scan.scan(*inputs, chunk), wanted)
        agree(chunked(*inputs, chunk), wanted)
        inputs[0].requires_grad_()
        agree(chunked(*inputs, chunk), wanted)  # another path: the memories are kept for the backward pass


def gradients(form: Callable[..., tuple[Tensor, Tensor]], inputs: Inputs, *more: int) -> tuple[Tensor, ...]:
    """Of a weighted sum of all that comes out."""
    given_ = tuple(part.detach().clone().requires_grad_() for part in inputs)
    y, after = form(*given_, *more)
    weights = torch.Generator().manual_seed(7)
    total = sum((part * torch.randn(part.shape, generator=weights, dtype=part.dtype)).sum() for part in (y, after))
    assert isinstance(total, Tensor)
    return torch.autograd.grad(total, given_, materialize_grads=True)


@given(
    **shapes,
    chunk=st.integers(0, 15),
    stretch=st.sampled_from([(1.0, 1.0), (1e-3, 10.0), (30.0, 30.0), (1e3, 1e-3)]),
    cells=st.sampled_from([1, 60, 10**6]),
)
def test_the_written_out_gradient_is_autograds(
    U: int, T: int, E: int, N: int, seed: int, chunk: int, stretch: tuple[float, float], cells: int
) -> None:
    inputs = draw(U, T, E, N, seed, *stretch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(selective_scan.CELLS, "cpu", cells)
        got = gradients(chunked, inputs, chunk)
    for ours, wanted in zip(got, gradients(recurrence, inputs), strict=True):
        scale = wanted.abs().amax().clamp(min=1.0) if wanted.numel() else 1.0
        torch.testing.assert_close(ours / scale, wanted / scale, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("chunk", [0, 1, 2, 3])
def test_the_written_out_gradient_is_that_of_finite_differences(chunk: int, cells: int) -> None:
    """Of everything that goes in, the memory at the start too, through everything that comes out."""
    inputs = tuple(part.requires_grad_() for part in draw(2, 5, 2, 3, seed=chunk))
    assert torch.autograd.gradcheck(lambda *given_: chunked(*given_, chunk), inputs)


@given(cut=st.integers(0, 11), chunk=st.integers(0, 12), seed=st.integers(0, 1000))
def test_a_run_in_two_parts_is_one_run(cut: int, chunk: int, seed: int) -> None:
    x, delta, A, B, C, D, memory = draw(2, 11, 3, 4, seed)
    whole, end = chunked(x, delta, A, B, C, D, memory, chunk)
    first, middle = chunked(x[:, :cut], delta[:, :cut], A, B[:, :cut], C[:, :cut], D, memory, chunk)
    second, after = chunked(x[:, cut:], delta[:, cut:], A, B[:, cut:], C[:, cut:], D, middle, chunk)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(after, end)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("chunk", [0, 1, 4, 5])
def test_padding_leaves_the_memory_bit_for_bit(kind: torch.dtype, chunk: int, cells: int) -> None:
    x, delta, A, B, C, D, memory = (part.to(kind) for part in draw(3, 17, 4, 5, seed=1))
    nothing = torch.zeros_like(delta)
    for form in (recurrence, chunked):
        assert torch.equal(form(x * 1e6, nothing, A, B * -1e6, C, D, memory)[1], memory), form.__name__
    real = torch.arange(17) < 6
    some = torch.where(real[:, None], delta, 0.0)
    _, padded = chunked(x, some, A, B, C, D, memory, chunk)
    _, alone = chunked(x[:, :6], delta[:, :6], A, B[:, :6], C[:, :6], D, memory)
    if chunk == 0:
        assert torch.equal(padded, alone)
    torch.testing.assert_close(padded, alone)


@pytest.mark.parametrize("time", [0.0, 1e-30, 1e4])
@pytest.mark.parametrize("steep", [1e-30, 1e4, 1e17])
@pytest.mark.parametrize("chunk", [0, 7])
def test_extreme_decays_stay_finite_in_fp32(time: float, steep: float, chunk: int) -> None:
    """exp(-total) would overflow at a total of 89; one event alone reaches 1e21 here."""
    inputs = tuple(part.float() for part in draw(2, 40, 3, 4, 2, time, steep))
    y, after = chunked(*inputs, chunk)
    found = gradients(chunked, inputs, chunk)  # type: ignore[arg-type]
    assert all(part.isfinite().all() for part in (y, after, *found))


def test_fp32_is_close_to_the_definition_over_long_histories() -> None:
    inputs = draw(2, 600, 3, 4, seed=3, time=0.01)
    wanted = defined(*inputs)
    for chunk in (0, 16):
        for ours, oracle in zip(chunked(*(part.float() for part in inputs), chunk), wanted, strict=True):
            assert np.abs(ours.numpy() - oracle).max() < 1e-5 * np.abs(oracle).max()


def test_autocast_rounds_nothing() -> None:
    inputs = tuple(part.float() for part in draw(2, 9, 4, 8, seed=4))
    exact = (*chunked(*inputs), *gradients(chunked, inputs))  # type: ignore[arg-type]
    with torch.autocast("cpu", torch.bfloat16):
        found = (*chunked(*inputs), *gradients(chunked, inputs))  # type: ignore[arg-type]
    assert all(torch.equal(one, two) for one, two in zip(exact, found, strict=True))


class _Largest(TorchDispatchMode):
    """Watches for the largest tensor that is made."""

    cells = 0

    def __torch_dispatch__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.cells = max(self.cells, result.numel())
        return result


def test_reading_a_long_history_keeps_no_memory_of_each_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(selective_scan.CELLS, "cpu", 200)
    inputs = draw(1, 300, 4, 16, seed=5)
    with torch.no_grad(), _Largest() as seen:
        chunked(*inputs)
    assert seen.cells <= 300 * 16  # B itself; all memories would be four times that


def published(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, return_last_state: bool = False
) -> tuple[Tensor, Tensor]:
    """What `selective_scan_fn` of mamba_ssm states of itself: u, delta [B D L], A [D N], B, C [B N L], D [D]."""
    assert return_last_state and all(part.is_contiguous() for part in (u, delta, A, B, C))
    x, end = u.new_zeros(*u.shape[:2], A.shape[1]), []
    for t in range(u.shape[2]):
        x = torch.exp(torch.einsum("bd,dn->bdn", delta[:, :, t], A)) * x
        x = x + torch.einsum("bd,bn,bd->bdn", delta[:, :, t], B[:, :, t], u[:, :, t])
        end.append(torch.einsum("bdn,bn->bd", x, C[:, :, t]))
    return torch.stack(end, dim=2) + u * D[:, None], x


def test_the_published_kernel_is_handed_what_it_asks_for() -> None:
    *inputs, memory = draw(2, 6, 3, 4, seed=6)
    wanted = recurrence(*inputs, torch.zeros_like(memory))
    inputs[0].requires_grad_()
    y, after = selective_scan.by_kernel(published, *inputs)
    torch.testing.assert_close(y, wanted[0])
    torch.testing.assert_close(after, wanted[1])
    assert y.requires_grad and not after.requires_grad


@pytest.fixture
def asked_again() -> Iterator[None]:
    """What is installed is looked up once; here it is looked up again, before and after."""
    selective_scan.published_kernel.cache_clear()
    yield
    selective_scan.published_kernel.cache_clear()


@pytest.mark.usefixtures("asked_again")
def test_the_published_kernel_is_found_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = types.ModuleType("selective_scan_interface")
    found.selective_scan_fn = published  # type: ignore[attr-defined]
    for name in ("mamba_ssm", "mamba_ssm.ops"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "mamba_ssm.ops.selective_scan_interface", found)
    assert selective_scan.published_kernel() is published


@pytest.mark.usefixtures("asked_again")
@pytest.mark.parametrize("failure", [ImportError("undefined symbol"), OSError("libcudart.so.12: cannot open")])
def test_a_kernel_that_is_absent_or_broken_is_no_error(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name.startswith("mamba_ssm"):
                raise failure

    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "mamba_ssm", raising=False)
    assert selective_scan.published_kernel() is None
