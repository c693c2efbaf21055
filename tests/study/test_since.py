"""Last week's model on this week's events: ranks by brute force on a log made by hand, and what is new is counted."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import recollect
from recollect.artifact import Artifact, load
from recollect.config import ConfigError
from recollect.contracts import Events
from recollect.data.log import DataError, EventLog, build_log
from recollect.evaluate.ledger import MISS, Ledger
from recollect.evaluate.metrics import measure
from recollect.study.refit import refit
from recollect.study.run import read_data, run
from recollect.study.scoring import data_of
from recollect.study.settings import compose
from recollect.study.since import data_since, score_since
from recollect.train.learnt import moment

from .material import small_settings, write_csv

DAY = 86_400
MONDAY = 20_000 * DAY  # 2024-10-04, whatever day that was
ITEMS = [f"i{number}" for number in range(8)]


def column(values: list[str]) -> np.ndarray:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def log_of(rows: list[tuple[str, str, int]], name: str) -> EventLog:
    users, items, times = zip(*rows, strict=True)
    return build_log(column(list(users)), column(list(items)), np.array(times), name=name)


def before() -> list[tuple[str, str, int]]:
    draw = np.random.default_rng(4)
    return [(f"u{user}", str(draw.choice(ITEMS)), MONDAY - DAY + 60 * step) for user in range(9) for step in range(6)]


AFTER = [
    ("u0", "i3", MONDAY), ("u0", "i3", MONDAY + 5), ("u0", "new", MONDAY + 9), ("u0", "i1", MONDAY + 12),
    ("u4", "new", MONDAY + 1),
    ("u7", "i5", MONDAY + 2), ("u7", "other", MONDAY + 3),
    ("stranger", "i2", MONDAY + 4), ("stranger", "i0", MONDAY + 6),
    ("ahead", "new", MONDAY + 4), ("ahead", "i6", MONDAY + 7),
]  # fmt: skip
OLD, NEWER = log_of(before(), "old"), log_of(before() + AFTER, "newer")


@pytest.fixture(scope="module", params=["markov", "gru4rec", "itemknn"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    settings = small_settings(request.param, epochs=1)
    return load(run(settings, tmp_path_factory.mktemp("run") / request.param, log=OLD).folder)


def by_hand(trained: Artifact, seen: str) -> dict[tuple[str, int], int]:
    """(user, events before) -> rank, one history after the other, item by item."""
    ranks = {}
    for user in sorted({row[0] for row in AFTER}):
        rows = [row for row in sorted(before() + AFTER, key=lambda row: row[2]) if row[0] == user]
        for place, (_, item, time) in enumerate(rows):
            if time < MONDAY:
                continue
            target = trained.items.find(item)
            if target is None:
                ranks[user, place] = MISS
                continue
            past = [code for row in rows[:place] if (code := trained.items.find(row[1])) is not None]
            state = trained.model.advance(trained.model.fresh(1), Events.of([past]))
            with torch.no_grad():
                (scores,) = trained.model.score(state).tolist()
            hidden = set(past) if seen == "hidden" else set()
            rivals = [c for c in range(1, trained.items.size) if c != target and c not in hidden]
            ranks[user, place] = MISS if target in hidden else 1 + sum(scores[c] >= scores[target] for c in rivals)
    return ranks


def as_dict(ledger: Ledger) -> dict[tuple[str, int], int]:
    return dict(
        zip(zip(ledger.user_id.tolist(), ledger.length.tolist(), strict=True), ledger.rank.tolist(), strict=True)
    )


@pytest.mark.parametrize("seen", ["allowed", "hidden"])
@pytest.mark.parametrize("since", [MONDAY, str(MONDAY), "2024-10-04", "2024-10-04T02:00+02:00"])
def test_the_ranks_are_those_of_brute_force(trained: Artifact, seen: str, since: int | str) -> None:
    result = score_since(trained, NEWER, since, seen=seen)  # type: ignore[arg-type]
    assert as_dict(result.missed) == by_hand(trained, seen)
    assert (result.new_targets, result.new_items, result.new_users) == (4, 2, 2)
    (protocol,) = result.missed.protocols.values()
    assert "events since 2024-10-04 00:00:00 UTC, target all, new items are misses" in protocol.line()
    assert f"newer [{NEWER.digest}]" in protocol.line() and "5 users, 11 targets" in protocol.line()


def test_the_second_figure_leaves_new_items_out(trained: Artifact) -> None:
    result = score_since(trained, NEWER, MONDAY)
    assert result.known is not None
    wanted = [rank for rank in by_hand(trained, "allowed").values() if rank != MISS]
    assert sorted(result.known.rank.tolist()) == sorted(wanted) and len(wanted) == 7
    (protocol,) = result.known.protocols.values()
    assert "new items left out" in protocol.line() and f"[{NEWER.digest}]" in protocol.line()
    every, known = measure(result.missed), measure(result.known)
    assert every["hr@10"] == pytest.approx(known["hr@10"] * 7 / 11)


def test_the_model_may_be_told_of_the_last_events_only(trained: Artifact) -> None:
    """As if each target's user had done nothing before its last event; what was seen is counted in whole."""
    near = as_dict(score_since(trained, NEWER, MONDAY, seen="allowed", history=1).missed)
    rows = sorted(before() + AFTER, key=lambda row: row[2])
    for (user, length), rank in near.items():
        if rank == MISS:
            continue
        past = [code for row in rows if row[0] == user and (code := trained.items.find(row[1])) is not None]
        known = sum(trained.items.find(row[1]) is not None for row in [r for r in rows if r[0] == user][:length])
        target = past[known]
        state = trained.model.advance(trained.model.fresh(1), Events.of([past[max(0, known - 1) : known]]))
        with torch.no_grad():
            (scores,) = trained.model.score(state).tolist()
        assert rank == 1 + sum(scores[c] >= scores[target] for c in range(1, trained.items.size) if c != target)
    (protocol,) = score_since(trained, NEWER, MONDAY, history=1).missed.protocols.values()
    assert protocol.history == "last 1"


