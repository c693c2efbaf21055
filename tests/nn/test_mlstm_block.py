"""The mLSTM block: one event at a time is all at once, padding is nothing, every switch is felt."""

from __future__ import annotations

import pytest
import torch

from recollect.config import decode
from recollect.contracts import Events, State
from recollect.nn.mlstm_block import MLSTMBlock, MLSTMSettings


def made(seed: int = 0, **settings: object) -> MLSTMBlock:
    """A block in evaluation mode whose gates are moved off their start, where their weights are zero."""
    torch.manual_seed(seed)
    block = MLSTMBlock(8, decode(MLSTMSettings, {"heads": 2, "chunk": 4, **settings}, where="mlstm"), 0.5).eval()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return block


def events(*lengths: int, width: int | None = None) -> Events:
    return Events(torch.ones(len(lengths), width or max(lengths), dtype=torch.int64), torch.tensor(lengths))


SWITCHES = [
    {"block": 4},
    {"input_gate": "sigmoid"},
    {"forget_gate": "exp"},
    {"output_gate": "sigmoid"},
    {"feedforward": 0.0},
    {"convolution": 2},
    {"expansion": 1},
]


@pytest.mark.parametrize("settings", [{}, *SWITCHES])
def test_one_event_at_a_time_is_all_at_once(settings: dict[str, object]) -> None:
    block = made(**settings)
    x, state = torch.randn(3, 11, 8), block.fresh(3)
    whole, end = block(x, events(11, 11, 11), state)
    for t in range(11):
        y, state = block(x[:, t : t + 1], events(1, 1, 1), state)
        torch.testing.assert_close(y, whole[:, t : t + 1], rtol=1e-4, atol=1e-5)
    for name in end:
        torch.testing.assert_close(state[name], end[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", SWITCHES)
def test_every_switch_is_felt(settings: dict[str, object]) -> None:
    x = torch.randn(2, 6, 8)
    plain, switched = made(), made(**settings)
    one, two = (block(x, events(6, 6), block.fresh(2))[0] for block in (plain, switched))
    assert not torch.allclose(one, two)


def test_chunk_changes_nothing() -> None:
    x, blocks = torch.randn(2, 9, 8), [made(chunk=chunk) for chunk in (1, 2, 9, 64)]
    results = [block(x, events(9, 9), block.fresh(2))[0] for block in blocks]
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=1e-4, atol=1e-5)


def test_padding_and_its_content_are_nothing() -> None:
    block, x = made(), torch.randn(3, 7, 8)
    dirty = x.clone()
    dirty[0, 4:], dirty[1, 1:], dirty[2] = 9e3, -50, 7
    clean, one = block(x, events(4, 1, 0, width=7), block.fresh(3))
    other, two = block(dirty, events(4, 1, 0, width=7), block.fresh(3))
    torch.testing.assert_close(clean[0, :4], other[0, :4])
    assert all(torch.equal(one[name], two[name]) for name in one)
    alone, short = block(x[:1, :4], events(4), block.fresh(1))
    torch.testing.assert_close(alone[0], clean[0, :4], rtol=1e-4, atol=1e-5)
    for name in one:
        torch.testing.assert_close(short[name][0], one[name][0], rtol=1e-4, atol=1e-5)


def test_no_events_keep_the_state_bit_for_bit() -> None:
    block = made()
    _, used = block(torch.randn(2, 5, 8), events(5, 3), block.fresh(2))
    for width in (0, 1, 6):
        _, after = block(torch.randn(2, width, 8), events(0, 0, width=width or None) if width else none(), used)
        assert all(torch.equal(after[name], used[name]) for name in used), width


def none() -> Events:
    return Events(torch.zeros(2, 0, dtype=torch.int64), torch.tensor([0, 0]))


@pytest.mark.parametrize("forget_gate", ["sigmoid", "exp"])
def test_a_new_block_forgets_at_the_stated_rates_whatever_its_forget_gate(forget_gate: str) -> None:
    settings = decode(MLSTMSettings, {"forget_gate": forget_gate, "forget_range": (3.0, 6.0)}, where="mlstm")
    block = MLSTMBlock(8, settings, 0.0)
    _, log_f = block._log_gates(torch.randn(1, 5, 16), torch.ones(1, 5, dtype=torch.bool))
    wanted = torch.linspace(3, 6, 4).sigmoid()
    torch.testing.assert_close(log_f.exp()[0], wanted[:, None].expand(4, 5))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_extreme_gates_stay_finite_and_the_memory_fp32(kind: torch.dtype) -> None:
    block = made()
    with torch.no_grad():
        block.gates.bias.copy_(torch.tensor([40.0, -40.0, 40.0, -40.0]))
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
        y, state = block(torch.randn(2, 300, 8) * 10, events(300, 7), block.fresh(2))
    assert y.isfinite().all() and all(part.isfinite().all() for part in state.values())
    assert all(part.dtype == torch.float32 for part in state.values())


def test_the_state_is_a_value() -> None:
    block = made()
    before = State({name: part.clone() for name, part in block.fresh(2).items()})
    given = State(dict(before))
    block(torch.randn(2, 3, 8), events(3, 2), given)
    assert all(torch.equal(given[name], before[name]) for name in before)


def test_heads_must_divide() -> None:
    with pytest.raises(ValueError, match="does not divide"):
        MLSTMBlock(9, MLSTMSettings(heads=4), 0.0)
