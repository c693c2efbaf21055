"""GRU4Rec against torch's GRU run on each user's events alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from recollect.contracts import Catalog, Events
from recollect.models.gru4rec import GRU4Rec


def made(layers: int = 2) -> GRU4Rec:
    torch.manual_seed(0)
    return GRU4Rec(GRU4Rec.Config(width=6, hidden=8, layers=layers), Catalog(12)).eval()


@pytest.mark.parametrize("layers", [1, 2])
def test_scores_are_those_of_torchs_gru(layers: int) -> None:
    model = made(layers)
    oracle = nn.GRU(6, 8, num_layers=layers, batch_first=True)
    for depth, layer in enumerate(model.gru.layers):
        for name, weight in layer.state_dict().items():
            getattr(oracle, name.replace("l0", f"l{depth}")).data.copy_(weight)
    histories = [[1, 5, 5, 11], [3], [2, 9, 4, 4, 7, 1]]
    scores = model.score(model.advance(model.fresh(3), Events.of(histories)))
    for row, codes in enumerate(histories):
        read = F.layer_norm(model.table.weight[codes], (6,))
        last = model.out(oracle(read[None])[0][0, -1])
        torch.testing.assert_close(scores[row, 1:], model.table.weight[1:] @ last)
        assert scores[row, 0] == -torch.inf


def test_an_empty_history_scores_by_the_learned_start() -> None:
    model = made()
    torch.testing.assert_close(model.score(model.fresh(2))[:, 1:], (model.table.weight[1:] @ model.start).expand(2, -1))


def test_dropout_only_in_training() -> None:
    model, events = made(), Events.of([[1, 2, 3]])
    one, two = (model.train().forward(events, model.fresh(1))[0] for _ in range(2))
    assert not torch.equal(one, two)
    one, two = (model.eval().forward(events, model.fresh(1))[0] for _ in range(2))
    assert torch.equal(one, two)
