"""`recollect recommend` for a user, a history, and everybody: one list, three ways to it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recollect.artifact import load, save
from recollect.data.sources import read
from recollect.recommend import recommend as lists

from .conftest import Command, contents


def test_a_user_gets_what_the_library_gives(recollect: Command, trained: Path, log_file: Path) -> None:
    said = recollect("recommend", trained, "--user", "7", "-k", "5", "--json")
    assert said.code == 0
    model, log = load(trained), read(log_file)
    code = log.user_ids.find(7)
    assert code is not None
    past = log.item_ids.decode(log.items[log.offsets[code] : log.offsets[code + 1]]).tolist()
    (answer,) = lists(model.model, model.items, [past], k=5)
    rows = said.json["recommendations"]
    assert [row["item"] for row in rows] == [one.item for one in answer]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert not {row["item"] for row in rows} & set(past)
    assert said.json["history"] == past[-10:]
    shown = recollect("recommend", trained, "--user", "7", "-k", "5").out
    assert f"{answer[0].logit:.3f}" in shown and f"{answer[0].probability:.2%}" in shown and past[-1] in shown


def test_a_history_may_be_typed(recollect: Command, trained: Path) -> None:
    said = recollect("recommend", trained, "--history", "item 1; ITEM 2 ;item 3", "--seen", "allowed", "--json")
    assert said.json["history"] == ["item 1", "item 2", "item 3"] and len(said.json["recommendations"]) == 10
    hidden = recollect("recommend", trained, "--history", "item 1", "-k", "100", "--json").json["recommendations"]
    allowed = recollect("recommend", trained, "--history", "item 1", "-k", "100", "--seen", "allowed", "--json").json
    assert len(allowed["recommendations"]) == len(hidden) + 1
    assert abs(sum(row["probability"] for row in allowed["recommendations"]) - 1) < 1e-4


def test_strangers_are_one_line(recollect: Command, trained: Path) -> None:
    said = recollect("recommend", trained, "--user", "nobody")
    assert said.code == 1 and "no user 'nobody'" in said.error
    said = recollect("recommend", trained, "--history", "item 99")
    assert said.code == 1 and "item 9 (id item 9)" in said.error


def test_everybody_is_written_as_parquet(recollect: Command, trained: Path, tmp_path: Path) -> None:
    said = recollect("recommend", trained, "--all", "--out", tmp_path / "recs.parquet", "-k", "3")
    assert said.code == 0 and "90 recommendations for 30 users" in said.out
    table = pl.read_parquet(tmp_path / "recs.parquet")
    assert table.columns == ["user", "rank", "item", "title", "logit", "probability"] and len(table) == 90
    one = recollect("recommend", trained, "--user", "7", "-k", "3", "--json").json["recommendations"]
    assert table.filter(pl.col("user") == 7)["item"].to_list() == [row["item"] for row in one]


def test_a_place_that_cannot_be_written(recollect: Command, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    said = recollect("recommend", trained, "--all", "--out", tmp_path / "file" / "recs.parquet")
    assert said.code == 1 and "cannot be written" in said.error
    assert contents(tmp_path) == {"file": b"x"}


def test_a_newer_log_may_hold_what_the_model_does_not_know(recollect: Command, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "newer.csv").write_text("user,item,time\nx,item 1,1\nx,item new,2\ny,item new,3\n")
    said = recollect("recommend", trained, "--data", tmp_path / "newer.csv", "--user", "x")
    assert said.code == 0 and "item new" in said.err
    out = tmp_path / "recs.parquet"
    said = recollect("recommend", trained, "--data", tmp_path / "newer.csv", "--all", "--out", out, "--json")
    assert said.json["unknown_events"] == 2 and said.json["users"] == 2


def test_a_model_kept_without_its_log(recollect: Command, trained: Path, log_file: Path, tmp_path: Path) -> None:
    first, kept = load(trained), tmp_path / "kept"
    save(kept, first.model, first.items, {"model": first.settings["model"]}, titles=first.titles)
    rows = recollect("recommend", kept, "--history", "item 1;item 2", "--json").json["recommendations"]
    assert rows == recollect("recommend", trained, "--history", "item 1;item 2", "--json").json["recommendations"]
    said = recollect("recommend", kept, "--user", "7")
    assert said.code == 2 and "kept without a log; give one with --data" in said.error
    said = recollect("recommend", kept, "--user", "7", "--data", log_file, "--json")
    assert (
        said.json["recommendations"] == recollect("recommend", trained, "--user", "7", "--json").json["recommendations"]
    )
    said = recollect("evaluate", kept, "--data", log_file)
    assert said.code == 2 and "nothing says which events it has not learnt from" in said.error
