"""xLSTM4Rec: blocks stand in the order of the pattern; alone each kind is the model of its name."""

from __future__ import annotations

import pytest
import torch

from recollect.config import ConfigError, decode
from recollect.contracts import Carried, Catalog, Events
from recollect.models.mlstm4rec import MLSTM4Rec
from recollect.models.slstm4rec import SLSTM4Rec
from recollect.models.xlstm4rec import XLSTM4Rec
from recollect.nn.mlstm_block import MLSTM7BBlock, MLSTMBlock, MLSTMSettings
from recollect.nn.slstm_block import SLSTMBlock, SLSTMSettings

MLSTM, SLSTM = MLSTMSettings(heads=2), SLSTMSettings(heads=2)


def made(pattern: str, mlstm: MLSTMSettings = MLSTM) -> XLSTM4Rec:
    torch.manual_seed(0)
    return XLSTM4Rec(XLSTM4Rec.Config(width=8, pattern=pattern, mlstm=mlstm, slstm=SLSTM), Catalog(12)).eval()


def test_blocks_stand_in_the_order_of_the_pattern() -> None:
    assert [type(block) for block in made("msmm").blocks] == [MLSTMBlock, SLSTMBlock, MLSTMBlock, MLSTMBlock]
    large = made("sm", MLSTMSettings(heads=2, style="7b"))
    assert [type(block) for block in large.blocks] == [SLSTMBlock, MLSTM7BBlock]


@pytest.mark.parametrize("pattern", ["mm", "ss"])
def test_of_one_kind_it_is_the_model_of_that_name(pattern: str) -> None:
    stack, torch_seed = made(pattern), 0
    torch.manual_seed(torch_seed)
    alone: Carried = (
        MLSTM4Rec(MLSTM4Rec.Config(width=8, blocks=2, mlstm=MLSTM), Catalog(12))
        if pattern == "mm"
        else SLSTM4Rec(SLSTM4Rec.Config(width=8, blocks=2, slstm=SLSTM), Catalog(12))
    )
    events = Events.of([[3, 1, 4, 1, 5], [9]])
    one, two = (model.score(model.advance(model.fresh(2), events)) for model in (stack, alone.eval()))
    assert torch.equal(one, two)


@pytest.mark.parametrize("pattern", ["", "mx", "M"])
def test_a_pattern_of_other_letters_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="pattern"):
        decode(XLSTM4Rec.Config, {"pattern": pattern}, where="model")


def test_every_parameter_learns() -> None:
    model = made("ms").train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    hidden, _, _ = model(Events.of([[1, 2, 3, 4, 5, 6], [4, 4]]), model.fresh(2))
    (hidden.square().sum() + model.score(model.fresh(1))[0, 1:].square().sum()).backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
