"""LightSANs: its blocks between the tied table; the whole window is pooled, so every event is felt at its end."""

from __future__ import annotations

import torch

from recollect.contracts import Catalog, Events
from recollect.models.lightsans import LightSANs


def made() -> LightSANs:
    torch.manual_seed(0)
    model = LightSANs(LightSANs.Config(width=8, heads=2, interests=3, window=9), Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def test_it_is_attention_and_feed_forward_with_norms_behind() -> None:
    model, codes = made(), [3, 1, 4, 1, 5]
    x, real = model.table(torch.tensor([codes])), torch.ones(1, 5, dtype=torch.bool)
    for block in model.blocks:
        x = block.norm_attention(x + block.attention(x, model.positions[:5], real))
        x = block.norm_feedforward(x + block.feedforward(x))
    wanted = x[0, -1] @ model.table.weight.T
    scores = model.score(model.advance(model.fresh(1), Events.of([codes])))
    torch.testing.assert_close(scores[0, 1:], wanted[1:], rtol=1e-4, atol=1e-5)


def test_every_event_of_the_window_is_seen() -> None:
    model = made()
    plain = model.score(model.advance(model.fresh(1), Events.of([[3, 1, 4, 1, 5]])))
    for place in range(5):
        codes = [3, 1, 4, 1, 5]
        codes[place] = 7
        assert not torch.equal(plain, model.score(model.advance(model.fresh(1), Events.of([codes]))))


def test_every_parameter_learns() -> None:
    model = made().train()
    hidden, _ = model.encode(Events.of([[1, 2, 3, 4, 5, 6, 7, 8, 9], [4, 4]]))
    (hidden.square().sum() * hidden.sum() + model.score(model.fresh(1))[0, 1:].square().sum()).backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
