"""`recollect recommend` for a user, a history, and everybody: one list, three ways to it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recollect.artifact import load, save
from recollect.cli.asking import user_of
from recollect.data.log import DataError, build_log
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


def test_a_user_is_named_as_in_a_file_of_users(recollect: Command, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "who.txt").write_text("7.0\n")
    for name, whose in (
        ("plain", ("--user", "7")),
        ("typed", ("--user", "7.0")),
        ("file", ("--users", tmp_path / "who.txt")),
    ):
        assert recollect("recommend", trained, *whose, "--out", tmp_path / f"{name}.csv").code == 0
    assert (tmp_path / "plain.csv").read_text() == (tmp_path / "typed.csv").read_text()
    assert (tmp_path / "plain.csv").read_text() == (tmp_path / "file.csv").read_text()
    shown = [recollect("recommend", trained, "--user", one, "--json").json for one in ("7", "7.0")]
    assert shown[0] == shown[1]


def test_strangers_are_one_line(recollect: Command, trained: Path) -> None:
    said = recollect("recommend", trained, "--user", "nobody")
    assert said.code == 1 and "no user 'nobody'" in said.error
    said = recollect("recommend", trained, "--history", "item 99")
    assert said.code == 1 and "item 9 (id item 9)" in said.error


def test_users_that_are_meant_are_named() -> None:
    log = build_log(np.array(["Zo\u00eb Kr\u00e4mer", "ann", "Bob 7", "x"], dtype=object), np.arange(4), np.arange(4))
    for typed, meant in (("KRAMER", "Zo\u00eb Kr\u00e4mer"), ("amn", "ann"), ("7", "Bob 7")):
        with pytest.raises(DataError, match=f"has no user '{typed}'; it has 4; did you mean {meant}\\?"):
            user_of(log, typed)
    with pytest.raises(DataError, match="it has 4, such as Bob 7, Zo\u00eb"):
        user_of(log, "nobody")


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


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_the_ending_says_the_form_and_users_come_as_they_are_named(
    ending: str, recollect: Command, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "who.txt").write_text("9\nnobody\n7\n9\n")
    out = tmp_path / f"lists{ending}"
    said = recollect("recommend", trained, "--users", tmp_path / "who.txt", "--out", out, "-k", "3")
    assert said.code == 0 and f"6 recommendations for 2 users are in {out}" in said.out
    assert "1 of the 4 users in" in said.err and "(nobody), and have no list" in said.err
    assert "users named again, who have one list: 1" in said.err
    if ending == ".csv":
        rows = list(csv.DictReader(out.open(encoding="utf-8", newline="")))
    elif ending == ".jsonl":
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    else:
        rows = pl.read_parquet(out).to_dicts()
    assert [int(row["user"]) for row in rows] == [9, 9, 9, 7, 7, 7]
    one = recollect("recommend", trained, "--user", "7", "-k", "3", "--json").json["recommendations"]
    assert [row["item"] for row in rows[3:]] == [row["item"] for row in one]
    assert [float(row["logit"]) for row in rows[3:]] == pytest.approx([row["logit"] for row in one], abs=1e-6)
    alone = tmp_path / f"one{ending}"
    assert recollect("recommend", trained, "--user", "7", "-k", "3", "--out", alone).code == 0
    read = {".csv": pl.read_csv, ".jsonl": pl.read_ndjson, ".parquet": pl.read_parquet}[ending]
    assert read(alone)["item"].to_list() == [row["item"] for row in one]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--all", "--out", "lists.xlsx"], "'.xlsx' is not known; the form is chosen by it: .csv, .jsonl or .parquet"),
        (["--all", "--out", "lists"], "it has no ending"),
        (["--all"], "--all and --out belong together"),
        (["--users", "x.txt"], "--users and --out belong together"),
        (["--history", "item 1", "--out", "a.csv"], "--out is for users of the log"),
        (["--all", "--out", "a.csv", "--why"], "leave out --out"),
        (["--user", "1", "--users", "x.txt"], "exactly one of"),
    ],
)
def test_a_wish_that_cannot_be_is_one_line_before_anything_is_read(
    arguments: list[str], message: str, recollect: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = recollect("recommend", "no-run", *arguments)
    assert said.code == 2 and message in said.error and list(tmp_path.iterdir()) == []


@pytest.fixture(scope="session")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a log in a folder with titles and genres beside it."""
    folder = tmp_path_factory.mktemp("described") / "films"
    folder.mkdir()
    rows = [(f"u{user}", f"i{(user + step * (1 + user % 3)) % 12}") for user in range(20) for step in range(6)]
    users, items = zip(*rows, strict=True)
    log = pl.DataFrame({"user": users, "item": items, "time": range(1_700_000_000, 1_700_000_000 + len(rows))})
    log.write_parquet(folder / "interactions.parquet")
    genres = ["Comedy|Drama", "Drama", "Horror"]
    side = {"item": [f"i{k}" for k in range(12)], "title": [f"Film {k}" for k in range(12)]}
    side |= {"genres": [genres[k % 3] for k in range(12)], "year": [1990 + k for k in range(12)]}
    pl.DataFrame(side).write_parquet(folder / "items.parquet")
    from recollect.cli import main

    assert main.run(["train", "markov", "--data", str(folder), "--out", str(folder.parent / "run"), "--json"]) == 0
    return folder.parent / "run"


