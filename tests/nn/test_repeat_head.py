"""The repeat head: what was met often and lately scores higher, and the score meets the network's own logit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recollect.contracts import PAD, Catalog, Met, Request, mixed
from recollect.models.gru4rec import GRU4Rec
from recollect.nn.repeat_head import RepeatHead, repeat_head


def head(seed: int, events: int = 5) -> RepeatHead:
    torch.manual_seed(seed)
    made = RepeatHead(8, events)
    torch.nn.init.normal_(made.linear.weight)
    return made


def scores_of(made: RepeatHead, hidden: Tensor, counts: Tensor, since: Tensor, elapsed: Tensor | None) -> Tensor:
    return made(made.weights(hidden)[2], counts, since, torch.zeros_like(counts), elapsed)


@given(seed=st.integers(0, 50), count=st.integers(1, 50), since=st.integers(0, 500), elapsed=st.integers(0, 10**8))
def test_both_kinds_of_age_only_take_away(seed: int, count: int, since: int, elapsed: int) -> None:
    made, hidden = head(seed), torch.randn(6, 8, generator=torch.Generator().manual_seed(seed))
    one = [torch.full((6,), value) for value in (count, since, elapsed)]
    base = scores_of(made, hidden, *one)
    assert (scores_of(made, hidden, one[0], one[1] + 7, one[2]) <= base).all()
    assert (scores_of(made, hidden, one[0], one[1], one[2] + 10**6) <= base).all()
    assert (scores_of(made, hidden, one[0], one[1], None) >= base).all()


def test_it_begins_by_preferring_what_was_met_often_and_lately_and_came_next() -> None:
    made, hidden = RepeatHead(8, 5), torch.randn(4, 8)
    kept, share, coefficients = made.weights(hidden)
    assert not kept.any() and (share == 0.5).all() and (coefficients == coefficients[:1]).all()
    told = ([1, 0, 0], [9, 0, 0], [1, 90, 0], [9, 0, 3])
    rare, often, old, next_one = (made(coefficients[0], *map(torch.tensor, one), None) for one in told)
    assert next_one > often > rare > old


def test_with_nothing_kept_and_the_whole_share_the_score_is_added() -> None:
    logits, scores = torch.randn(3, 4), torch.randn(3, 4)
    added = mixed(logits, torch.tensor(-torch.inf), torch.tensor(1.0), scores)
    torch.testing.assert_close(added, logits + scores)
    torch.testing.assert_close(mixed(logits, torch.tensor(0.0), torch.tensor(1.0), torch.tensor(-torch.inf)), logits)


def test_what_is_padding_scores_nothing_and_time_is_counted_from_the_newest_meeting() -> None:
    made, hidden = head(1), torch.randn(2, 8)
    items = torch.tensor([[3, 4, PAD], [5, PAD, PAD]])
    counts, since = items.ne(PAD).long(), torch.tensor([[0, 2, 0], [1, 0, 0]])
    times = torch.tensor([[7200, 3600, 0], [10**9, 0, 0]])
    met = Met(items, counts, since, torch.zeros_like(counts), times)
    kept, share, scores = made.of_request(hidden, met, None)
    assert kept.shape == share.shape == (2, 1) and not scores[~met.mask].any()
    newest = made.of_request(hidden, met, torch.tensor([7200, 10**9]))[2]
    torch.testing.assert_close(scores, newest)
    assert (made.of_request(hidden, met, torch.tensor([7200 + 10**6, 2 * 10**9]))[2] < scores)[met.mask].all()


@pytest.mark.parametrize("candidates", [None, torch.tensor([4, 1, 3, PAD]), torch.tensor([[5, 4, 1], [2, 5, PAD]])])
def test_only_what_was_met_is_scored_otherwise(candidates: Tensor | None) -> None:
    network = GRU4Rec(GRU4Rec.Config(width=8, hidden=8, repeat=5), Catalog(6))
    network.repeat = head(2)
    hidden = torch.randn(2, 8)
    met = Met(
        torch.tensor([[3, 4, PAD], [5, PAD, PAD]]),
        torch.tensor([[2, 1, 0], [1, 0, 0]]),
        torch.zeros(2, 3).long(),
        torch.tensor([[1, 0, 0], [0, 0, 0]]),
    )
    plain = network.logits(hidden, candidates)
    logits = network.logits(hidden, candidates, Request(met=met))
    codes = torch.arange(plain.shape[1]).expand(2, -1) if candidates is None else candidates.expand(2, -1)
    kept, share, scores = network.repeat.of_request(hidden, met, None)
    for row in range(2):
        own = dict(zip(met.items[row].tolist(), scores[row], strict=True))
        for code, before, after in zip(codes[row].tolist(), plain[row], logits[row], strict=True):
            if code == PAD:
                assert after == -torch.inf
            elif code in own:
                wanted = (kept[row, 0] + before).exp() + (own[code] + share[row, 0] * before).exp()
                torch.testing.assert_close(after.exp(), wanted)
            else:
                assert after == before
    assert torch.equal(network.logits(hidden, candidates, Request()), plain)


def test_it_is_there_only_where_it_is_switched_on() -> None:
    assert repeat_head(8, 0) is None
    made = repeat_head(8, 7)
    assert made is not None and made.events == 7