@pytest.mark.parametrize("target, items", [
    ("first", {"u0": "i3", "u4": "new", "u7": "i5", "stranger": "i2", "ahead": "new"}),
    ("last", {"u0": "i1", "u4": "new", "u7": "other", "stranger": "i0", "ahead": "i6"}),
])  # fmt: skip
def test_one_of_each_user_may_be_asked(trained: Artifact, target: str, items: dict[str, str]) -> None:
    ledger = score_since(trained, NEWER, MONDAY, target=target).missed  # type: ignore[arg-type]
    whole = by_hand(trained, "allowed")
    assert set(ledger.user_id) == set(items)
    for user, length, code, rank in zip(ledger.user_id, ledger.length, ledger.item, ledger.rank, strict=True):
        assert code == (trained.items.find(items[user]) or 0) and rank == whole[user, length]


def shop(days: int) -> EventLog:
    """A log of baskets: each user buys three things at one moment, every other day."""
    draw = np.random.default_rng(8)
    rows = [
        (f"u{user}", str(draw.choice(ITEMS)), MONDAY + DAY * (2 * day - 20) + 60 * user)
        for day in range(days)
        for user in range(20)
        for _ in range(3)
    ]
    return log_of(rows, "shop")


@pytest.mark.parametrize("protocol, asked", [("temporal", "first"), ("loo", "all")])
def test_what_a_run_was_asked_for_is_asked_of_it_since(protocol: str, asked: str, tmp_path: Path) -> None:
    settings = small_settings("markov")
    split = settings.split.model_copy(update={"protocol": protocol, "target": "first"})
    own = load(run(settings.model_copy(update={"split": split}), tmp_path / "run", log=shop(10)).folder)
    made_new = refit(tmp_path / "run", tmp_path / "refit", log=shop(10)).folder
    again = refit(made_new, tmp_path / "again", log=shop(10)).folder
    shutil.rmtree(tmp_path / "run")  # as a job that keeps only the newest does
    shutil.rmtree(made_new)
    for trained in (own, load(again)):
        result = score_since(trained, shop(12), MONDAY)
        assert result.target == asked and len(result.missed) == (20 if asked == "first" else 2 * 60)
        (line,) = (one.line() for one in result.missed.protocols.values())
        assert f"target {asked}," in line
        said = [note for note in result.notes if "rest of a basket" in note]
        assert bool(said) == (asked == "all")
        assert all(note.startswith("66.7% of the targets") and "--target first asks" in note for note in said)
        assert score_since(trained, shop(12), MONDAY, target="last").target == "last"


