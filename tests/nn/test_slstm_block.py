"""The sLSTM block: padding is as if it were not there, one event at a time is all at once, every switch is felt."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from recollect.config import decode
from recollect.contracts import Events
from recollect.nn import slstm
from recollect.nn.slstm_block import SLSTMBlock, SLSTMSettings


def made(**settings: object) -> SLSTMBlock:
    torch.manual_seed(0)
    block = SLSTMBlock(8, decode(SLSTMSettings, {"heads": 2, **settings}, where="slstm"), 0.5).eval()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return block


@given(
    left=st.integers(0, 5), right=st.integers(0, 5), real=st.integers(1, 7), forget=st.sampled_from(["exp", "sigmoid"])
)
def test_padding_is_as_if_it_were_not_there(left: int, right: int, real: int, forget: str) -> None:
    block = made(forget_gate=forget)
    x = torch.randn(1, left + real + right, 8)
    valid = torch.zeros(1, x.shape[1], dtype=torch.bool)
    valid[0, left : left + real] = True
    alone = block.encode(x[:, left : left + real], torch.ones(1, real, dtype=torch.bool))
    torch.testing.assert_close(block.encode(x, valid)[:, left : left + real], alone, rtol=1e-4, atol=1e-5)
    last = 1 + left % x.shape[1]
    torch.testing.assert_close(block.encode(x, valid, last), block.encode(x, valid)[:, -last:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("input_gate", ["exp", "sigmoid"])
@pytest.mark.parametrize("forget_gate", ["exp", "sigmoid"])
def test_it_is_norm_convolution_gates_cell_norm_residual(input_gate: str, forget_gate: str) -> None:
    block, x = made(input_gate=input_gate, forget_gate=forget_gate, feedforward=0.0), torch.randn(2, 5, 8)
    inner = F.layer_norm(x, (8,), block.norm.weight, block.norm.bias)
    conv = F.conv1d(F.pad(inner.mT, (3, 0)), block.conv.weight.T[:, None], block.conv.bias, groups=8).mT
    mixed = conv * torch.sigmoid(conv)
    sources = {"z": inner, "i": mixed, "f": mixed, "o": inner}
    gates = torch.empty(5, 2, 4, 4, 2)
    for place, (name, source) in enumerate(sources.items()):
        product = source @ getattr(block, name).weight[0].T
        gates[:, :, place] = product.view(2, 5, 2, 4).permute(1, 2, 3, 0) + block.bias[:, place, :, None]
    start = slstm.Memory.zeros(2, 4, 2)
    kind = {"bounded": input_gate == "sigmoid", "growing": forget_gate == "exp"}
    h, _ = slstm.scan(gates, block.mixing, start, **kind)
    wanted = x + block.head_norm(h.permute(3, 0, 1, 2))
    torch.testing.assert_close(block.encode(x, torch.ones(2, 5, dtype=torch.bool)), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"input_gate": "sigmoid"},
        {"forget_gate": "exp"},
        {"block": 4},
        {"convolution": 2},
        {"feedforward": 0.0},
        {"activation": "gelu"},
        {"initialisation": "nxai"},
        {"heads": 4},
    ],
)
def test_every_switch_is_felt(settings: dict[str, object]) -> None:
    x, valid = torch.randn(2, 6, 8), torch.ones(2, 6, dtype=torch.bool)
    assert not torch.allclose(made().encode(x, valid), made(**settings).encode(x, valid))


def history(*lengths: int, width: int | None = None) -> Events:
    return Events(torch.ones(len(lengths), width or max(lengths), dtype=torch.int64), torch.tensor(lengths))


@pytest.mark.parametrize("settings", [{}, {"input_gate": "sigmoid"}, {"forget_gate": "exp"}, {"convolution": 2}])
def test_with_a_state_one_event_at_a_time_is_all_at_once_and_a_window_is_a_fresh_history(
    settings: dict[str, object],
) -> None:
    block = made(**settings)
    x, state = torch.randn(3, 9, 8), block.fresh(3)
    whole, end = block(x, history(9, 9, 9), state)
    torch.testing.assert_close(whole, block.encode(x, torch.ones(3, 9, dtype=torch.bool)), rtol=1e-4, atol=1e-5)
    for t in range(9):
        y, state = block(x[:, t : t + 1], history(1, 1, 1), state)
        torch.testing.assert_close(y, whole[:, t : t + 1], rtol=1e-4, atol=1e-5)
    for name in end:
        torch.testing.assert_close(state[name], end[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("forget_gate", ["exp", "sigmoid"])
def test_the_state_stops_at_a_rows_last_event(forget_gate: str) -> None:
    block, x = made(forget_gate=forget_gate), torch.randn(3, 7, 8)
    _, used = block(torch.randn(3, 4, 8), history(4, 2, 3), block.fresh(3))
    _, padded = block(x, history(7, 2, 0, width=7), used)
    for row, length in ((0, 7), (1, 2)):
        _, alone = block(x[row : row + 1, :length], history(length), used.rows([row]))
        for name in padded:
            torch.testing.assert_close(padded[name][row], alone[name][0], rtol=1e-4, atol=1e-5)
    assert all(torch.equal(padded[name][2], used[name][2]) for name in used)


def test_extreme_gates_stay_finite() -> None:
    block = made()
    with torch.no_grad():
        block.bias[:, 1], block.bias[:, 2] = -200, 40
    valid = torch.ones(2, 9, dtype=torch.bool)
    valid[0] = False
    x = torch.randn(2, 9, 8, requires_grad=True)
    y = block.encode(x, valid)
    y.sum().backward()
    assert y.isfinite().all() and x.grad is not None and x.grad.isfinite().all()


def test_every_parameter_learns() -> None:
    block = made()
    block.encode(torch.randn(2, 6, 8), torch.ones(2, 6, dtype=torch.bool)).square().sum().backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in block.parameters())


def test_heads_must_divide() -> None:
    with pytest.raises(ValueError, match="does not divide"):
        SLSTMBlock(9, SLSTMSettings(heads=4), 0.0)
