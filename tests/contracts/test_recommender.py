"""What networks share: scores of all items and of candidates agree, and the last hidden vector is each row's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from recollect.contracts import PAD, Catalog, Events, Network, Request, State, take_last

ITEMS, WIDTH = 7, 4


class Table(Network):
    """The least a network can be: a table of items."""

    def __init__(self, biased: bool) -> None:
        super().__init__()
        self.catalog = Catalog(ITEMS)
        self.table = nn.Parameter(torch.randn(ITEMS, WIDTH, generator=torch.Generator().manual_seed(0)))
        self.bias = nn.Parameter(torch.arange(ITEMS) / 3) if biased else None

    def item_vectors(self) -> Tensor:
        return self.table

    def item_bias(self) -> Tensor | None:
        return self.bias

    def fresh(self, users: int, profile: object = None) -> State:
        return State({"hidden": torch.zeros(users, WIDTH)})

    def advance(self, state: State, events: Events) -> State:
        return state

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        return self.logits(state["hidden"], items)


@pytest.mark.parametrize("biased", [False, True])
def test_candidates_score_as_they_do_among_all(biased: bool) -> None:
    model, hidden = Table(biased), torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(1))
    everything = model.logits(hidden)
    by_hand = [[(h @ v).item() + (code / 3 if biased else 0) for code, v in enumerate(model.table)] for h in hidden]
    torch.testing.assert_close(everything[:, 1:], torch.tensor(by_hand)[:, 1:])
    assert (everything[:, PAD] == -torch.inf).all()
    alike = torch.tensor([5, PAD, 2])
    torch.testing.assert_close(model.logits(hidden, alike), everything[:, alike])
    own = torch.tensor([[1, 6], [PAD, 3], [4, 4]])
    torch.testing.assert_close(model.logits(hidden, own), everything.gather(1, own))


def test_mixed_precision_does_not_reach_the_scores() -> None:
    model, hidden = Table(True), torch.randn(3, WIDTH)
    plain = model.logits(hidden)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model.logits(hidden), plain)


def test_other_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="size mismatch"):
        Table(False).restore({"table": torch.zeros(ITEMS + 1, WIDTH)})


def test_the_last_vector_of_each_row() -> None:
    hidden = torch.arange(24.0).view(3, 4, 2)
    start = torch.tensor([-1.0, -2.0])
    assert take_last(hidden, torch.tensor([4, 0, 2]), start).tolist() == [[6.0, 7.0], [-1.0, -2.0], [18.0, 19.0]]
    assert take_last(hidden[:, :0], torch.zeros(3, dtype=torch.int64), start).tolist() == [[-1.0, -2.0]] * 3
