"""LSTM4Rec against torch's LSTM run on each user's events alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from recollect.contracts import Catalog, Events
from recollect.models.lstm4rec import LSTM4Rec


@pytest.mark.parametrize("layers", [1, 2])
def test_scores_are_those_of_torchs_lstm(layers: int) -> None:
    torch.manual_seed(0)
    model = LSTM4Rec(LSTM4Rec.Config(width=6, hidden=8, layers=layers), Catalog(12)).eval()
    oracle, table = nn.LSTM(6, 8, num_layers=layers, batch_first=True), model.item_vectors()
    for depth, layer in enumerate(model.net.rnn.layers):
        for name, weight in layer.state_dict().items():
            getattr(oracle, name.replace("l0", f"l{depth}")).data.copy_(weight)
    histories = [[1, 5, 5, 11], [3], [2, 9, 4, 4, 7, 1], []]
    scores = model.score(model.advance(model.fresh(4), Events.of(histories)))
    for row, codes in enumerate(histories[:3]):
        read = F.layer_norm(table[codes], (6,))
        last = model.net.out(oracle(read[None])[0][0, -1])
        torch.testing.assert_close(scores[row, 1:], table[1:] @ last)
    torch.testing.assert_close(scores[3, 1:], table[1:] @ model.net.start)
    assert (scores[:, 0] == -torch.inf).all()
