"""SASRec against torch's TransformerEncoder, and its window: slots are counted from the first event that is seen."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recollect.config import decode
from recollect.contracts import Catalog, Events
from recollect.losses.choice import LossSettings
from recollect.models.sasrec import SASRec
from recollect.train.objective import Objective


def made(**settings: object) -> SASRec:
    torch.manual_seed(0)
    config = decode(SASRec.Config, {"width": 8, "window": 5, **settings}, where="model")
    model = SASRec(config, Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        model.table.weight[0] = 0
    return model


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_it_is_torchs_encoder(norm: str) -> None:
    model = made(norm=norm)
    layer = nn.TransformerEncoderLayer(
        8, 2, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm == "pre"
    )
    oracle = nn.TransformerEncoder(layer, 2, norm=model.norm, enable_nested_tensor=False)
    for theirs, ours in zip(oracle.layers, model.blocks, strict=True):
        pairs = {
            "self_attn.in_proj_weight": ours.attention.qkv.weight,
            "self_attn.in_proj_bias": ours.attention.qkv.bias,
            "self_attn.out_proj.weight": ours.attention.out.weight,
            "self_attn.out_proj.bias": ours.attention.out.bias,
            "linear1.weight": ours.feedforward.up.weight,
            "linear1.bias": ours.feedforward.up.bias,
            "linear2.weight": ours.feedforward.down.weight,
            "linear2.bias": ours.feedforward.down.bias,
            "norm1.weight": ours.norm_attention.weight,
            "norm1.bias": ours.norm_attention.bias,
            "norm2.weight": ours.norm_feedforward.weight,
            "norm2.bias": ours.norm_feedforward.bias,
        }
        theirs.load_state_dict(pairs)
    codes = torch.tensor([[3, 1, 4, 1, 5]])
    x = model.table.weight[codes] * 8**0.5 + model.positions
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    wanted = oracle.train()(x, mask=mask, is_causal=True)  # its evaluation path is another computation
    torch.testing.assert_close(model.encode(Events.of(codes.tolist()))[0], wanted, rtol=1e-4, atol=1e-5)


def test_only_the_window_counts_and_its_first_event_is_slot_zero() -> None:
    model = made()
    long = Events.of([[7, 8, 9, 1, 2, 3, 4, 5]])
    score = model.score(model.advance(model.fresh(1), long))
    hidden, _ = model.encode(Events.of([[1, 2, 3, 4, 5]]))
    torch.testing.assert_close(score[:, 1:], hidden[:, -1] @ model.table.weight[1:].T)


def test_an_empty_history_scores_by_the_learned_start() -> None:
    model = made()
    torch.testing.assert_close(model.score(model.fresh(1))[0, 1:], model.table.weight[1:] @ model.empty)


@pytest.mark.parametrize("window", [1, 5])
def test_every_slot_is_trained(window: int) -> None:
    """A user with a full window is asked at the last slot, so a training piece must have a target after it."""
    model = made(window=window).train()
    events = Events.of([list(range(1, window + 2))])
    batch = {"items": events.items, "lengths": events.lengths, "times": events.items, "targets": events.mask}
    Objective(model, LossSettings())(batch, None)[0].backward()
    assert model.positions.grad is not None and (model.positions.grad != 0).any(dim=1).all()


def test_a_batch_of_first_events_trains_the_start() -> None:
    model = made().train()
    events = Events.of([[3], [4]])
    batch = {"items": events.items, "lengths": events.lengths, "times": events.items, "targets": events.mask}
    loss, _, _ = Objective(model, LossSettings())(batch, None)
    loss.backward()
    wanted = nn.functional.cross_entropy((model.table.weight[1:] @ model.empty).expand(2, -1), torch.tensor([2, 3]))
    torch.testing.assert_close(loss, wanted)
    assert model.empty.grad is not None and (model.empty.grad != 0).any()
