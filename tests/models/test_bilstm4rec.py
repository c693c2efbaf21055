"""BiLSTM4Rec: the last states of torch's LSTM in both directions over each row's own events."""

from __future__ import annotations

import pytest
import torch

from recollect.contracts import Catalog, Events
from recollect.models.bilstm4rec import BiLSTM4Rec


def made(layers: int = 1) -> BiLSTM4Rec:
    torch.manual_seed(0)
    return BiLSTM4Rec(BiLSTM4Rec.Config(width=8, hidden=6, layers=layers, window=9), Catalog(12)).eval()


@pytest.mark.parametrize("layers", [1, 2])
def test_the_answer_is_both_ends_of_torchs_lstm(layers: int) -> None:
    model, histories = made(layers), [[3, 1, 4, 1, 5], [9, 2], [6]]
    scores = model.score(model.advance(model.fresh(3), Events.of(histories)))
    for codes, row in zip(histories, scores, strict=True):
        out, _ = model.lstm(model.table(torch.tensor([codes])))
        ends = torch.cat([out[0, -1, :6], out[0, 0, 6:]])  # forwards at the last event, backwards at the first
        wanted = model.out(ends) @ model.table.weight.T
        torch.testing.assert_close(row[1:], wanted[1:], rtol=1e-4, atol=1e-5)


def test_every_event_of_the_window_is_seen() -> None:
    model = made()
    plain = model.score(model.advance(model.fresh(1), Events.of([[3, 1, 4, 1, 5]])))
    for place in range(5):
        codes = [3, 1, 4, 1, 5]
        codes[place] = 7
        assert not torch.equal(plain, model.score(model.advance(model.fresh(1), Events.of([codes]))))


def test_every_parameter_learns() -> None:
    model = made(2).train()
    hidden, _ = model.encode(Events.of([[1, 2, 3, 4, 5, 6], [4, 4]]))
    (hidden.square().sum() + model.score(model.fresh(1))[0, 1:].square().sum()).backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
