"""`recollect evaluate` prints what the ledger holds, with its errors and protocol, and notes every scoring of test."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from recollect.artifact import load
from recollect.data.splits import loo
from recollect.evaluate.ledger import Ledger
from recollect.evaluate.metrics import measure
from recollect.evaluate.ranking import rank
from recollect.recommend import recommend
from recollect.study.scoring import SCORINGS, data_of

from .conftest import Command, contents, write_log


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_the_printed_figures_are_those_of_the_ledger(recollect: Command, run: Path, tmp_path: Path) -> None:
    said = recollect("evaluate", run, "--ledger", tmp_path / "ranks.parquet", "--json")
    assert said.code == 0
    metrics = measure(Ledger.load(tmp_path / "ranks.parquet"))
    assert said.json["values"] == metrics.values and said.json["errors"] == metrics.errors
    assert said.json["protocol"]["digest"] and said.json["users"] == 30
    said = recollect("evaluate", run)
    for name in ("hr@5", "ndcg@10", "mrr@20"):
        assert metrics.text(name) in said.out
    assert "split loo, test" in said.out and "scoring 2 of test" in said.out


def test_what_the_lists_show_is_counted_from_the_lists_themselves(recollect: Command, run: Path) -> None:
    said = recollect("evaluate", run, "--on", "validation", "--lists", "--json")
    assert said.code == 0, said.err
    model = load(run)
    log = data_of(model)
    asked = loo(log).validation
    pasts = [log.items[log.offsets[u] : p] for u, p in zip(asked.users, asked.positions, strict=True)]
    histories = [log.item_ids.decode(past).tolist() for past in pasts]
    lists = [[one.item for one in answer] for answer in recommend(model.model, model.items, histories, k=10)]
    listed = {item for one in lists for item in one}
    assert said.json["lists"]["lists"] == len(lists) == 30
    assert said.json["lists"]["coverage"] == pytest.approx(len(listed) / len(log.item_ids))
    assert 0 <= said.json["lists"]["popularity_share"] <= 1 and said.json["lists"]["novelty"] > 0
    told = recollect("evaluate", run, "--on", "validation", "--lists").out
    assert f"{len(listed) / len(log.item_ids):.1%} of the catalogue" in " ".join(told.split())


def test_how_much_the_model_may_know_is_said_and_printed(recollect: Command, run: Path, tmp_path: Path) -> None:
    def asked(*history: str) -> dict[str, Any]:
        said = recollect("evaluate", run, "--on", "validation", "--lists", *history, "--json")
        assert said.code == 0, said.err
        return dict(said.json)

    whole, far, near = asked(), asked("--history", "last-99"), asked("--history", "last-1")
    assert "| history whole |" in whole["protocol_line"] and "| history last 1 |" in near["protocol_line"]
    assert whole["values"] == far["values"] != near["values"] and whole["lists"] == far["lists"] != near["lists"]
    assert whole == asked("--history", "whole") and whole["misses"] == near["misses"]
    model, log = load(run), data_of(load(run))
    ledger = rank(model, log, loo(log).validation, seen="hidden", last=1)
    assert measure(ledger).values == near["values"]
    again = Path(shutil.copytree(run, tmp_path / "again"))
    both = recollect("evaluate", run, again, "--on", "validation", "--history", "last-1", "--json")
    assert [row["values"] for row in both.json["rows"]] == [near["values"]] * 2
    assert "| history last 1 |" in both.json["protocol"]
    for wrong in ("5", "last-0", "last 5"):
        said = recollect("evaluate", run, "--history", wrong)
        assert said.code == 2 and f"--history: '{wrong}' is neither whole nor" in said.error


def test_only_test_is_noted(recollect: Command, run: Path) -> None:
    before = contents(run)
    said = recollect("evaluate", run, "--on", "validation", "--seen", "allowed")
    assert said.code == 0 and "loo, validation" in said.out and "seen allowed" in said.out
    assert contents(run) == before
    recollect("evaluate", run)
    assert set(contents(run)) - set(before) == {SCORINGS}


def test_a_split_that_was_learnt_is_refused(recollect: Command, run: Path) -> None:
    said = recollect("evaluate", run, "--protocol", "temporal", "--on", "validation")
    assert said.code == 2 and "split.protocol=temporal" in said.error
    assert recollect("evaluate", run, "--protocol", "temporal").code == 0


def test_a_log_that_changed_is_told(recollect: Command, run: Path, tmp_path: Path) -> None:
    write_log(tmp_path / "other.csv", users=3)
    said = recollect("evaluate", run, "--data", tmp_path / "other.csv")
    assert said.code == 1 and "other holds" in said.err and not (run / SCORINGS).exists()
    said = recollect("evaluate", run, "--data", tmp_path / "gone.csv")
    assert said.code == 1 and "gone.csv" in said.error


def test_several_runs_are_put_side_by_side(recollect: Command, run: Path, log_file: Path, tmp_path: Path) -> None:
    assert recollect("train", "markov", "--data", log_file, "--out", tmp_path / "markov").code == 0
    kept = tmp_path / "ranks.parquet"
    said = recollect("evaluate", run, tmp_path / "markov", "--seen", "allowed", "--ledger", kept, "--json")
    assert said.code == 0, said.err
    ledger = Ledger.load(kept)
    assert {row["model"]: row["values"] for row in said.json["rows"]} == {
        name: measure(ledger.of(name)).values for name in ("gru4rec", "markov")
    }
    assert (run / SCORINGS).is_file() and (tmp_path / "markov" / SCORINGS).is_file()
    printed = recollect("evaluate", run, tmp_path / "markov", "--on", "validation").out
    assert "minus that of" in printed and "split loo, validation" in printed
    assert recollect("evaluate", run, tmp_path / "markov", "--lists").code == 2


def test_an_older_model_is_asked_for_what_came_since(recollect: Command, run: Path, tmp_path: Path) -> None:
    log = data_of(load(run))
    end = int(log.times.max())
    newer, user = tmp_path / "newer.csv", log.user_ids.ids[0]
    rows = [
        f"{user},{log.item_ids.ids[2]},{end + 10}",
        f"{user},new,{end + 20}",
        f"999,{log.item_ids.ids[0]},{end + 30}",
    ]
    source = Path(load(run).settings["data"]["source"])
    newer.write_text(source.read_text() + "\n".join(rows) + "\n")
    since = ["evaluate", run, "--data", newer, "--since", end + 1]
    said = recollect(*since, "--seen", "allowed", "--ledger", tmp_path / "ranks.parquet", "--json")
    assert said.code == 0, said.err
    every, known = said.json["new_items_are_misses"], said.json["new_items_left_out"]
    assert (every["targets"], known["targets"], said.json["targets_of_new_items"]) == (3, 2, 1)
    assert every["values"] == measure(Ledger.load(tmp_path / "ranks.parquet")).values
    assert every["values"]["hr@20"] == pytest.approx(known["values"]["hr@20"] * 2 / 3)
    assert "events since" in every["protocol_line"] and "new items left out" in known["protocol_line"]
    said = recollect(*since)
    assert "1 of 3 targets (33.3%) are of items that the model does not know (1 different" in said.out
    assert "1 of the 2 users begin without any event" in said.out
    assert "scoring 2 of events since a moment for this run" in said.out
    assert len((run / SCORINGS).read_text().splitlines()) == 2
    assert [recollect("evaluate", run, "--json").json["test_scorings"] for _ in range(2)] == [1, 2]
    assert recollect(*since, "--json").json["since_scorings"] == 3
    said = recollect(*since, "--on", "validation")
    assert said.code == 2 and "leave out --on" in said.error
    said = recollect("evaluate", run, "--target", "first")
    assert said.code == 2 and "give --since" in said.error
    said = recollect("evaluate", run, "--since", "2023-01-01")
    assert said.code == 2 and "has learnt from events up to" in said.error


def test_the_rests_of_baskets_are_said_wherever_figures_are(recollect: Command, tmp_path: Path) -> None:
    rows = [f"{user},{(user + 7 * n) % 20},{1_700_000_000 + n // 3 * 900}" for user in range(20) for n in range(12)]
    (tmp_path / "shop.csv").write_text("\n".join(["user,item,time", *rows]) + "\n")
    for model in ("popularity", "markov"):
        assert recollect("train", model, "--data", tmp_path / "shop.csv", "--out", tmp_path / model).code == 0
    for runs in (["popularity"], ["popularity", "markov"]):
        said = recollect("evaluate", *(tmp_path / name for name in runs), "--on", "validation")
        assert said.code == 0 and said.err.count("100.0% of the validation targets have exactly the time of") == 1


def test_what_came_since_in_the_log_of_the_run_counts_as_test(recollect: Command, run: Path) -> None:
    until = load(run).card["learnt"]["until"]
    assert recollect("evaluate", run, "--since", until + 1, "--json").json["test_scorings"] == 1
    rows = (run / SCORINGS).read_text().replace('"of": "test", ', "")  # as a version before wrote them
    newer = rows.replace("split ", "split events since 2024-06-03 00:00:00 UTC, ")
    (run / SCORINGS).write_text(rows.replace("events since", "loo,") + newer)
    assert recollect("evaluate", run, "--json").json["test_scorings"] == 2
