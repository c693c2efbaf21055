"""One model that looks at all a request can say, one moment: the command, the library and the service agree."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recollect.artifact import Artifact, load
from recollect.cli import main
from recollect.data.log import EventLog
from recollect.data.sources import read
from recollect.data.splits import loo
from recollect.evaluate.lists import ListTally
from recollect.serve.engine import Engine
from recollect.serve.explaining import explain_items
from recollect.serve.requests import ExplanationRequest, HistoryRequest, UserRequest
from recollect.serve.stores.embedded import EmbeddedStore
from recollect.study.scoring import shown

from .conftest import Command

CLOSE = 1e-4
SWITCHES = ["repeat=7", "time.gaps=true", "time.stream=true", "time.request=true", "width=16"]
AFTER = 3 * 86_400 + 5 * 3600
"""Seconds from the last event to the moment of asking."""


def train(folder: Path, events_file: Path, *more: str) -> Path:
    sets = [part for one in SWITCHES for part in ("--set", f"model.{one}")]
    sets += ["--set", "train.epochs=2", "--set", "train.learning_rate=0.02", *more]
    assert main.run(["train", "mlstm4rec", "--data", str(events_file), *sets, "--out", str(folder), "--json"]) == 0
    return folder


@pytest.fixture(scope="module")
def events_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some users of a simulated log, with repeats."""
    log = read("simulated-small")
    path = tmp_path_factory.mktemp("log") / "events.csv"
    first = int(log.offsets[60])
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user", "item", "time"])
        items = log.item_ids.decode(log.items[:first])
        columns = (log.users[:first].tolist(), items.tolist(), log.times[:first].tolist())
        rows.writerows([f"u{user}", f"i{item}", time] for user, item, time in zip(*columns, strict=True))
    return path


@pytest.fixture(scope="module")
def run(events_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("runs") / "told", events_file)


