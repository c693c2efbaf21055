"""BERT4Rec against torch's encoder; what is hidden is not seen; it is asked as its last-event rows are trained."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recollect.contracts import Catalog, Cloze, Events
from recollect.models.bert4rec import BERT4Rec


def made(norm: Literal["pre", "post"] = "post", **changes: float) -> BERT4Rec:
    torch.manual_seed(0)
    model = BERT4Rec(BERT4Rec.Config(width=8, heads=2, window=9, norm=norm, **changes), Catalog(12)).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_it_is_torchs_encoder_over_the_events_and_a_mask(norm: Literal["pre", "post"]) -> None:
    model, codes = made(norm), [3, 1, 4, 1, 5]
    layers = []
    for block in model.blocks:
        layer = nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=norm == "pre").train()
        weights = {
            "self_attn.in_proj_weight": block.attention.qkv.weight,
            "self_attn.in_proj_bias": block.attention.qkv.bias,
            "self_attn.out_proj.weight": block.attention.out.weight,
            "self_attn.out_proj.bias": block.attention.out.bias,
            "linear1.weight": block.feedforward.up.weight,
            "linear1.bias": block.feedforward.up.bias,
            "linear2.weight": block.feedforward.down.weight,
            "linear2.bias": block.feedforward.down.bias,
            "norm1.weight": block.norm_attention.weight,
            "norm1.bias": block.norm_attention.bias,
            "norm2.weight": block.norm_feedforward.weight,
            "norm2.bias": block.norm_feedforward.bias,
        }
        layer.load_state_dict(weights)
        layers.append(layer)
    x = torch.cat([model.table.weight[codes], model.mask[None]]) + model.positions[:6]
    x = model.norm(x)[None]
    for layer in layers:
        x = layer(x)
    wanted = model.out(x[0, -1]) @ model.table.weight.T + model.bias
    scores = model.score(model.advance(model.fresh(1), Events.of([codes])))
    torch.testing.assert_close(scores[0, 1:], wanted[1:], rtol=1e-4, atol=1e-5)


def test_a_hidden_event_is_not_seen_and_the_others_are() -> None:
    model = made()
    concealed = torch.tensor([[False, True, False, True, False]])
    one, two, three = (Events.of([codes]) for codes in ([3, 1, 4, 2, 5], [3, 7, 4, 9, 5], [3, 1, 6, 2, 5]))
    first, second, third = (model.recover(events, concealed)[0] for events in (one, two, three))
    assert torch.equal(first, second)
    assert (first[concealed] - third[concealed]).abs().min() > 1e-5  # also what comes after is seen


def test_asking_is_recovering_a_hidden_last_event() -> None:
    model = made()
    asked = model.encode(Events.of([[3, 1, 4]]))[0][:, 2]
    last = torch.tensor([[False, False, False, True]])
    torch.testing.assert_close(model.recover(Events.of([[3, 1, 4, 8]]), last)[0][:, 3], asked)
    empty = model.score(model.fresh(1))[0, 1:]
    torch.testing.assert_close(empty, (model.start() @ model.table.weight.T + model.bias)[1:])


@given(st.lists(st.integers(1, 8), min_size=1, max_size=6), st.integers(0, 1000))
def test_what_is_concealed_is_real_and_never_nothing(lengths: list[int], seed: int) -> None:
    model = made(mask_rate=0.3, last_rate=0.5)
    mask = torch.arange(8) < torch.tensor(lengths)[:, None]
    torch.manual_seed(seed)
    concealed = model.conceal(mask)
    assert not (concealed & ~mask).any() and concealed.any(dim=1).all()


@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_the_rates_are_those_stated(rate: float) -> None:
    torch.manual_seed(0)
    mask = torch.ones(400, 50, dtype=torch.bool)
    model = made(mask_rate=rate, last_rate=0.0)
    assert abs(model.conceal(mask).float().mean().item() - rate) < 0.02
    only_last = made(last_rate=1.0).conceal(mask)
    assert only_last[:, -1].all() and not only_last[:, :-1].any()


def test_it_is_trained_by_cloze() -> None:
    assert isinstance(made(), Cloze) and not BERT4Rec.causal
