"""BSARec: what it reads, where it starts, what its settings build."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recollect.config import ConfigError, decode
from recollect.contracts import Catalog, Events
from recollect.losses.choice import LossSettings
from recollect.models.bsarec import BSARec
from recollect.train.objective import Objective


def made(**settings: object) -> BSARec:
    torch.manual_seed(0)
    config = decode(BSARec.Config, {"width": 8, "window": 5, **settings}, where="model")
    model = BSARec(config, Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        model.table.weight[0] = 0
    return model


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_it_is_its_parts_in_order(norm: str) -> None:
    model, codes = made(norm=norm), torch.tensor([[3, 1, 4, 1, 5]])
    x = nn.functional.layer_norm(
        model.table.weight[codes] + model.positions, (8,), model.norm_read.weight, model.norm_read.bias
    )
    for block in model.blocks:
        assert block.alpha == 0.7 and block.pre == (norm == "pre")
        x = block(x)
    if norm == "pre":
        x = nn.functional.layer_norm(x, (8,), model.norm.weight, model.norm.bias)
    torch.testing.assert_close(model.encode(Events.of(codes.tolist()))[0], x)


def test_only_the_window_counts_and_its_first_event_is_slot_zero() -> None:
    model = made()
    score = model.score(model.advance(model.fresh(1), Events.of([[7, 8, 9, 1, 2, 3, 4, 5]])))
    hidden, _ = model.encode(Events.of([[1, 2, 3, 4, 5]]))
    torch.testing.assert_close(score[:, 1:], hidden[:, -1] @ model.table.weight[1:].T)


def test_an_empty_history_scores_by_the_learned_start() -> None:
    model = made()
    torch.testing.assert_close(model.score(model.fresh(1))[0, 1:], model.table.weight[1:] @ model.empty)


def test_every_position_is_a_target_and_every_part_is_trained() -> None:
    model = made().train()
    events = Events.of([[3, 1, 4, 1, 5, 9], [2, 7], [6]])
    batch = {"items": events.items, "lengths": events.lengths, "times": events.items, "targets": events.mask}
    Objective(model, LossSettings())(batch, None)[0].backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())


def test_a_batch_of_first_events_trains_the_start() -> None:
    model = made().train()
    events = Events.of([[3], [4]])
    batch = {"items": events.items, "lengths": events.lengths, "times": events.items, "targets": events.mask}
    loss, _, _ = Objective(model, LossSettings())(batch, None)
    wanted = nn.functional.cross_entropy((model.table.weight[1:] @ model.empty).expand(2, -1), torch.tensor([2, 3]))
    torch.testing.assert_close(loss, wanted)


@pytest.mark.parametrize("settings", [{"span": (1.0, 4.0)}, {"alpha": 1.1}, {"heads": 3}])
def test_settings_out_of_range(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        made(**settings)