@pytest.fixture(scope="module")
def used(events_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was evaluated with request times."""
    more = ["--set", "evaluate.request_time=used", "--set", "train.epochs=1"]
    return train(tmp_path_factory.mktemp("runs") / "used", events_file, *more)


@pytest.fixture(scope="module")
def newer(events_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log with events of items that the model does not know between the last of some users."""
    rows = list(csv.DictReader(events_file.open(newline="")))
    path = tmp_path_factory.mktemp("newer") / "events.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["user", "item", "time"])
        for number, row in enumerate(rows):
            out.writerow([row["user"], row["item"], row["time"]])
            if number % 3 == 0:
                out.writerow([row["user"], f"new-{number % 5}", row["time"]])
    return path


@pytest.fixture(scope="module")
def log(newer: Path) -> EventLog:
    return read(newer)


@pytest.fixture(scope="module")
def moment(log: EventLog) -> int:
    return int(log.times.max()) + AFTER


@pytest.fixture(scope="module")
def engine(run: Path, newer: Path, moment: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    place = tmp_path_factory.mktemp("store")
    assert main.run(["replay", str(run), "--data", str(newer), "--store", str(place)]) == 0
    with EmbeddedStore(place) as store:
        yield Engine(load(run), store, clock=lambda: moment)


def users_of(log: EventLog) -> list[str]:
    return [str(one) for one in log.user_ids.ids[:12].tolist()]


def same(mine: list[tuple[Any, float]], theirs: list[tuple[Any, float]]) -> None:
    assert [str(item) for item, _ in mine] == [str(item) for item, _ in theirs]
    assert [logit for _, logit in mine] == pytest.approx([logit for _, logit in theirs], abs=CLOSE)


def past_of(log: EventLog, user: str) -> tuple[list[Any], list[int]]:
    code = log.user_ids.find(user)
    assert code is not None
    first, last = log.offsets[code : code + 2]
    return log.item_ids.decode(log.items[first:last]).tolist(), log.times[first:last].tolist()


@pytest.mark.parametrize("seen", ["hidden", "allowed"])
def test_lists_are_the_same_for_whoever_asks(
    recollect: Command, run: Path, newer: Path, log: EventLog, moment: int, engine: Engine, seen: Any, tmp_path: Path
) -> None:
    out, model = tmp_path / "all.jsonl", load(run)
    asked = ["--seen", seen, "-k", "8", "--at", str(moment), "--data", newer]
    assert recollect("recommend", run, "--all", "--out", out, *asked).code == 0
    written: dict[str, list[tuple[Any, float]]] = {}
    for line in out.read_text().splitlines():
        row = json.loads(line)
        written.setdefault(row["user"], []).append((row["item"], row["logit"]))
    table = model.recommend_all(log, k=8, seen=seen, at=moment)
    assert table.at == moment
    served = engine.recommend([UserRequest(user, k=8, seen=seen) for user in users_of(log)])
    for user, response in zip(users_of(log), served, strict=True):
        expected = [(one.item, one.logit) for one in response.items]
        assert response.at == moment and len(expected) == 8
        same(written[user], expected)
        same([(row["item"], row["logit"]) for row in table.rows() if row["user"] == user], expected)
        items, times = past_of(log, user)
        (alone,) = model.recommend([items], times=[times], k=8, seen=seen, at=[moment])
        same([(one.item, one.logit) for one in alone], expected)
        if user in users_of(log)[:2]:
            said = recollect("recommend", run, "--user", user, *asked, "--why", "--json").json
            same([(row["item"], row["logit"]) for row in said["recommendations"]], expected)
            same([(row["item"], row["logit"]) for row in said["why"]], expected)
            assert said["at"] == moment


def test_another_moment_another_list_and_the_service_takes_it_too(
    recollect: Command, run: Path, newer: Path, log: EventLog, moment: int, engine: Engine
) -> None:
    user, later = users_of(log)[3], moment + 9 * 3600
    ours: dict[int, list[tuple[Any, float]]] = {}
    for at in (moment, later):
        said = recollect("recommend", run, "--user", user, "--at", at, "--data", newer, "--json").json
        ours[at] = [(row["item"], row["logit"]) for row in said["recommendations"]]
        (response,) = engine.recommend([UserRequest(user, at=at)])
        same(ours[at], [(one.item, one.logit) for one in response.items])
    assert max(abs(a - b) for (_, a), (_, b) in zip(ours[moment], ours[later], strict=True)) > CLOSE


@pytest.mark.parametrize("seen", ["hidden", "allowed"])
def test_what_might_come_next_is_an_event_of_then(
    run: Path, log: EventLog, moment: int, engine: Engine, seen: Any
) -> None:
    model = load(run)
    for user in users_of(log)[:6]:
        items, times = past_of(log, user)
        known = [item for item in items if model.items.find(item) is not None]
        then = (str(known[0]), "new-0", str(known[-1]), str(known[0]))
        (response,) = engine.recommend([UserRequest(user, then, k=8, seen=seen)])
        (alone,) = model.recommend([[*items, *then]], times=[[*times, *[moment] * 4]], k=8, seen=seen, at=[moment])
        same([(one.item, one.logit) for one in response.items], [(one.item, one.logit) for one in alone])
        listed = tuple(str(one.item) for one in response.items)
        why = explain_items(engine.ranker, engine.store, ExplanationRequest(user, then, listed), moment)
        same([(one.item, one.logit) for one in why.items], [(one.item, one.logit) for one in alone])


def test_pairs_and_typed_histories_are_asked_alike(
    recollect: Command, run: Path, newer: Path, log: EventLog, moment: int, engine: Engine, tmp_path: Path
) -> None:
    user = users_of(log)[5]
    (response,) = engine.recommend([UserRequest(user, k=5, seen="allowed")])
    (tmp_path / "pairs.csv").write_text(
        "user,item\n" + "".join(f"{user},{one.item}\n" for one in reversed(response.items))
    )
    said = recollect("score", run, "--pairs", tmp_path / "pairs.csv", "--at", moment, "--data", newer, "--json").json
    assert said["at"] == moment and [row["rank"] for row in said["scores"]] == [5, 4, 3, 2, 1]
    same(
        [(row["item"], row["logit"]) for row in said["scores"]],
        [(one.item, one.logit) for one in reversed(response.items)],
    )
    known = [item for item in past_of(log, user)[0] if engine.ranker.knows(str(item))][:9]
    typed = recollect("recommend", run, "--history", ";".join(known), "--at", moment, "--json").json
    (answer,) = engine.recommend_after([HistoryRequest(tuple(known))])
    same(
        [(row["item"], row["logit"]) for row in typed["recommendations"]],
        [(one.item, one.logit) for one in answer.items],
    )


def test_which_moment_was_taken_is_said(
    recollect: Command, run: Path, used: Path, events_file: Path, log: EventLog, trained: Path, tmp_path: Path
) -> None:
    """A run that was evaluated with request times is asked so, at the end of the log; others are told none."""
    said = recollect("recommend", run, "--user", "u3", "--json")
    assert said.json["at"] is None and "asked for at" not in said.err, "the run was evaluated without"
    end = int(log.times.max())
    for arguments in (["--user", "u3"], ["--all", "--out", tmp_path / "all.csv"]):
        said = recollect("recommend", used, *arguments, "--json")
        assert said.json["at"] == end and "the time of the last event in events" in said.err
        assert said.err.count("note: asked for at") == 1
    named, unnamed = (recollect("recommend", used, "--user", "u3", *at, "--json") for at in (["--at", end], []))
    assert named.err == "" and named.json == unnamed.json
    model: Artifact = load(used)
    assert model.recommend_all(read(events_file)).at == end
    said = recollect("recommend", used, "--history", model.items.ids[0], "--json")
    assert said.json["at"] > end and "the present" in said.err
    # A model that does not look at it: one line, and the same list.
    plain = recollect("recommend", trained, "--user", "7", "--json")
    said = recollect("recommend", trained, "--user", "7", "--at", "2024-05-31", "--json")
    assert said.json == plain.json and said.json["at"] is None
    note = "gru4rec as it was trained does not use the time of asking, so --at changes nothing"
    assert said.err.strip() == f"note: {note}"


def test_the_lists_that_are_described_are_those_of_the_targets_times(used: Path, events_file: Path) -> None:
    model, log = load(used), read(events_file)
    tally = ListTally(np.bincount(loo(log).train.items, minlength=log.item_ids.size))
    for target in loo(log).test.positions.tolist():
        first = log.offsets[log.users[target]]
        items, times = log.item_ids.decode(log.items[first:target]).tolist(), log.times[first:target].tolist()
        (answer,) = model.recommend([items], times=[times], at=[int(log.times[target])])
        tally.add(np.array([[model.items.find(one.item) for one in answer]]))
    assert shown(model, log) == tally.result()


def test_a_log_that_has_only_an_order_is_asked_without(recollect: Command, run: Path, tmp_path: Path) -> None:
    (tmp_path / "order.csv").write_text("user,item\nann,i1\nann,i2\nann,i3\n")
    asked = ["--data", tmp_path / "order.csv", "--user", "ann", "--json"]
    said = recollect("recommend", run, *asked, "--at", "2024-05-31")
    assert said.code == 0 and "order has only an order, so --at changes nothing" in said.err
    assert said.json == recollect("recommend", run, *asked).json


@pytest.mark.parametrize(
    ("at", "why"), [("soon", "'soon' is no time; expected unix seconds"), ("1717142400000", "look like milliseconds")]
)
@pytest.mark.parametrize("command", [["recommend", "no-run", "--user", "1"], ["score", "no-run", "--pairs", "x.csv"]])
def test_what_is_no_time_is_one_line_before_anything_is_read(
    recollect: Command, command: list[str], at: str, why: str
) -> None:
    said = recollect(*command, "--at", at)
    assert said.code == 2 and said.error.startswith("error: --at: ") and why in said.error
