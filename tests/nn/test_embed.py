"""The item table: eq. 1 for what is read, the bare table for scores, and a padding row that never moves."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from recollect.nn.embed import ItemTable


def test_read_is_normalised_and_scored_is_bare() -> None:
    torch.manual_seed(0)
    table = ItemTable(9, 6, 0.5).eval()
    codes = torch.tensor([[1, 8], [3, 0]])
    torch.testing.assert_close(table(codes), F.layer_norm(table.weight[codes], (6,)))
    plain = ItemTable(9, 6, 0.0, normalised=False).train()
    assert torch.equal(plain(codes), plain.weight[codes])


def test_dropout_only_in_training() -> None:
    torch.manual_seed(0)
    table, codes = ItemTable(9, 64, 0.5), torch.arange(1, 9)
    assert 0.3 < float((table.train()(codes) == 0).float().mean()) < 0.7
    assert (table.eval()(codes) != 0).all()


def test_padding_is_zero_and_gets_no_gradient() -> None:
    table = ItemTable(5, 4, 0.0, normalised=False)
    assert (table.weight[0] == 0).all() and (table.weight[1:] != 0).any(dim=1).all()
    table(torch.tensor([0, 0, 2])).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad.sum(dim=1).tolist() == [0, 0, 4, 0, 0]
