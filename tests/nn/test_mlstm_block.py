"""The mLSTM block: one event at a time is all at once, padding is nothing, every switch is felt."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.config import ConfigError, decode
from recollect.contracts import Events, State
from recollect.nn.mlstm_block import MLSTM7BBlock, MLSTMBlock, MLSTMSettings, make_mlstm_block


def made(seed: int = 0, **settings: object) -> MLSTMBlock | MLSTM7BBlock:
    """A block in evaluation mode whose gates are moved off their start, where their weights are zero."""
    torch.manual_seed(seed)
    block = make_mlstm_block(8, decode(MLSTMSettings, {"heads": 2, "chunk": 4, **settings}, where="mlstm"), 0.5).eval()
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
    {"projection_bias": True},
    {"gates_read": "qkv"},
    {"gates_read": "input"},
    {"initialisation": "nxai"},
    {"feedforward": 0.0},
    {"convolution": 2},
    {"expansion": 1},
    {"style": "7b"},
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


@pytest.mark.parametrize("style", ["lsr", "7b"])
def test_chunk_changes_nothing(style: str) -> None:
    x, blocks = torch.randn(2, 9, 8), [made(chunk=chunk, style=style) for chunk in (1, 2, 9, 64)]
    results = [block(x, events(9, 9), block.fresh(2))[0] for block in blocks]
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("style", ["lsr", "7b"])
def test_padding_and_its_content_are_nothing(style: str) -> None:
    block, x = made(style=style), torch.randn(3, 7, 8)
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


def test_the_7b_block_is_its_definition() -> None:
    """One event at a time: keys of half the values' width, soft-capped gates, RMS norms, a sigmoid gate."""
    block = made(style="7b")
    assert isinstance(block, MLSTM7BBlock)
    x, heads, size = torch.randn(2, 9, 8), 2, 8
    cell, norm = torch.zeros(2, heads, size // 2, size), torch.zeros(2, heads, size // 2)
    peak = torch.zeros(2, heads)

    def rms(vector: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        return vector / (vector.square().mean(-1, keepdim=True) + torch.finfo(vector.dtype).eps).sqrt() * gain

    wanted = []
    for t in range(9):
        inner = rms(x[:, t], block.norm.weight)
        q, k, v = (part.view(2, heads, -1) for part in (inner @ block.qkv.weight.T).split([8, 8, 16], dim=-1))
        gates = 15 * torch.tanh((inner @ block.memory.gates.weight.T + block.memory.gates.bias) / 15)
        log_i, log_f = gates[:, :heads], F.logsigmoid(gates[:, heads:])
        new = torch.maximum(log_f + peak, log_i)
        keep, take, peak = torch.exp(log_f + peak - new), torch.exp(log_i - new), new
        cell = keep[..., None, None] * cell + take[..., None, None] * k[..., :, None] * v[..., None, :]
        norm = keep[..., None] * norm + take[..., None] * k
        q = q / (size // 2) ** 0.5
        floor = torch.maximum((q * norm).sum(-1).abs(), torch.exp(-peak)) + 1e-6
        h = torch.einsum("bhk,bhkv->bhv", q, cell) / floor[..., None]
        h = F.layer_norm(h, (size,)).flatten(1) * block.memory.norm.gain
        y = x[:, t] + (h * torch.sigmoid(block.gate(inner))) @ block.down.weight.T
        a, b = (
            rms(y, block.feedforward.norm.weight) @ block.feedforward.up.weight.T + block.feedforward.up.bias
        ).chunk(2, dim=-1)
        wanted.append(y + F.silu(a) * b @ block.feedforward.down.weight.T + block.feedforward.down.bias)
    found, _ = block(x, events(9, 9), block.fresh(2))
    torch.testing.assert_close(found, torch.stack(wanted, dim=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reads", ["convolution", "qkv", "input"])
def test_the_gates_read_what_they_are_said_to_read(reads: str) -> None:
    """By the gates that the cell is handed, from the block's own projections."""
    block, x = made(gates_read=reads, block=4), torch.randn(2, 6, 8)
    assert isinstance(block, MLSTMBlock)
    seen: list[torch.Tensor] = []
    block.memory.register_forward_pre_hook(lambda _, given: seen.append(given[3]))
    block(x, events(6, 6), block.fresh(2))
    inner = (F.layer_norm(x, (8,), block.norm.weight, block.norm.bias) @ block.up.weight.T + block.up.bias)[..., :16]
    conv = F.conv1d(F.pad(inner.mT, (3, 0)), block.conv.weight.T[:, None], block.conv.bias, groups=16).mT
    mixed = conv * torch.sigmoid(conv)
    q, k, v = block.q(mixed), block.k(mixed), block.v(inner)
    wanted = {"convolution": mixed, "qkv": torch.cat([q, k, v], dim=-1), "input": inner}[reads]
    torch.testing.assert_close(seen[0], wanted, rtol=1e-4, atol=1e-5)
    assert block.memory.gates.in_features == wanted.shape[-1]


def test_the_7b_style_takes_no_setting_it_does_not_have() -> None:
    for settings in (
        {"convolution": 3},
        {"block": 4},
        {"output_gate": "silu"},
        {"gates_read": "qkv"},
        {"projection_bias": True},
        {"heads": 16},
    ):
        with pytest.raises(ConfigError, match="7b|half"):
            made(style="7b", **settings)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_extreme_gates_stay_finite_and_the_memory_fp32(kind: torch.dtype) -> None:
    block = made()
    with torch.no_grad():
        block.memory.gates.bias.copy_(torch.tensor([40.0, -40.0, 40.0, -40.0]))
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
