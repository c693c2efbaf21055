"""MemoryCache as bytes: bit for bit, or in half precision within a known share of each tensor's largest value."""

from __future__ import annotations

import pytest
import torch

from recollect import registry
from recollect.contracts import Request, State
from recollect.serve.layout import Layout

from ..conformance.material import START, events, remember, same_bits
from .material import TOLD, artifact, told


@pytest.mark.parametrize("name", [*registry.names(), TOLD])
def test_a_round_trip_changes_no_bit(name: str) -> None:
    state = remember(artifact(name).model, events([0, 1, 7, 30]))
    layout = Layout(state)
    rows = layout.pack(state)
    assert layout.size == state.bytes_per_user and {len(row) for row in rows} == {layout.size}
    same_bits(state, layout.unpack(rows), "unpacked")
    same_bits(state.rows([2]), layout.unpack(rows[2:3]), "one user")


def test_half_precision_keeps_each_value_to_a_share_of_the_largest() -> None:
    torch.manual_seed(0)
    state = State(
        {
            "cell": torch.randn(3, 4, 32) * torch.tensor([1e-20, 1.0, 1e20])[:, None, None],
            "nothing": torch.zeros(3, 64),
            "peak": torch.randn(3, 4) * 1e30,
            "codes": torch.randint(0, 1 << 40, (3, 50)),
        }
    )
    layout = Layout(state, half=True)
    assert layout.size == (4 + 2 * 128) + (4 + 2 * 64) + 4 * 4 + 8 * 50
    back = layout.unpack(layout.pack(state))
    for name in ("nothing", "peak", "codes"):
        assert torch.equal(back[name], state[name])
    for row in range(3):
        largest = state["cell"][row].abs().max()
        assert (back["cell"][row] - state["cell"][row]).abs().max() <= largest * 2**-11


@pytest.mark.parametrize("name", ["mlstm4rec", "xlstm-lsr"])
def test_half_a_memory_knows_the_time_to_the_second_and_scores_alike(name: str) -> None:
    model = told(name)
    state = remember(model, events([0, 1, 7, 30]))
    layout, asked = Layout(state, half=True), Request(torch.full((4,), START + 3_000_000))
    back = layout.unpack(layout.pack(state))
    assert state["clock.last"].dtype == torch.int64 and torch.equal(back["clock.last"], state["clock.last"])
    assert layout.size < 0.7 * state.bytes_per_user
    with torch.inference_mode():
        whole, half = (model.score(one, asked)[:, 1:] for one in (state, back))
    assert (whole - half).abs().max() < 0.02 * whole.abs().max()


def test_another_size_is_refused() -> None:
    layout = Layout(State({"hidden": torch.zeros(1, 8)}))
    with pytest.raises(ValueError, match="does not have 32 bytes"):
        layout.unpack([bytes(32), bytes(31)])
