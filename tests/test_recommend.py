"""Top lists against sorting by hand, with a model whose memory is the last code."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.config import ConfigError, Settings
from recollect.contracts import PAD, Catalog, Recommender, State, take_last
from recollect.data.histories import Ragged
from recollect.data.log import DataError, Table, Vocabulary
from recollect.recommend import NOTHING, as_columns, recommend, top, top_lists

module = importlib.import_module("recollect.recommend")  # the attribute of that name is the function

SIZE = 9
ITEMS = Vocabulary(np.array([f"i{k}" for k in range(1, SIZE)], dtype=object), first=1)
TITLES = np.array(["", *(f"Title {k}" for k in range(1, SIZE))], dtype=object)


class Bigram(Recommender):
    """Scores a row of a table by the last code, plus the last time and the request time if there are any."""

    Config = Settings
    config = Settings()
    request_time = True

    def __init__(self, levels: int = 1000) -> None:
        self.catalog = Catalog(SIZE)
        self.table = torch.randint(0, levels, (SIZE, SIZE), generator=torch.Generator().manual_seed(0)).float() / 9
        self.table[:, PAD] = -torch.inf
        self.clocks: list[bool] = []

    def fresh(self, users, profile=None):
        return State({"last": torch.zeros(users, dtype=torch.int64)})

    def advance(self, state, events):
        self.clocks.append(events.times is not None)
        last = take_last(events.codes[:, :, None], events.lengths, state["last"][:, None])
        return State({"last": last.squeeze(1)})

    def score(self, state, request=None, items=None):
        return self.table[state["last"]] if request is None else self.table[request.at % SIZE]

    def tensors(self):
        return {}

    def restore(self, tensors):
        pass


class Share(Bigram):
    """One row for everybody, expanded and not to be written to; its scores are no likelihood."""

    probabilistic = False

    def score(self, state, request=None, items=None):
        return self.table[1].expand(state.users, -1)


def by_hand(scores: torch.Tensor, history: list[int], k: int, seen: str) -> list[tuple[int, float, float]]:
    shares = torch.softmax(scores.double(), 0).tolist()
    hidden = {PAD, *(history if seen == "hidden" else [])}
    order = sorted((code for code in range(SIZE) if code not in hidden), key=lambda code: (-scores[code].item(), code))
    return [(code, scores[code].item(), shares[code]) for code in order[:k]]


@given(
    st.lists(st.lists(st.integers(1, SIZE - 1), max_size=12), min_size=1, max_size=12),
    st.integers(1, 12),
    st.sampled_from(["hidden", "allowed"]),
    st.sampled_from([2, 1000]),
    st.integers(1, 100),
)
def test_lists_are_those_sorted_by_hand(histories, k, seen, levels, budget):
    model = Bigram(levels)
    offsets = np.cumsum([0, *map(len, histories)])
    codes = np.array([code for history in histories for code in history], dtype=np.int64)
    found = []
    for lists in top_lists(model, Ragged(codes, codes, offsets), k=k, seen=seen, token_budget=budget, segment=3):
        assert lists.first == len(found)
        for row in zip(lists.codes, lists.logits, lists.probabilities, strict=True):
            found.append([triple for triple in zip(*(c.tolist() for c in row), strict=True) if triple[0] != NOTHING])
    for history, mine in zip(histories, found, strict=True):
        expected = by_hand(model.table[history[-1] if history else 0], history, k, seen)
        assert [code for code, _, _ in mine] == [code for code, _, _ in expected]
        assert [s for _, s, _ in mine] == pytest.approx([s for _, s, _ in expected])
        assert [p for _, _, p in mine] == pytest.approx([p for _, _, p in expected], rel=1e-4)


class First(Bigram):
    """Its memory is the first code it was told of."""

    def advance(self, state, events):
        begun = (state["last"] != PAD) | (events.lengths == 0)
        return State({"last": torch.where(begun, state["last"], events.codes[:, 0])})


@given(
    st.lists(st.lists(st.integers(1, SIZE - 1), max_size=12), min_size=1, max_size=12),
    st.integers(1, 14),
    st.sampled_from(["hidden", "allowed"]),
)
def test_a_model_told_of_the_last_events_only(histories, last, seen):
    """It knows of no event before them, and what was seen before them is hidden all the same."""
    model = First()
    codes = np.array([code for history in histories for code in history], dtype=np.int64)
    ragged = Ragged(codes, codes, np.cumsum([0, *map(len, histories)]))
    assert [row.tolist() for row in ragged.last(last)] == [history[-last:] for history in histories]
    (lists,) = top_lists(model, ragged, k=4, seen=seen, last=last, segment=3)
    for history, row in zip(histories, lists.codes, strict=True):
        wanted = by_hand(model.table[history[-last:][0] if history else 0], history, 4, seen)
        assert row[row != NOTHING].tolist() == [code for code, _, _ in wanted]


def test_chunks_keep_the_order_of_the_histories(monkeypatch):
    random = np.random.default_rng(0)
    histories = [random.integers(1, SIZE, random.integers(0, 9)).tolist() for _ in range(50)]
    ids = [[f"i{code}" for code in history] for history in histories]
    whole = recommend(Bigram(), ITEMS, ids, k=3)
    monkeypatch.setattr(module, "CHUNK", 7)
    monkeypatch.setattr(module, "SCORE_CELLS", SIZE)
    assert recommend(Bigram(), ITEMS, ids, k=3) == whole
    assert recommend(Bigram(), ITEMS, [ids[3]], k=3) == [whole[3]]


def test_ids_titles_logits_and_probabilities():
    model = Bigram()
    (answer,) = recommend(model, ITEMS, [["i2", "i5"]], titles=TITLES, k=3)
    expected = by_hand(model.table[5], [2, 5], 3, "hidden")
    assert [(r.rank, r.item, r.title) for r in answer] == [
        (place, f"i{code}", f"Title {code}") for place, (code, _, _) in enumerate(expected, 1)
    ]
    assert [r.probability for r in answer] == pytest.approx([p for _, _, p in expected], rel=1e-4)
    assert sum(r.probability for r in recommend(model, ITEMS, [["i2"]], k=99, seen="allowed")[0]) == pytest.approx(
        1, abs=1e-5
    )


def test_the_table_says_what_the_answers_say(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    histories = [[2, 5], [], list(range(1, SIZE)), [3]]
    users = np.array(["ann", "bob", "eve", "joe"], dtype=object)
    codes = np.array([code for history in histories for code in history])
    ragged = Ragged(codes, codes, np.cumsum([0, *map(len, histories)]))
    blocks = [as_columns(lists, users, ITEMS, TITLES) for lists in top_lists(Bigram(), ragged, k=3)]
    rows = [row for block in blocks for row in zip(*(column.tolist() for column in block.values()), strict=True)]
    answers = recommend(
        Bigram(), ITEMS, [[f"i{code}" for code in history] for history in histories], titles=TITLES, k=3
    )
    assert rows == [
        (user, r.rank, r.item, r.title, r.logit, r.probability)
        for user, answer in zip(users, answers, strict=True)
        for r in answer
    ]
    assert "eve" not in {row[0] for row in rows}  # who has seen everything
    assert "probability" not in as_columns(next(top_lists(Share(), ragged)), users, ITEMS)


def test_hiding_does_not_inflate_probabilities():
    hidden, allowed = (recommend(Bigram(), ITEMS, [["i2", "i5"]], k=8, seen=seen)[0] for seen in ("hidden", "allowed"))
    shares = {r.item: r.probability for r in allowed}
    assert {r.item for r in hidden} == set(shares) - {"i2", "i5"}
    assert all(r.probability == pytest.approx(shares[r.item]) for r in hidden)


def test_unknown_items_are_skipped_and_named():
    strange, plain = recommend(Bigram(), ITEMS, [["x", "i5", "i2", "y"], ["i5", "i2"]], times=[[1, 2, 3, 4], [2, 3]])
    assert strange.unknown == ("x", "y") and plain.unknown == ()
    assert strange.items == plain.items


def test_a_newcomer_and_one_who_has_seen_everything():
    newcomer, finished = recommend(Bigram(), ITEMS, [[], [f"i{k}" for k in range(1, SIZE)]], k=4)
    assert len(newcomer) == 4
    assert len(finished) == 0


@given(
    st.lists(st.lists(st.integers(1, SIZE - 1), max_size=6), min_size=1, max_size=6),
    st.sets(st.integers(1, SIZE - 1)),
    st.integers(1, 12),
    st.sampled_from(["hidden", "allowed"]),
)
def test_what_is_not_allowed_is_in_no_list_and_shares_stay_those_among_all_items(histories, only, k, seen):
    model = Bigram()
    offsets = np.cumsum([0, *map(len, histories)])
    codes = np.array([code for history in histories for code in history], dtype=np.int64)
    allowed = np.isin(np.arange(SIZE), list(only))
    (lists,) = top_lists(model, Ragged(codes, codes, offsets), k=k, seen=seen, allowed=allowed)
    for row, history in enumerate(histories):
        scores = model.table[history[-1] if history else 0]
        expected = [one for one in by_hand(scores, history, SIZE, seen) if one[0] in only][:k]
        found = [code for code in lists.codes[row].tolist() if code != NOTHING]
        assert found == [code for code, _, _ in expected]
        shares = [share for _, _, share in expected]
        assert lists.probabilities[row, : len(found)].tolist() == pytest.approx(shares, rel=1e-4)


def test_a_list_may_be_of_some_items_only():
    model, table = Bigram(), Table({"kind": np.array(["x", "y|x", "y", None, "x", "z", "z", "x"], dtype=object)})
    kinds = {"i1", "i2", "i5", "i8"}
    (answer,) = recommend(model, ITEMS, [["i3"]], within={"kind": "x"}, item_table=table, k=9)
    assert {one.item for one in answer} == kinds
    (answer,) = recommend(model, ITEMS, [["i3"]], within={"kind": "x"}, deny=["i1", "?"], item_table=table, k=9)
    assert {one.item for one in answer} == kinds - {"i1"}
    (answer,) = recommend(model, ITEMS, [["i3"]], allow=["i1", "i3", "i4"], k=9)
    assert {one.item for one in answer} == {"i1", "i4"}
    assert [len(one) for one in recommend(model, ITEMS, [["i3"]], allow=[])] == [0]
    with pytest.raises(ValueError, match="one for each item code"):
        next(top_lists(model, Ragged(np.array([1]), np.array([0]), np.array([0, 1])), allowed=np.ones(SIZE - 1, bool)))


def test_scores_that_are_no_likelihood_have_no_probability():
    answers = recommend(Share(), ITEMS, [["i1"], ["i2"]], k=8)
    assert [r.probability for r in answers[0]] == [None] * 7
    assert {r.item for r in answers[1]} == {r.item for r in answers[0]} - {"i2"} | {"i1"}


def test_times_are_shown_only_if_there_are_any_and_asking_has_a_time():
    model = Bigram()
    recommend(model, ITEMS, [["i1"]])
    recommend(model, ITEMS, [["i1"]], times=[[7]])
    assert model.clocks == [False, True]
    (answer,) = recommend(model, ITEMS, [["i1"]], at=[4], k=1, seen="allowed")
    assert answer[0].item == f"i{by_hand(model.table[4], [], 1, 'allowed')[0][0]}"


def test_what_cannot_be_answered_is_one_clear_error():
    model = Bigram()
    with pytest.raises(ValueError, match="k must be"):
        recommend(model, ITEMS, [["i1"]], k=0)
    with pytest.raises(ValueError, match="1 items but 2 times"):
        recommend(model, ITEMS, [["i1"]], times=[[1, 2]])
    for flat in (["i1", "i2"], [1, 2]):
        with pytest.raises(ValueError, match="a list of such lists"):
            recommend(model, ITEMS, flat)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="seen: 'hiden' is not one of 'hidden', 'allowed'"):
        recommend(model, ITEMS, [["i1"]], seen="hiden")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="outside 1 to 8"):
        list(top_lists(model, Ragged(np.array([SIZE]), np.array([0]), np.array([0, 1]))))
    for broken in (torch.nan, torch.inf):
        model.table[1, 3] = broken
        with pytest.raises(DataError, match="Bigram scored NaN or infinity"):
            recommend(model, ITEMS, [["i1"]])


def test_inference_mode_does_not_leak_between_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 1)
    for _ in top_lists(Bigram(), Ragged(np.array([1, 2]), np.array([0, 0]), np.array([0, 1, 2]))):
        assert not torch.is_inference_mode_enabled()


@given(
    rows=st.integers(1, 12).flatmap(
        lambda width: st.lists(
            st.lists(st.sampled_from([-np.inf, 0.0, 1.0, 1.0, 2.5]), min_size=width, max_size=width),
            min_size=1,
            max_size=4,
        )
    ),
    k=st.integers(1, 12),
)
def test_the_best_are_those_of_sorting_and_equals_stand_by_code(rows: list[list[float]], k: int) -> None:
    k = min(k, len(rows[0]))
    best, codes = top(torch.tensor(rows), k)
    wanted = [sorted(range(len(row)), key=lambda code: (-row[code], code))[:k] for row in rows]
    assert codes.tolist() == wanted
    assert best.tolist() == [[row[code] for code in own] for row, own in zip(rows, wanted, strict=True)]
