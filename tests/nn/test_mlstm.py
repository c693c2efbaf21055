"""mLSTM against the recurrence as published, written out in float64 one head and one event at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from recollect.nn import mlstm

Cell = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def draw(B: int, H: int, T: int, dk: int, dv: int, seed: int, spread: float = 3.0) -> tuple[Cell, mlstm.Memory]:
    """Random inputs with gates up to about `spread`, and a random memory, all fp64."""
    made = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=made, dtype=torch.float64)

    log_i, log_f = spread * normal(B, H, T), -spread * normal(B, H, T).abs()
    cell = (normal(B, H, T, dk), normal(B, H, T, dk), normal(B, H, T, dv), log_i, log_f)
    return cell, mlstm.Memory(normal(B, H, dk, dv), normal(B, H, dk), normal(B, H))


def published(cell: Cell, memory: mlstm.Memory) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Eq. 2-14 by loops, in NumPy: h [B H T dv], C, n, m at the end. Nothing of the package is called."""
    q, k, v, log_i, log_f = (x.numpy() for x in cell)
    C, n, m = (x.numpy().copy() for x in memory)
    B, H, T, dk = q.shape
    h = np.zeros((B, H, T, v.shape[-1]))
    for b in range(B):
        for a in range(H):
            for t in range(T):
                new = max(log_f[b, a, t] + m[b, a], log_i[b, a, t])
                keep, take = math.exp(log_f[b, a, t] + m[b, a] - new), math.exp(log_i[b, a, t] - new)
                C[b, a] = keep * C[b, a] + take * np.outer(k[b, a, t], v[b, a, t])
                n[b, a] = keep * n[b, a] + take * k[b, a, t]
                m[b, a] = new
                query = q[b, a, t] / math.sqrt(dk)
                below = max(abs(float(query @ n[b, a])), math.exp(min(-new, 50.0))) + 1e-6
                h[b, a, t] = query @ C[b, a] / below
    return h, C, n, m


def agree(got: tuple[Tensor, mlstm.Memory], wanted: tuple[np.ndarray, ...], tolerance: float = 1e-8) -> None:
    for part, oracle in zip((got[0], *got[1]), wanted, strict=True):
        scale = max(1.0, float(np.abs(oracle).max(initial=0)))
        np.testing.assert_allclose(part.numpy() / scale, oracle / scale, rtol=tolerance, atol=tolerance)


def stepwise(cell: Cell, memory: mlstm.Memory) -> tuple[Tensor, mlstm.Memory]:
    out = []
    for t in range(cell[0].shape[2]):
        h, memory = mlstm.step(*(x[:, :, t] for x in cell), memory)
        out.append(h)
    return torch.stack(out, dim=2), memory


@given(
    B=st.integers(1, 3),
    H=st.integers(1, 3),
    T=st.integers(1, 23),
    dk=st.integers(1, 5),
    dv=st.integers(1, 5),
    chunk=st.integers(1, 30),
    spread=st.sampled_from([0.1, 3.0, 40.0]),
    seed=st.integers(0, 10_000),
)
def test_three_forms_are_the_published_recurrence(
    B: int, H: int, T: int, dk: int, dv: int, chunk: int, spread: float, seed: int
) -> None:
    cell, memory = draw(B, H, T, dk, dv, seed, spread)
    wanted = published(cell, memory)
    agree(stepwise(cell, memory), wanted)
    agree(mlstm.parallel(*cell, memory), wanted)
    agree(mlstm.chunkwise(*cell, memory, chunk), wanted)


@pytest.mark.parametrize("input_gate", [-40.0, 40.0])
@pytest.mark.parametrize("forget_gate", [-40.0, 0.0, 40.0])
def test_extreme_gates(input_gate: float, forget_gate: float) -> None:
    """Also a forget gate above 1 (the exponential one), whose stabiliser grows by 40 an event."""
    cell, memory = draw(2, 2, 70, 4, 3, seed=1)
    cell = (*cell[:3], cell[3] * 0.1 + input_gate, torch.full_like(cell[4], forget_gate))
    for start in (memory, mlstm.Memory.zeros(2, 2, 4, 3, dtype=torch.float64)):
        wanted = published(cell, start)
        assert np.isfinite(wanted[0]).all()
        agree(stepwise(cell, start), wanted)
        agree(mlstm.parallel(*cell, start), wanted)
        agree(mlstm.chunkwise(*cell, start, 16), wanted)


