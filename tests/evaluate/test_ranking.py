"""Ranks against a ranker that walks user by user in plain Python, with models whose whole memory is visible."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recollect.artifact import load
from recollect.config import ConfigError, Settings
from recollect.contracts import PAD, Catalog, Events, Recommender, Request, State, take_last
from recollect.data.histories import Targets
from recollect.data.log import DataError, EventLog, Vocabulary, build_log
from recollect.data.splits import loo, temporal
from recollect.evaluate.ledger import MISS
from recollect.evaluate.metrics import measure
from recollect.evaluate.ranking import SCORE_CELLS, rank
from recollect.registry import model_class
from recollect.train.fit import fit
from recollect.train.progress import Silent


class Toy(Recommender):
    """What the toys share: a seeded table, and no settings."""

    Config = Settings
    config = Settings()

    def __init__(self, size: int, levels: int = 1000, seed: int = 0) -> None:
        self.catalog = Catalog(size)
        draw = torch.Generator().manual_seed(seed)
        # Few levels make ties common.
        self.table = torch.randint(0, levels, (size, size), generator=draw).float()
        self.table[:, PAD] = -torch.inf
        self.calls: list[tuple[int, int]] = []

    def tensors(self):
        return {"table": self.table}

    def restore(self, tensors):
        self.table = tensors["table"]


class Bigram(Toy):
    """Remembers the last code; scores a row of the table. A newcomer's last code is padding."""

    def fresh(self, users, profile=None):
        return State({"last": torch.zeros(users, dtype=torch.int64)})

    def advance(self, state, events):
        self.calls.append(tuple(events.items.shape))
        last = take_last(events.codes[:, :, None], events.lengths, state["last"][:, None])
        return State({"last": last.squeeze(1)})

    def score(self, state, request=None, items=None):
        return self.table[state["last"]]


class Tally(Toy):
    """Remembers an order-sensitive sum of all codes and times: any slip in carrying changes it. Scores by it."""

    request_time = True

    def fresh(self, users, profile=None):
        return State({"sum": torch.zeros(users, dtype=torch.int64)})

    def advance(self, state, events):
        self.calls.append(tuple(events.items.shape))
        total = state["sum"].clone()
        for t in range(events.items.shape[1]):
            time = 0 if events.times is None else events.times[:, t]
            after = (total * 31 + events.items[:, t] * 7 + time) % 100_003
            total = torch.where(t < events.lengths, after, total)
        return State({"sum": total})

    def score(self, state, request=None, items=None):
        key = state["sum"] if request is None else state["sum"] + request.at
        return self.table[key % self.catalog.size]


class Shelf(Toy):
    """The same scores for everybody, handed out as one expanded row, as a popularity model would."""

    def fresh(self, users, profile=None):
        return State({"none": torch.zeros(users, 0)})

    def advance(self, state, events):
        return state

    def score(self, state, request=None, items=None):
        return self.table[1].expand(state.users, -1)


def make_log(users: int = 30, items: int = 12, longest: int = 25, seed: int = 0, clock: bool = True) -> EventLog:
    draw = np.random.default_rng(seed)
    lengths = draw.integers(1, longest, users)
    who = np.repeat(np.arange(users) * 10 + 5, lengths)
    what = draw.integers(100, 100 + items, len(who))
    return build_log(who, what, draw.integers(0, 10_000, len(who)) if clock else None, name="toy")


def slow_ranks(model, log, targets, seen, request_time=False, last=None) -> list[int]:
    found = []
    for user, position in zip(targets.users.tolist(), targets.positions.tolist(), strict=True):
        start = int(log.offsets[user])
        history, times = log.items[start:position].tolist(), log.times[start:position].tolist()
        shown = slice(None) if last is None else slice(-last, None)
        state = model.fresh(1)
        for item, time in zip(history[shown], times[shown], strict=True):
            state = model.advance(state, Events.of([[item]], [[time]] if log.clock else None))
        request = Request(torch.tensor([int(log.times[position])])) if request_time else None
        scores = model.score(state, request)[0].tolist()
        target = int(log.items[position])
        if seen == "hidden" and target in history:
            found.append(MISS)
            continue
        hidden = {PAD, target, *(history if seen == "hidden" else [])}
        found.append(1 + sum(s >= scores[target] for code, s in enumerate(scores) if code not in hidden))
    return found


def every_event(log: EventLog) -> Targets:
    return Targets(log.users.astype(np.int64), np.arange(len(log)))


@functools.cache
def walked(kind, seen, request_time) -> list[tuple[Targets, list[int]]]:
    """Some targets of the log with their ranks by the plain walk, which is slow and has no budget."""
    log = make_log()
    model = kind(log.item_ids.size, levels=6)
    some = (loo(log).test, loo(log).validation, temporal(log, target="all").test, every_event(log))
    return [(targets, slow_ranks(model, log, targets, seen, request_time)) for targets in some]


