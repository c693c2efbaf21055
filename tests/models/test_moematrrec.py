"""MoEMaTrRec: the gate against brute force, the block against its formula, and nothing that looks ahead."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.config import ConfigError, decode
from recollect.contracts import Catalog, Events
from recollect.losses.choice import LossSettings
from recollect.models.moematrrec import MoEMaTrRec, running_mean
from recollect.train.objective import Objective


def made(**settings: object) -> MoEMaTrRec:
    torch.manual_seed(0)
    config = decode(MoEMaTrRec.Config, {"width": 8, "window": 6, "mamba": {"d_state": 4}, **settings}, where="model")
    model = MoEMaTrRec(config, Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        model.table.weight[0] = 0
    return model


def test_the_gate_is_that_of_the_mean_of_the_window_so_far() -> None:
    """Every prefix pooled by itself, as if it were the whole window: what is left out is the future."""
    model, codes = made(), [3, 1, 4, 1, 5, 9]
    _, aux = model.encode(Events.of([codes]))
    x = model.table.weight[codes] * 8**0.5 + model.positions
    layer = model.blocks[0].gate
    for t in range(6):
        pooled = sum(x[: t + 1]) / (t + 1)
        wanted = 1 / (1 + torch.exp(-(layer.weight[0] @ pooled + layer.bias[0])))
        torch.testing.assert_close(aux["gate.0"][0, t], wanted)
        torch.testing.assert_close(model.encode(Events.of([codes[: t + 1]]))[1]["gate.0"][0, t], wanted)


def test_the_running_mean_does_not_look_ahead() -> None:
    x = torch.randn(2, 7, 3, dtype=torch.float64)
    for t in range(7):
        torch.testing.assert_close(running_mean(x)[:, t], x[:, : t + 1].mean(1))


@pytest.mark.parametrize("blocks", [1, 2])
def test_it_is_the_published_formula_made_causal(blocks: int) -> None:
    model, codes = made(blocks=blocks), [3, 1, 4, 1, 5]
    events = Events.of([codes])
    x = (model.table.weight[codes] * 8**0.5 + model.positions[:5])[None]
    for block in model.blocks:
        attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        attention.in_proj_weight, attention.in_proj_bias = block.attention.qkv.weight, block.attention.qkv.bias
        attention.out_proj = block.attention.out
        future = torch.ones(5, 5, dtype=torch.bool).triu(1)
        attended = block.norm_attention(x + attention(x, x, x, attn_mask=future, need_weights=False)[0])
        mixed, _ = block.mixer(x, events, block.mixer.fresh(1))
        gate = torch.stack([block.gate(x[0, : t + 1].mean(0)).sigmoid() for t in range(5)])[None]
        y = gate * mixed + (1 - gate) * attended
        x = block.norm_feedforward(y + block.feedforward.down(F.relu(block.feedforward.up(y))))
    torch.testing.assert_close(model.encode(events)[0], x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bias, expert", [(40.0, "mixer"), (-40.0, "attention")])
def test_a_gate_at_its_ends_leaves_one_expert(bias: float, expert: str) -> None:
    model, events = made(), Events.of([[1, 2, 3, 4, 5]])
    with torch.no_grad():
        model.blocks[0].gate.bias.fill_(bias)
        before, _ = model.encode(events)
        other = {"mixer": "attention", "attention": "mixer"}[expert]
        for name, changes in ((other, False), (expert, True)):
            for parameter in getattr(model.blocks[0], name).parameters():
                parameter.add_(0.5 * torch.randn_like(parameter))
            assert torch.allclose(model.encode(events)[0], before) != changes


def test_only_the_window_counts_and_its_first_event_is_slot_zero() -> None:
    model = made()
    score = model.score(model.advance(model.fresh(1), Events.of([[7, 8, 9, 1, 2, 3, 4, 5, 6]])))
    hidden, _ = model.encode(Events.of([[1, 2, 3, 4, 5, 6]]))
    torch.testing.assert_close(score[:, 1:], hidden[:, -1] @ model.table.weight[1:].T)


def test_every_parameter_learns() -> None:
    model = made(blocks=2).train()
    events = Events.of([[1, 2, 3, 4, 5, 6, 7], [4, 4]])
    batch = {"items": events.items, "lengths": events.lengths, "times": events.items, "targets": events.mask}
    Objective(model, LossSettings())(batch, None)[0].backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
    assert (model.positions.grad != 0).any(dim=1).all()  # type: ignore[union-attr]


def test_an_empty_history_scores_by_the_learned_start() -> None:
    model = made()
    torch.testing.assert_close(model.score(model.fresh(1))[0, 1:], model.table.weight[1:] @ model.empty)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ConfigError, match="does not divide"):
        made(heads=3)