def test_what_was_learnt_is_not_asked(trained: Artifact, tmp_path: Path) -> None:
    latest = trained.card["learnt"]["until"]
    with pytest.raises(ConfigError, match="has learnt from events up to 2024-10-03 00:03:00 UTC"):
        score_since(trained, NEWER, latest)
    assert len(score_since(trained, NEWER, latest + 1).missed) > len(AFTER)
    refitted = load(refit(trained.folder, tmp_path / "refit", log=OLD).folder)
    with pytest.raises(ConfigError, match="00:05:00 UTC"):
        score_since(refitted, NEWER, latest + 1)
    assert len(score_since(refitted, NEWER, MONDAY).missed) == len(AFTER)


def test_a_day_without_events_and_a_log_without_times_are_refused(trained: Artifact) -> None:
    with pytest.raises(DataError, match="no event at or after 2031-01-01"):
        score_since(trained, NEWER, "2031-01-01")
    with pytest.raises(ConfigError, match="--since: 'yesterday' is no time"):
        score_since(trained, NEWER, "yesterday")
    rows = before() + AFTER
    ordered = build_log(column([row[0] for row in rows]), column([row[1] for row in rows]), None)
    with pytest.raises(DataError, match="--since needs times"):
        score_since(trained, ordered, MONDAY)


def test_only_new_items_leave_one_figure(trained: Artifact) -> None:
    log = log_of([*before(), ("u1", "new", MONDAY)], "newer")
    result = score_since(trained, log, MONDAY)
    assert result.known is None and result.missed.rank.tolist() == [MISS]


def test_filters_of_training_cut_no_history(tmp_path: Path) -> None:
    source = write_csv(NEWER, tmp_path / "log.csv")
    settings = small_settings("markov")
    filters = settings.data.filters.model_copy(update={"time_to": MONDAY, "min_user_events": 3})
    data = settings.data.model_copy(update={"source": str(source), "filters": filters})
    trained = load(run(settings.model_copy(update={"data": data}), tmp_path / "run").folder)
    assert "new" not in trained.items.ids
    log, remark = data_since(trained)
    assert len(log) == len(NEWER) and remark is not None and "time_to" in remark and "min_user_events=3" in remark
    assert as_dict(score_since(trained, log, MONDAY).missed) == by_hand(trained, "allowed")


def test_a_log_of_the_new_week_alone_is_said_to_have_no_histories(trained: Artifact) -> None:
    (note,) = score_since(trained, log_of(AFTER, "week"), MONDAY).notes
    assert "no event before that moment" in note
    assert score_since(trained, NEWER, MONDAY).notes == ()


def dates_of(rows: list[tuple[str, str, int]], form: str) -> str:
    when = [datetime.datetime.fromtimestamp(time, datetime.UTC) for _, _, time in rows]
    lines = [f"{user},{item},{at:{form}}" for (user, item, _), at in zip(rows, when, strict=True)]
    return "\n".join(["user,item,time", *lines]) + "\n"


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M", "%d%m%Y%H%M%S"])
def test_a_week_whose_dates_do_not_say_day_or_month_is_read_as_the_log_of_the_run(form: str, tmp_path: Path) -> None:
    late = int(datetime.datetime(2024, 9, 30, tzinfo=datetime.UTC).timestamp())  # 30 can be no month
    rows = [(user, item, time - MONDAY + late) for user, item, time in before()]
    week = [(user, item, time + 60) for user, item, time in AFTER]  # of 04/10/2024
    (tmp_path / "old.csv").write_text(dates_of(rows, form))
    (tmp_path / "week.csv").write_text(dates_of(week, form))
    with pytest.raises(DataError, match="no row of the column decides it"):
        recollect.read(tmp_path / "week.csv")
    settings = small_settings("markov")
    data = settings.data.model_copy(update={"source": str(tmp_path / "old.csv")})
    trained = load(run(settings.model_copy(update={"data": data}), tmp_path / "run").folder)
    assert trained.settings["data"].get("time_format") is None  # it is what the log showed, not what was asked
    newer = str(tmp_path / "week.csv")
    refitted = load(refit(tmp_path / "run", source=newer).folder)
    started = compose(None, {"data": {"source": newer}}, start_from=tmp_path / "run")
    for log in (data_since(trained, newer)[0], data_of(trained, newer), data_of(refitted), read_data(started.data)):
        assert {moment(time)[:10] for time in log.times.tolist()} == {"2024-10-04"}
