"""The start as in NX-AI's code: how far weights are spread, what is zero, and that stacks say how deep they are."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from recollect.config import ConfigError, decode
from recollect.contracts import Catalog
from recollect.models.mlstm4rec import MLSTM4Rec
from recollect.models.slstm4rec import SLSTM4Rec
from recollect.models.xlstm4rec import XLSTM4Rec
from recollect.models.xlstm_lsr import XLSTMLSR
from recollect.nn.initialisation import power_law
from recollect.nn.mlstm_block import MLSTM7BBlock, MLSTMBlock, MLSTMSettings, make_mlstm_block
from recollect.nn.slstm_block import SLSTMBlock, SLSTMSettings

WIDTH = 64
SMALL = math.sqrt(2 / (5 * WIDTH))


def wang(blocks: int) -> float:
    return 2 / (blocks * math.sqrt(WIDTH))


def spread(weight: Tensor, wanted: float) -> None:
    """Normal with mean 0 and this deviation: by its moments, within five standard errors."""
    values, count = weight.detach().flatten().double(), weight.numel()
    assert abs(float(values.mean())) < 5 * wanted / math.sqrt(count)
    assert abs(float(values.std()) / wanted - 1) < 5 / math.sqrt(2 * count)
    assert float(values.abs().max()) > 2.2 * wanted, "bounded: uniform, not normal"


def nothing(*tensors: Tensor | None) -> None:
    assert all(tensor is not None and not tensor.any() for tensor in tensors)


def mlstm(**settings: object) -> MLSTMBlock | MLSTM7BBlock:
    torch.manual_seed(0)
    asked = decode(MLSTMSettings, {"initialisation": "nxai", **settings}, where="mlstm")
    return make_mlstm_block(WIDTH, asked, 0.0, (0, 4))


@pytest.mark.parametrize("size", [0, 4])
def test_the_mlstm_block(size: int) -> None:
    block = mlstm(block=size, projection_bias=True)
    assert isinstance(block, MLSTMBlock) and block.feedforward is not None
    for layer in (block.up, block.q, block.k, block.v, block.feedforward.up):
        spread(layer.weight, SMALL)
        nothing(layer.bias)
    for layer in (block.down, block.feedforward.down):
        spread(layer.weight, wang(4))
        nothing(layer.bias)
    assert (block.conv.bias != 0).all() and float(block.conv.bias.detach().abs().max()) <= 0.5
    assert (block.skip == 1).all()
    nothing(block.memory.gates.weight)
    torch.testing.assert_close(block.memory.gates.bias[4:].detach(), torch.linspace(3, 6, 4))
    assert float(block.memory.gates.bias[:4].detach().abs().max()) < 0.5


def test_the_7b_block_starts_with_its_input_gate_nearly_closed() -> None:
    block = mlstm(style="7b")
    assert isinstance(block, MLSTM7BBlock) and block.feedforward is not None
    for layer in (block.qkv, block.gate, block.feedforward.up):
        spread(layer.weight, SMALL)
    for layer in (block.down, block.feedforward.down):
        spread(layer.weight, wang(4))
    nothing(block.memory.gates.weight)
    assert block.memory.gates.bias[:4].tolist() == [-10.0] * 4


def test_the_slstm_block() -> None:
    torch.manual_seed(0)
    for forget, kept in (("sigmoid", lambda x: x), ("exp", torch.nn.functional.logsigmoid)):
        settings = decode(SLSTMSettings, {"initialisation": "nxai", "forget_gate": forget, "heads": 2}, where="slstm")
        block = SLSTMBlock(WIDTH, settings, 0.0, (1, 2))
        for layer in (block.z, block.i, block.f, block.o):
            spread(layer.weight, SMALL)
        nothing(block.mixing, block.bias[:, [0, 1, 3]])
        x = torch.arange(32) / 31
        torch.testing.assert_close(block.bias[:, 2].detach(), kept(5 - 12 * x**1.6).expand(2, -1))


def test_the_power_law_goes_from_5_to_minus_7_and_bends_with_depth() -> None:
    first, last, only = power_law(9, (0, 3)), power_law(9, (2, 3)), power_law(9, (0, 1))
    assert torch.equal(first, only) and first[0] == last[0] == 5 and first[-1] == last[-1] == -7
    assert (last[1:-1] > first[1:-1]).all() and (first.diff() < 0).all()
    assert power_law(1, (0, 1)).tolist() == [5]


def test_a_stack_says_how_deep_it_is() -> None:
    """The deviation of the last projection falls with the number of blocks, and the power law bends."""
    inside = {"mlstm": {"initialisation": "nxai"}, "slstm": {"initialisation": "nxai"}}
    torch.manual_seed(0)
    for blocks in (1, 3):
        for kind, place in ((MLSTM4Rec, "blocks"), (XLSTMLSR, "long")):
            given = {name: inside[name] for name in inside if name in kind.Config.model_fields}
            model = kind(decode(kind.Config, {"blocks": blocks, **given}, where="model"), Catalog(9))
            for block in getattr(model, place):
                spread(block.down.weight, wang(blocks))
    tall = SLSTM4Rec(decode(SLSTM4Rec.Config, {"blocks": 3, "slstm": inside["slstm"]}, where="model"), Catalog(9))
    mixed = XLSTM4Rec(decode(XLSTM4Rec.Config, {"pattern": "sms", **inside}, where="model"), Catalog(9))
    for stack in (tall.blocks, mixed.blocks):
        for block, depth in ((stack[0], 0), (stack[2], 2)):
            assert isinstance(block, SLSTMBlock)
            torch.testing.assert_close(block.bias[0, 2].detach(), power_law(16, (depth, 3)))
    spread(mixed.blocks[1].down.weight, wang(3))


def test_a_range_of_forget_gates_that_would_not_be_used_is_refused() -> None:
    settings = decode(SLSTMSettings, {"initialisation": "nxai", "forget_range": (1.0, 2.0)}, where="slstm")
    with pytest.raises(ConfigError, match=r"slstm\.forget_range"):
        SLSTMBlock(WIDTH, settings, 0.0)
    block = mlstm(forget_range=(1.0, 2.0))  # an mLSTM's is used
    torch.testing.assert_close(block.memory.gates.bias[4:].detach(), torch.linspace(1, 2, 4))