@pytest.mark.parametrize("kind", [Bigram, Tally, Shelf])
@pytest.mark.parametrize("seen", ["hidden", "allowed"])
@pytest.mark.parametrize("request_time", [False, True])
@pytest.mark.parametrize("budget, segment", [(65536, 1024), (40, 1024), (64, 3), (1, 1)])
def test_ranks_are_those_of_a_plain_walk(kind, seen, request_time, budget, segment):
    log = make_log()
    model = kind(log.item_ids.size, levels=6)
    for targets, expected in walked(kind, seen, request_time):
        ledger = rank(model, log, targets, seen=seen, request_time=request_time, token_budget=budget, segment=segment)
        assert ledger.rank.tolist() == expected
        assert (seen == "allowed") == (MISS not in expected)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 8), st.sampled_from([None, 1, 3]), st.booleans())
def test_any_log_any_budget(seed, users, segment, last, hidden):
    log = make_log(users=users, items=5, longest=9, seed=seed)
    seen = "hidden" if hidden else "allowed"
    model = Tally(log.item_ids.size, levels=3, seed=seed)
    ledger = rank(model, log, every_event(log), seen=seen, token_budget=16, segment=segment, last=last)
    assert ledger.rank.tolist() == slow_ranks(model, log, every_event(log), seen, last=last)


def test_each_user_is_walked_once_and_blocks_keep_to_the_budget():
    log = make_log(users=200, longest=60)
    model = Tally(log.item_ids.size)
    rank(model, log, every_event(log), seen="hidden", token_budget=640, segment=50)
    assert sum(rows for rows, _ in model.calls) < len(log) * 2
    assert max(rows * max(width, 32) for rows, width in model.calls) <= 640
    assert max(width for _, width in model.calls) <= 50


def test_scoring_in_parts_changes_nothing(monkeypatch):
    log = make_log()
    model = Bigram(log.item_ids.size, levels=6)
    whole = rank(model, log, every_event(log), seen="hidden").rank
    monkeypatch.setattr("recollect.evaluate.ranking.SCORE_CELLS", 3 * log.item_ids.size + 1)
    assert 3 * log.item_ids.size + 1 < SCORE_CELLS
    assert np.array_equal(rank(model, log, every_event(log), seen="hidden").rank, whole)


def test_ties_count_against_the_target():
    log = make_log(items=12)
    model = Shelf(log.item_ids.size, levels=1)  # all items score the same
    assert set(rank(model, log, loo(log).test, seen="allowed").rank.tolist()) == {len(log.item_ids)}


def test_an_impossible_target_ranks_behind_candidates_but_not_behind_hidden_items():
    log = build_log(np.array([1, 1, 1, 2]), np.array([10, 11, 12, 13]), np.arange(4), name="tiny")
    model = Shelf(log.item_ids.size)
    model.table[1] = -torch.inf
    ledger = rank(model, log, loo(log).test, seen="hidden")
    assert ledger.rank.tolist() == [2]  # item 13 ties; 10 and 11 are hidden


def test_a_log_without_clock_shows_no_times_and_has_no_request_time():
    log = make_log(clock=False)
    model = Tally(log.item_ids.size)
    assert rank(model, log, loo(log).test, seen="allowed").rank.tolist() == slow_ranks(
        model, log, loo(log).test, "allowed"
    )
    with pytest.raises(DataError, match="only an order"):
        rank(model, log, loo(log).test, seen="allowed", request_time=True)


def test_the_ledger_names_its_rows_and_its_protocol():
    log = make_log()
    targets = loo(log).test
    ledger = rank(Bigram(log.item_ids.size), log, targets, seen="hidden", run="b", seed=7, split="loo, test")
    assert ledger.user_id.tolist() == [log.user_ids.ids[u] for u in targets.users]
    assert ledger.item.tolist() == log.items[targets.positions].tolist()
    assert ledger.item_id is not None
    assert ledger.item_id.tolist() == [log.item_ids.ids[code - 1] for code in ledger.item.tolist()]
    assert ledger.length.tolist() == [len(log.items[log.users == u]) - 1 for u in targets.users]
    assert set(ledger.run) == {"b"} and set(ledger.seed) == {7}
    line = ledger.protocols["b"].line()
    for part in ("toy", log.digest, "loo, test", "ties file", "seen hidden", "request time unused", "all 12 items"):
        assert part in line


@pytest.mark.parametrize(
    "kind, told, printed", [(Tally, True, "used"), (Tally, False, "unused"), (Bigram, True, "unused")]
)
def test_request_time_is_printed_as_used_only_where_a_model_looks_at_it(kind, told, printed):
    log = make_log()
    ledger = rank(kind(log.item_ids.size), log, loo(log).test, seen="hidden", request_time=told)
    assert ledger.protocols[kind.__name__].request_time == printed


def test_progress_ends_at_the_number_of_targets():
    log = make_log()
    steps: list[tuple[int, int]] = []
    rank(
        Bigram(log.item_ids.size),
        log,
        every_event(log),
        seen="hidden",
        token_budget=99,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps[-1] == (len(log), len(log))
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})