@given(cut=st.integers(1, 19), seed=st.integers(0, 1000))
def test_a_run_in_two_parts_is_one_run(cut: int, seed: int) -> None:
    cell, memory = draw(2, 2, 20, 3, 3, seed)
    whole, end = mlstm.chunkwise(*cell, memory, 8)
    first, middle = mlstm.chunkwise(*(x[:, :, :cut] for x in cell), memory, 8)
    second, after = mlstm.chunkwise(*(x[:, :, cut:] for x in cell), middle, 8)
    torch.testing.assert_close(torch.cat([first, second], dim=2), whole)
    for one, other in zip(after, end, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_padding_leaves_the_memory_bit_for_bit(kind: torch.dtype) -> None:
    cell, memory = draw(3, 2, 45, 4, 4, seed=3)
    memory = mlstm.Memory(*(x.to(kind) for x in memory))
    q, k, v, log_i, log_f = (x.to(kind) for x in cell)
    nothing = torch.full_like(log_i, mlstm.NEVER), torch.zeros_like(log_f)
    for form in (mlstm.parallel, mlstm.chunkwise):
        _, after = form(q, k, v, *nothing, memory)
        assert all(torch.equal(a, b) for a, b in zip(after, memory, strict=True)), form.__name__
    _, after = mlstm.step(q[:, :, 0], k[:, :, 0], v[:, :, 0], nothing[0][..., 0], nothing[1][..., 0], memory)
    assert all(torch.equal(a, b) for a, b in zip(after, memory, strict=True))


def test_gradients_of_the_chunks_are_those_of_finite_differences_and_of_the_parallel_form() -> None:
    cell, memory = draw(1, 2, 7, 2, 2, seed=4, spread=1.0)
    inputs = [x.requires_grad_() for x in (*cell, *memory)]

    def run(*parts: Tensor) -> Tensor:
        h, after = mlstm.chunkwise(*parts[:5], mlstm.Memory(*parts[5:]), 3)
        return torch.cat([h.flatten(), after.cell.flatten(), after.norm.flatten()])

    assert torch.autograd.gradcheck(run, inputs[:5] + [x.detach() for x in inputs[5:]])
    h = mlstm.chunkwise(*inputs[:5], mlstm.Memory(*inputs[5:]), 3)[0]
    g = mlstm.parallel(*inputs[:5], mlstm.Memory(*inputs[5:]))[0]
    weight = torch.linspace(-1, 1, h.numel(), dtype=h.dtype).view_as(h)
    for one, two in zip(
        torch.autograd.grad((h * weight).sum(), inputs), torch.autograd.grad((g * weight).sum(), inputs), strict=True
    ):
        torch.testing.assert_close(one, two)


def test_bf16_products_keep_the_memory_in_fp32_and_stay_close() -> None:
    (q, k, v, log_i, log_f), _ = draw(2, 2, 80, 8, 8, seed=5, spread=1.0)
    start = mlstm.Memory.zeros(2, 2, 8, 8)
    exact, _ = mlstm.chunkwise(*(x.float() for x in (q, k, v, log_i, log_f)), start)
    rough, memory = mlstm.chunkwise(*(x.bfloat16() for x in (q, k, v)), log_i.float(), log_f.float(), start)
    assert rough.dtype == torch.bfloat16 and all(part.dtype == torch.float32 for part in memory)
    gap = (rough.float() - exact).norm(dim=-1) / exact.norm(dim=-1).clamp(min=1e-3)
    assert gap.median() < 0.02, gap.median()


class _Written(TorchDispatchMode):
    """Adds up the bytes that all operations give out."""

    total = 0

    def __torch_dispatch__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not func.is_view:
            self.total += result.nbytes
        return result


def test_forward_and_backward_write_in_proportion_to_time() -> None:
    """A gradient of `x[..., n]` is as large as x: indexing chunk by chunk once made the backward pass quadratic."""
    written = []
    for T in (256, 1024):
        cell, memory = draw(1, 1, T, 4, 4, seed=6)
        with _Written() as counted:
            mlstm.chunkwise(*(x.requires_grad_() for x in cell), memory, 4)[0].sum().backward()
        written.append(counted.total)
    assert written[1] / written[0] < 4.3, written
