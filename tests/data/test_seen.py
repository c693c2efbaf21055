"""What a user had is hidden and nothing else, and measuring and recommending hide the same."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.cli import choices
from recollect.contracts import PAD
from recollect.data.histories import Ragged
from recollect.data.log import build_log
from recollect.data.seen import Seen, hide_seen
from recollect.data.splits import loo
from recollect.evaluate.ledger import MISS
from recollect.evaluate.ranking import rank
from recollect.models.markov import Markov
from recollect.recommend import NOTHING, top_lists

SIZE = 8


@given(st.lists(st.lists(st.integers(1, SIZE - 1), max_size=6), min_size=1, max_size=5), st.sampled_from([-9.0, -3.0]))
def test_exactly_the_cells_of_the_history_are_hidden(histories: list[list[int]], value: float) -> None:
    scores = torch.rand(len(histories), SIZE)
    before = scores.clone()
    ends = np.cumsum([len(one) for one in histories])
    starts = ends - [len(one) for one in histories]
    hide_seen(scores, np.array([code for one in histories for code in one], dtype=np.int64), starts, ends, value)
    for row, history in enumerate(histories):
        for code in range(SIZE):
            assert scores[row, code] == (value if code in history else before[row, code])


def test_scores_that_share_memory_are_refused() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        hide_seen(torch.zeros(SIZE).expand(2, SIZE), np.array([1]), np.array([0, 1]), np.array([1, 1]))


@pytest.mark.parametrize("seen", get_args(Seen))
def test_a_target_stands_in_the_list_at_its_rank(seen: Seen) -> None:
    draw = np.random.default_rng(0)
    users, items = np.repeat(np.arange(40), 9), draw.integers(0, 30, 360)
    log = build_log(users, items, np.arange(360))
    split = loo(log)
    model = Markov(Markov.Config(), split.catalog)
    model.fit(split.train)
    ranks = rank(model, log, split.test, seen=seen).rank
    ends = split.test.positions
    index = np.concatenate([np.arange(a, b) for a, b in zip(log.offsets[:-1], ends, strict=True)])
    past = Ragged(log.items[index].astype(np.int64), log.times[index], np.cumsum([0, *(ends - log.offsets[:-1])]))
    (lists,) = top_lists(model, past, k=log.item_ids.size, seen=seen)
    targets = log.items[ends]
    hidden = 0
    for row, (place, target) in enumerate(zip(ranks.tolist(), targets.tolist(), strict=True)):
        shown = lists.codes[row][lists.codes[row] != NOTHING].tolist()
        assert PAD not in shown
        if place == MISS:
            hidden += 1
            assert target not in shown and target in past.items[past.offsets[row] : past.offsets[row + 1]]
        else:
            logit = lists.logits[row][shown.index(target)]
            assert place == int((lists.logits[row][: len(shown)] >= logit).sum())
    assert (hidden > 0) == (seen == "hidden")


def test_the_command_line_has_the_same_words() -> None:
    assert [word.value for word in choices.Seen] == list(get_args(Seen))
