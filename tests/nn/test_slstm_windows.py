"""sLSTM over overlapped windows against the windows cut one by one, values and gradients in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recollect.config import decode
from recollect.nn import slstm, slstm_block
from recollect.nn.slstm_block import SLSTMBlock, SLSTMSettings
from recollect.nn.slstm_windows import overlapped_scan
from recollect.nn.windows import overlapped

HEADS, SIZE = 2, 3
D = HEADS * SIZE


def normal(made: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=made, dtype=torch.float64)


def interval(made: torch.Generator, B: int, cells: int) -> Tensor:
    """[B cells] bool: real cells are padded on the left and on the right."""
    ends = torch.randint(0, cells + 1, (B, 2, 1), generator=made).sort(dim=1).values
    place = torch.arange(cells)
    return (place >= ends[:, 0]) & (place < ends[:, 1])


def one_by_one(
    inner: Tensor, mixed: Tensor, early: Tensor, valid: Tensor, matrix: Tensor, mixing: Tensor, bias: Tensor, size: int
) -> Tensor:
    """What `overlapped_scan` says of itself, window by window through the readable scan."""
    out = []
    for window in range(early.shape[1]):
        cut = slice(window * size, (window + 2) * size - 1)
        told = torch.cat([early[:, window], mixed[:, cut][:, early.shape[2] :]], dim=1)
        gates = torch.einsum("gd,btd->tgb", matrix, torch.cat([inner[:, cut], told], dim=-1))
        memory = slstm.Memory.zeros(HEADS, SIZE, len(inner), dtype=torch.float64)
        gates = gates.unflatten(1, (HEADS, 4, SIZE))
        h, _ = slstm.scan(gates, mixing, memory, valid[:, cut].T, bias)
        out.append(h[-size:].permute(3, 0, 1, 2))
    return torch.cat(out, dim=1)


@given(
    B=st.integers(1, 3), K=st.integers(2, 4), size=st.integers(1, 4), edge=st.integers(0, 3), seed=st.integers(0, 999)
)
def test_it_is_the_scan_of_each_window(B: int, K: int, size: int, edge: int, seed: int) -> None:
    made = torch.Generator().manual_seed(seed)
    edge = min(edge, size)
    inputs = [normal(made, B, K * size, D), normal(made, B, K * size, D), normal(made, B, K - 1, edge, D)]
    weights = [normal(made, 4 * D, 2 * D), normal(made, HEADS, 4, SIZE, SIZE), normal(made, HEADS, 4, SIZE)]
    valid = interval(made, B, K * size)
    given_ = [x.requires_grad_() for x in (*inputs, *weights)]
    real = valid[:, size - 1 : size - 1 + (K - 1) * size, None, None]
    worth = normal(made, B, (K - 1) * size, HEADS, SIZE)
    results, slopes = [], []
    for form in (one_by_one, overlapped_scan):
        h = torch.where(real, form(*given_[:3], valid, *given_[3:], size), 0)
        results.append(h)
        slopes.append(torch.autograd.grad((h * worth).sum(), given_))
    torch.testing.assert_close(*results)
    for one, two in zip(*slopes, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-7, atol=1e-9)


def test_the_written_out_gradient_is_that_of_finite_differences() -> None:
    made = torch.Generator().manual_seed(0)
    shapes = (2, 6, D), (2, 6, D), (2, 2, 1, D), (4 * D, 2 * D), (HEADS, 4, SIZE, SIZE), (HEADS, 4, SIZE)
    inputs = [normal(made, *shape).requires_grad_() for shape in shapes]
    valid = torch.tensor([[False] + [True] * 5, [True] * 6])
    assert torch.autograd.gradcheck(
        lambda a, b, c, m, r, w: overlapped_scan(a, b, c, valid, m, r, w, 2), inputs, check_batched_grad=False
    )


@pytest.mark.parametrize("size, T", [(20, 45), (5, 13), (3, 1), (4, 9), (3, 0)])
@pytest.mark.parametrize("convolution", [1, 4])
def test_a_block_over_shared_windows_is_the_block_over_copied_ones(size: int, T: int, convolution: int) -> None:
    """In training, with the same draws of dropout."""
    made = torch.Generator().manual_seed(T)
    torch.manual_seed(1)
    settings = decode(SLSTMSettings, {"heads": HEADS, "convolution": convolution}, where="slstm")
    block = SLSTMBlock(8, settings, 0.2).double().train()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    x = normal(made, 3, size - 1 + T, 8).requires_grad_()
    valid = interval(made, 3, size - 1 + T)
    real = valid[:, size - 1 :, None]
    for offset in {0, 1, size - 1}:
        results = []
        for form in (
            lambda at: overlapped(x, valid, size, block.encode, at),
            lambda at: block.encode_overlapped(x, valid, size, at),
        ):
            torch.manual_seed(2)
            y = torch.where(real, form(offset), 0)
            wanted = [x, *block.parameters()]
            slopes = torch.autograd.grad((y * torch.linspace(-1, 1, 8)).sum(), wanted, allow_unused=True)
            results.append(
                [y, *(torch.zeros_like(one) if s is None else s for one, s in zip(wanted, slopes, strict=True))]
            )
        for one, two in zip(*results, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("changes", [{}, {"input_gate": "sigmoid"}, {"forget_gate": "exp"}, {"convolution": 7}])
def test_windows_are_shared_where_the_gates_are_as_published(
    changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And are copied, to the same effect, where they are not, or are shorter than the convolution looks back."""
    called = []
    monkeypatch.setattr(slstm_block, "overlapped", lambda *a: called.append(1) or overlapped(*a))
    block = SLSTMBlock(8, decode(SLSTMSettings, {"heads": 2, **changes}, where="slstm"), 0.0)
    y = block.encode_overlapped(torch.randn(2, 4 + 7, 8), torch.ones(2, 4 + 7, dtype=torch.bool), 5, 2)
    assert y.shape == (2, 7, 8) and bool(called) == bool(changes)
