"""Windows cut at once against a loop over positions, with encoders that tell exactly what they were shown."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recollect.nn.windows import align_right, overlapped, sliding


def tally(x: Tensor, valid: Tensor, last: int) -> Tensor:
    """Causal and telling: at each of the last cells the sum of shifted real values so far, and how many there were."""
    real = torch.where(valid[:, :, None], x, 0)
    total = torch.zeros_like(real[:, 0])
    out = []
    for cell in range(x.shape[1]):
        total = torch.where(valid[:, cell, None], total * 0.5 + real[:, cell], total)
        out.append(torch.cat([total, valid[:, : cell + 1].sum(1, keepdim=True).to(x.dtype)], dim=-1))
    return torch.stack(out, dim=1)[:, -last:]


@st.composite
def material(draw: st.DrawFn) -> tuple[Tensor, Tensor, int]:
    """Cells [B size-1+T 1], real ones right-aligned before and left-aligned after, as the model hands them over."""
    size, T, B = draw(st.integers(1, 6)), draw(st.integers(0, 14)), draw(st.integers(1, 3))
    x = torch.randn(B, size - 1 + T, 1, generator=torch.Generator().manual_seed(draw(st.integers(0, 999)))).double()
    held, lengths = (torch.tensor([draw(st.integers(0, top)) for _ in range(B)]) for top in (size - 1, T))
    place = torch.arange(size - 1 + T)
    valid = (place >= (size - 1 - held)[:, None]) & (place < (size - 1 + lengths)[:, None])
    return x, valid, size


@given(material())
def test_sliding_sees_the_last_cells_of_each_position(given_: tuple[Tensor, Tensor, int]) -> None:
    x, valid, size = given_
    got = sliding(x, valid, size, tally)
    assert got.shape[1] == x.shape[1] - size + 1
    for t in range(got.shape[1]):
        wanted = tally(x[:, t : t + size], valid[:, t : t + size], 1)[:, 0]
        torch.testing.assert_close(got[:, t], wanted)


@given(material(), st.integers(0, 5))
def test_overlapped_sees_at_least_as_much_and_less_than_twice(given_: tuple[Tensor, Tensor, int], offset: int) -> None:
    """Each position is encoded from some number of cells that end there: size to 2 size - 1, on a grid of blocks."""
    x, valid, size = given_
    offset %= size
    got = overlapped(x, valid, size, tally, offset)
    T = x.shape[1] - size + 1
    assert got.shape[1] == T
    for t in range(T):
        context = size + (t + size - offset) % size
        begin = max(0, t + size - context)
        wanted = tally(x[:, begin : t + size], valid[:, begin : t + size], 1)[:, 0]
        torch.testing.assert_close(got[:, t], wanted)


def test_the_offset_moves_the_grid_so_that_every_context_occurs() -> None:
    size, T = 4, 9
    x, valid = torch.ones(1, size - 1 + T, 1), torch.ones(1, size - 1 + T, dtype=torch.bool)
    seen = [overlapped(x, valid, size, tally, offset)[0, -1, 1].item() for offset in range(size)]
    assert sorted(seen) == [4, 5, 6, 7]


@pytest.mark.parametrize("held", [0, 1, 3, 4])
def test_align_right(held: int) -> None:
    recent = torch.tensor([[5, 6, 7, 8]])
    codes, real = align_right(recent, torch.tensor([held]))
    assert codes[0].tolist() == [0] * (4 - held) + [5, 6, 7, 8][:held]
    assert real[0].tolist() == [False] * (4 - held) + [True] * held