def test_only_some_items_for_one_a_history_and_all(recollect: Command, described: Path, tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("item,stock\ni0,5\ni3,2\ni4,1\nnew,9\n,1\n")
    (tmp_path / "not.txt").write_text("i3\n")
    asked = ["--seen", "allowed", "-k", "12", "--allow", tmp_path / "stock.csv", "--deny", tmp_path / "not.txt"]
    for whom in (["--user", "u3"], ["--history", "Film 2; i7"]):
        said = recollect("recommend", described, *whom, *asked, "--json")
        assert {row["item"] for row in said.json["recommendations"]} == {"i0", "i4"}
        assert "1 of the 4 items in" in said.err and "not known to the model (new)" in said.err
        assert "1 lines have no id" in said.err
    out = tmp_path / "all.csv"
    said = recollect("recommend", described, "--all", *asked, "--within", "genres=Comedy", "--out", out)
    assert said.code == 0 and set(pl.read_csv(out)["item"]) == {"i0"}
    both = ["--within", "genres=Drama", "--within", "year=1991", "--seen", "allowed", "--json"]
    (row,) = recollect("recommend", described, "--user", "u3", *both).json["recommendations"]
    assert row["item"] == "i1"


def test_who_has_an_empty_list_is_counted(recollect: Command, described: Path, tmp_path: Path) -> None:
    (tmp_path / "stock.txt").write_text("i0\n")
    out = tmp_path / "all.csv"
    said = recollect("recommend", described, "--all", "--allow", tmp_path / "stock.txt", "--out", out, "--json")
    with_list = pl.read_csv(out)["user"].n_unique()
    assert said.json["empty_lists"] == 20 - with_list > 0
    assert f"{20 - with_list} users have an empty list: no item is left for them" in said.err


@pytest.mark.parametrize(
    ("within", "message"),
    [
        ("genre=Drama", "no such column; it has title, genres, year"),
        ("genres=drama", "did you mean 'Drama'?"),
        ("genres", "expected column=value"),
        ("year=1800", "its numbers go from 1990 to 2001"),
    ],
)
def test_a_kind_that_is_not_there_is_refused(within: str, message: str, recollect: Command, described: Path) -> None:
    said = recollect("recommend", described, "--history", "i1", "--within", within)
    assert said.code == 1 and message in said.error


def test_no_item_left_is_said(recollect: Command, described: Path, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "stock.txt").write_text("i1\n")
    said = recollect(
        "recommend", described, "--history", "i1", "--allow", tmp_path / "stock.txt", "--within", "genres=Horror"
    )
    assert said.code == 1 and "no item is left to recommend" in said.error
    said = recollect("recommend", trained, "--history", "item 1", "--within", "genres=Horror")
    assert said.code == 1 and "kept without a table of items" in said.error


def test_a_model_kept_before_there_were_tables_still_answers(
    recollect: Command, described: Path, tmp_path: Path
) -> None:
    """Such a folder names three files in its card, and no table."""
    old = Path(shutil.copytree(described, tmp_path / "old"))
    first = load(described)
    save(tmp_path / "plain", first.model, first.items, first.settings, titles=first.titles, about=first.card)
    shutil.copy(tmp_path / "plain" / "card.json", old / "card.json")
    same = recollect("recommend", described, "--user", "u3", "--json").json
    assert recollect("recommend", old, "--user", "u3", "--json").json == same
    said = recollect("recommend", old, "--user", "u3", "--within", "genres=Drama")
    assert said.code == 1 and "kept without a table of items" in said.error


def test_why_says_which_events_moved_the_list(recollect: Command, described: Path) -> None:
    said = recollect("recommend", described, "--user", "u3", "-k", "2", "--why", "--json").json
    model = load(described)
    expected = model.explain(said["history"], items=[row["item"] for row in said["recommendations"]])
    assert len(said["why"]) == 2
    for one, found in zip(expected, said["why"], strict=True):
        assert found["item"] == one.item and found["title"] == one.title
        assert [row["position"] for row in found["effects"]] == [1, 2, 3, 4, 5, 6]
        assert [row["logit"] for row in found["effects"]] == pytest.approx([row.logit for row in one.effects])
    shown = recollect("recommend", described, "--user", "u3", "-k", "2", "--why").out
    strongest = expected[0].strongest()[0]
    assert f"{strongest.logit:+.3f}" in shown and f"{strongest.title} (event {strongest.position})" in shown


def test_filters_of_training_hide_no_event_from_the_answer(recollect: Command, tmp_path: Path) -> None:
    """Events after the window, items that are rare, and users with few events: all there when it is answered."""
    rows = [(user, (user + step) % 8, 1_700_000_000 + 86_400 * step) for user in range(9) for step in range(8)]
    rows += [(99, 1, 1_700_000_000), (99, 2, 1_700_000_060), (3, 77, 1_800_000_000), (3, 1, 1_800_000_060)]
    (tmp_path / "log.csv").write_text("user,item,time\n" + "\n".join(",".join(map(str, row)) for row in rows))
    filters = ["time_to=1700500000", "min_user_events=3", "min_item_events=2", "duplicates=drop-repeats"]
    sets = [part for one in filters for part in ("--set", f"data.filters.{one}")]
    assert recollect("train", "markov", "--data", tmp_path / "log.csv", *sets, "--out", tmp_path / "run").code == 0
    said = recollect("recommend", tmp_path / "run", "--user", "3", "-k", "2", "--json")
    # Ten events, of which one repeats an earlier item: `duplicates` says what an event is, and stays.
    assert said.json["events"] == 9 and said.json["history"][-1] == 77 and said.json["unknown"] == [77]
    assert "1 events are left out of the histories, as in training (data.filters.duplicates=drop-repeats)" in said.err
    newcomer = recollect("recommend", tmp_path / "run", "--user", "99", "-k", "2", "--json")
    assert newcomer.json["history"] == [1, 2]
    out = tmp_path / "all.csv"
    said = recollect("recommend", tmp_path / "run", "--all", "--out", out, "-k", "1", "--json")
    assert said.json["users"] == 10 and said.json["unknown_events"] == 1
    assert recollect("replay", tmp_path / "run", "--store", tmp_path / "store").out.startswith("75 new events of 75")
    told = recollect("evaluate", tmp_path / "run", "--on", "validation", "--json").json
    assert told["users"] == 9, "what is measured is what was trained on"
