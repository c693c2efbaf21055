"""The causal convolution against torch's depthwise one, and its tail against a run in one piece."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from recollect.nn.conv import CausalConv


def made(channels: int, width: int, seed: int) -> CausalConv:
    torch.manual_seed(seed)
    conv = CausalConv(channels, width).double()
    torch.nn.init.normal_(conv.bias)
    return conv


@given(
    B=st.integers(1, 3), T=st.integers(1, 9), C=st.integers(1, 5), width=st.integers(1, 5), seed=st.integers(0, 1000)
)
def test_it_is_a_depthwise_convolution_padded_on_the_left(B: int, T: int, C: int, width: int, seed: int) -> None:
    conv = made(C, width, seed)
    x = torch.randn(B, T, C, dtype=torch.float64)
    y, _ = conv(x, torch.full((B,), T), conv.fresh(B))
    wanted = F.conv1d(F.pad(x.mT, (width - 1, 0)), conv.weight.T[:, None], conv.bias, groups=C).mT
    torch.testing.assert_close(y, wanted)


@given(width=st.integers(1, 5), lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4), more=st.integers(0, 6))
def test_the_tail_carries_on(width: int, lengths: list[int], more: int) -> None:
    """Each row stops at its own length; going on from its tail is as if there had been no stop, whatever was padded."""
    conv = made(3, width, 0)
    x, later = torch.randn(len(lengths), 6, 3).double(), torch.randn(len(lengths), more, 3).double()
    _, tail = conv(x, torch.tensor(lengths), conv.fresh(len(lengths)))
    got, _ = conv(later, torch.full((len(lengths),), more), tail)
    for row, length in enumerate(lengths):
        whole = torch.cat([x[row, :length], later[row]])[None]
        wanted, _ = conv(whole, torch.tensor([length + more]), conv.fresh(1))
        torch.testing.assert_close(got[row], wanted[0, length:])


def test_a_row_of_no_events_keeps_its_tail_bit_for_bit() -> None:
    conv = made(3, 4, 1)
    tail = torch.randn(2, 3, 3).double()
    _, after = conv(torch.full((2, 5, 3), torch.nan).double(), torch.tensor([0, 0]), tail)
    assert torch.equal(after, tail)


@given(
    B=st.integers(1, 3), T=st.integers(0, 7), C=st.integers(1, 4), width=st.integers(1, 5), seed=st.integers(0, 1000)
)
def test_its_written_out_gradient_is_that_of_the_readable_form(B: int, T: int, C: int, width: int, seed: int) -> None:
    conv = made(C, width, seed)
    inputs = [torch.randn(B, cells, C, dtype=torch.float64, requires_grad=True) for cells in (T, width - 1)]
    wanted = [*inputs, conv.weight, conv.bias]
    worth = torch.randn(B, T, C, dtype=torch.float64)
    y, plain = conv(inputs[0], torch.full((B,), T), inputs[1])[0], conv.mix(torch.cat(inputs[::-1], dim=1))
    torch.testing.assert_close(y, plain)
    for one, two in zip(*(torch.autograd.grad((out * worth).sum(), wanted) for out in (y, plain)), strict=True):
        torch.testing.assert_close(one, two)


def test_the_gradient_reaches_what_is_carried_on() -> None:
    """Each row stops at its own length; what its tail holds is what it read, or what was there before."""
    conv = made(2, 4, 3)
    x, tail = (torch.randn(3, cells, 2, dtype=torch.float64, requires_grad=True) for cells in (5, 3))
    lengths = torch.tensor([0, 2, 5])
    assert torch.autograd.gradcheck(lambda *a: conv(a[0], lengths, a[1]), (x, tail))
