"""The setting picks the loss it names."""

from __future__ import annotations

import pytest
import torch

from recollect.config import ConfigError, decode
from recollect.losses.choice import LossSettings, loss_of, refuse_one_for_all
from recollect.losses.full import full_cross_entropy
from recollect.losses.sampled import (
    bayesian_personalised_ranking,
    binary_cross_entropy,
    draw_negatives,
    sampled_softmax,
)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("kind", ["full", "sampled", "bce", "gbce", "bpr"])
def test_each_kind(kind: str, shared: bool) -> None:
    torch.manual_seed(0)
    hidden, table, targets, bias = torch.randn(6, 4), torch.randn(9, 4), torch.randint(1, 9, (6,)), torch.randn(9)
    asked = {"kind": kind, "negatives": 5, "calibration": 0.5, "shared_negatives": shared}
    settings = decode(LossSettings, asked, where="loss")
    torch.manual_seed(1)
    got = loss_of(settings, hidden, table, targets, bias)
    torch.manual_seed(1)
    negatives = draw_negatives((5,) if shared else (6, 5), 9, hidden.device)
    wanted = {
        "full": lambda: full_cross_entropy(hidden, table, targets, bias),
        "sampled": lambda: sampled_softmax(hidden, table, targets, negatives, bias),
        "bce": lambda: binary_cross_entropy(hidden, table, targets, negatives, bias, 0.0),
        "gbce": lambda: binary_cross_entropy(hidden, table, targets, negatives, bias, 0.5),
        "bpr": lambda: bayesian_personalised_ranking(hidden, table, targets, negatives, bias),
    }[kind]()
    assert torch.equal(got, wanted)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"loss\.kind"):
        decode(LossSettings, {"kind": "softmax"}, where="loss")


@pytest.mark.parametrize("kind", ["sampled", "bce", "gbce", "bpr"])
def test_one_negative_for_a_whole_batch_is_refused(kind: str) -> None:
    def settings(**changed: object) -> LossSettings:
        return decode(LossSettings, {"kind": kind, "negatives": 1, **changed}, where="loss")

    with pytest.raises(ConfigError, match=r"^train\.loss\.negatives=1: .*shared_negatives=false") as refused:
        refuse_one_for_all(settings())
    assert "\n" not in str(refused.value)
    for allowed in ({"shared_negatives": False}, {"negatives": 2}, {"kind": "full"}):
        refuse_one_for_all(settings(**allowed))
