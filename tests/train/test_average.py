"""The average of the weights: what it is, that a model gets its own back, and that it is what is validated and kept."""

from __future__ import annotations

import torch
from torch import nn

from recollect.train.average import Average

from .material import run


def test_it_is_the_exponential_average_of_the_steps_after_a_plain_mean() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    average, wanted = Average(model, 0.9), model.weight.detach().clone()
    for step in range(1, 200):
        with torch.no_grad():
            model.weight.add_(torch.randn_like(model.weight))
        average.step(step)
        keep = min(0.9, step / (step + 9))
        wanted = keep * wanted + (1 - keep) * model.weight.detach()
    own = model.weight.detach().clone()
    with average.applied():
        torch.testing.assert_close(model.weight.detach(), wanted)
    assert torch.equal(model.weight, own)


def test_what_is_validated_and_kept_is_the_average() -> None:
    plainly, averaged = run("gru4rec"), run("gru4rec", average=0.9)
    assert not torch.equal(plainly.model.item_vectors(), averaged.model.item_vectors())
    assert [one["loss"] for one in plainly.history] == [one["loss"] for one in averaged.history], (
        "the steps are the same"
    )