def test_nobody_asked_is_an_empty_ledger():
    log = make_log()
    nobody = Targets(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert len(rank(Bigram(log.item_ids.size), log, nobody, seen="hidden")) == 0


def test_a_score_that_is_nan_is_an_error_that_names_model_and_user():
    log = make_log()
    model = Shelf(log.item_ids.size)
    model.table[1, 3] = torch.nan
    with pytest.raises(DataError, match=r"Shelf scored NaN for user \d+"):
        rank(model, log, loo(log).test, seen="hidden")


def test_a_model_of_other_items_is_refused():
    log = make_log()
    with pytest.raises(DataError, match="12 items, but Bigram was made for 19"):
        rank(Bigram(20), log, loo(log).test, seen="hidden")


def test_a_seen_filter_that_does_not_exist_is_refused():
    log = make_log()
    with pytest.raises(ValueError, match="seen: 'hiden' is not one of 'hidden', 'allowed'"):
        rank(Bigram(log.item_ids.size), log, loo(log).test, seen="hiden")


def test_targets_out_of_order_are_refused():
    log = make_log()
    asked = loo(log).test
    with pytest.raises(ValueError, match="sorted"):
        rank(Bigram(log.item_ids.size), log, Targets(asked.users[::-1], asked.positions[::-1]), seen="hidden")


class Net(nn.Module, Bigram):
    def __init__(self, size: int) -> None:
        nn.Module.__init__(self)
        Bigram.__init__(self, size)
        self.drop, self.frozen = nn.Dropout(0.9), nn.Dropout(0.9)

    def score(self, state, request=None, items=None):
        assert torch.is_inference_mode_enabled()
        return self.frozen(self.drop(super().score(state, request, items)))


def test_a_network_is_ranked_without_dropout_and_gets_every_mode_back():
    log = make_log()
    model = Net(log.item_ids.size)
    model.frozen.eval()
    ledger = rank(model, log, loo(log).test, seen="hidden")
    assert ledger.rank.tolist() == rank(Bigram(log.item_ids.size), log, loo(log).test, seen="hidden").rank.tolist()
    assert (model.training, model.drop.training, model.frozen.training) == (True, True, False)
    assert not torch.is_inference_mode_enabled()


@pytest.mark.long
@pytest.mark.parametrize("seen, hits, gain", [("hidden", 0.2748, 0.1599), ("allowed", 0.2303, 0.1321)])
def test_markov_on_movielens_1m(data_folder, seen, hits, gain):
    """The published floor (loo, file-order ties, all 3,706 items), to the third digit: the protocol is right."""
    path = data_folder / "ml-1m" / "interactions.parquet"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    table = pq.read_table(path)
    user, item, time = (table[name].to_numpy() for name in ("user_id", "item_id", "timestamp"))
    log = build_log(user, item, time, name="ml-1m")
    split = loo(log)
    markov = model_class("markov")
    model = markov(markov.Config(), split.catalog)
    model.fit(split.train)
    metrics = measure(rank(model, log, split.test, seen=seen))
    assert metrics.users == 6040
    assert metrics["hr@10"] == pytest.approx(hits, abs=0.001)
    assert metrics["ndcg@10"] == pytest.approx(gain, abs=0.001)


def test_targets_say_how_they_came_about_and_a_caller_is_quoted():
    log = make_log()
    model, split = Bigram(log.item_ids.size), loo(log)

    def line(targets, told=""):
        return rank(model, log, targets, seen="hidden", split=told).protocols["Bigram"].split

    assert line(split.test) == line(split.test, "loo, test") == "loo, test"
    assert line(split.test, "random holdout") == "loo, test (as told: random holdout)"
    cut = temporal(log, validation=0.5, test=0.7, target="all")
    assert line(cut.test) == "temporal(validation 0.5, test 0.7, target all), test"
    assert line(cut.validation) == f"{cut.protocol}, validation" and line(split.validation) == "loo, validation"
    some = Targets(split.test.users[:2], split.test.positions[:2])
    assert line(some) == "" and line(some, "my own") == "my own (as told)"


def test_a_log_of_as_many_other_items_is_refused_where_the_model_knows_its_own(tmp_path):
    log = make_log()
    trained = fit("popularity", log, report=Silent())
    others = dataclasses.replace(log, item_ids=Vocabulary(log.item_ids.ids + 1000, first=1))
    bare = rank(trained.model, log, loo(log).test, seen="hidden")
    for known in (trained, load(trained.save(tmp_path / "kept"))):
        ledger = rank(known, log, loo(log).test, seen="hidden")
        assert ledger.rank.tolist() == bare.rank.tolist() and ledger.runs == ["popularity"]
        with pytest.raises(DataError, match="they are not the 12 that popularity was trained on"):
            rank(known, others, loo(others).test, seen="hidden")


@pytest.mark.parametrize("place, wrong, message", [
    (0, "popularity", "a model is expected, as fit or load gives it, not str"),
    (1, "ml-100k", "a log is expected, not str"),
    (2, loo, r"targets are expected, as split.validation or split.test, not function"),
])  # fmt: skip
def test_what_is_no_model_no_log_or_no_targets_is_said(place, wrong, message):
    log = make_log()
    given = [Bigram(log.item_ids.size), log, loo(log).test]
    given[place] = wrong
    with pytest.raises(ConfigError, match=message):
        rank(*given, seen="hidden")
