"""What is said of a log that is read again: what was left out of it, and what lies no more where it lay."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import TINY, Command, write_log

Asked = list[object]


@pytest.fixture
def shop(recollect: Command, tmp_path: Path) -> Path:
    """A folder with orders, products, customers and a run that learnt from the bought ones: `run`."""
    write_log(tmp_path / "plain.csv")
    head, *rows = (tmp_path / "plain.csv").read_text().splitlines()
    (tmp_path / "orders.csv").write_text("\n".join([f"{head},event", *(f"{row},buy" for row in rows)]) + "\n")
    (tmp_path / "products.csv").write_text(
        "item,name,kind\n" + "".join(f"item {n},Thing {n},{'even' if n % 2 == 0 else 'odd'}\n" for n in range(1, 40))
    )
    (tmp_path / "customers.csv").write_text("user,age\n" + "".join(f"{n},{20 + n}\n" for n in range(30)))
    sides = ["--items", tmp_path / "products.csv", "--users", tmp_path / "customers.csv", "--item-title", "name"]
    reading = ["--where", "event == 'buy'", "--candidates", "table", *sides]
    run = tmp_path / "run"
    said = recollect("train", "gru4rec", "--data", tmp_path / "orders.csv", *reading, *TINY, "--out", run)
    assert said.code == 0, said.err
    return tmp_path


def asked(shop: Path) -> dict[str, Asked]:
    """Every command that reads the log for a kept model, and prints JSON."""
    (shop / "pairs.csv").write_text("user,item\n3,item 2\n")
    run = shop / "run"
    return {
        "recommend": ["recommend", run, "--user", "3", "--json"],
        "all": ["recommend", run, "--all", "--out", shop / "lists.csv", "--json"],
        "score": ["score", run, "--pairs", shop / "pairs.csv", "--json"],
        "vectors": ["vectors", run, "--users", "--out", shop / "users.npy", "--json"],
        "evaluate": ["evaluate", run, "--on", "validation", "--json"],
    }


def week(shop: Path, event: str, only: bool = False) -> Path:
    """The orders and a week more (or the week alone), whose events are of this kind."""
    rows = (shop / "orders.csv").read_text()
    new = "".join(f"{user},item {day},171000{day}0{user:02},{event}\n" for user in range(12) for day in (3, 4))
    (shop / "newer.csv").write_text(("user,item,time,event\n" if only else rows) + new)
    return shop / "newer.csv"


def without_name(answer: dict[str, Any]) -> dict[str, Any]:
    """What was printed, but for the lines that name the file."""
    return {key: value for key, value in answer.items() if not key.startswith("protocol")}


@pytest.mark.parametrize("command", ["recommend", "all", "score", "vectors", "evaluate"])
def test_a_week_that_fails_the_filter_of_the_run_is_said(recollect: Command, shop: Path, command: str) -> None:
    newer, call = week(shop, "bought"), asked(shop)[command]
    plain, said = recollect(*call), recollect(*call, "--data", newer)
    assert said.code == 0 and without_name(said.json) == without_name(plain.json), "only the orders were read"
    assert plain.err == ""
    lines = said.err.splitlines()
    assert all(line.startswith("note: ") for line in lines), said.err
    assert any(line.startswith("note: dropped: 24 x ") for line in lines), said.err
    assert any("products.csv: describes" in line for line in lines), said.err


def test_evaluate_says_it_of_what_came_since_and_of_several_runs(recollect: Command, shop: Path) -> None:
    newer = week(shop, "buy")
    newer.write_text(newer.read_text() + "1,item 4,1710009200,bought\n")
    said = recollect("evaluate", shop / "run", "--data", newer, "--since", "1710000000", "--json")
    assert said.json["new_items_are_misses"]["targets"] == 24
    assert "note: dropped: 1 x " in said.err
    shutil.copytree(shop / "run", shop / "second")
    newer = week(shop, "bought")
    said = recollect("evaluate", shop / "run", shop / "second", "--data", newer, "--on", "validation", "--json")
    assert said.code == 0 and said.json and said.err.count("note: dropped: 24 x ") == 1


def test_a_week_alone_is_said_to_be_less_than_was_learnt(recollect: Command, shop: Path) -> None:
    alone, whole = week(shop, "buy", only=True).rename(shop / "week.csv"), week(shop, "buy")
    remark = "events, and week has 24: the older events must be in the log too"
    assert remark in recollect("recommend", shop / "run", "--user", "3", "--data", alone).err
    assert "must be in the log too" not in recollect("recommend", shop / "run", "--user", "3", "--data", whole).err
    said = recollect("refit", shop / "run", "--data", alone, "--out", shop / "of-week")
    assert said.code == 0 and said.err.count(remark) == 1
    said = recollect("refit", shop / "run", "--data", whole, "--out", shop / "of-all")
    assert said.code == 0 and "must be in the log too" not in said.err


@pytest.mark.parametrize("command", ["recommend", "all", "score", "vectors", "evaluate"])
def test_side_tables_that_are_gone_stop_nobody_who_asks(recollect: Command, shop: Path, command: str) -> None:
    call = asked(shop)[command]
    plain = recollect(*call)
    for name in ("products.csv", "customers.csv"):
        (shop / name).unlink()
    said = recollect(*call)
    assert said.code == 0 and said.json == plain.json
    assert said.err.splitlines() == [
        f"note: {shop / 'products.csv'} is gone: titles and columns are those kept with the run",
        f"note: {shop / 'customers.csv'} is gone: users are not described",
    ]
    if command == "recommend":
        assert all(row["title"].startswith("Thing ") for row in said.json["recommendations"])
        within = recollect(*call, "--within", "kind=odd").json["recommendations"]
        assert within and all(int(row["title"].split()[1]) % 2 for row in within)


def test_a_replay_needs_no_side_table(recollect: Command, shop: Path) -> None:
    (shop / "products.csv").unlink()
    said = recollect("replay", shop / "run", "--store", shop / "store")
    assert said.code == 0 and "users have a memory" in said.out
    assert f"note: {shop / 'products.csv'} is gone: titles" in said.err


def test_a_refit_is_told_where_a_side_table_lies_now(recollect: Command, shop: Path) -> None:
    (shop / "products.csv").rename(shop / "goods.csv")
    (shop / "customers.csv").rename(shop / "people.csv")
    refit: Asked = ["refit", shop / "run", "--out", shop / "again"]
    said = recollect(*refit)
    assert said.code == 1 and f"{shop / 'products.csv'}: no such file; restore it, or name" in said.error
    assert "--items FILE" in said.error and not (shop / "again").exists()
    refit += ["--items", shop / "goods.csv"]
    assert "--users FILE" in recollect(*refit).error
    assert recollect(*refit, "--users", shop / "people.csv").code == 0
    said = recollect("recommend", shop / "again", "--user", "3", "--json")
    assert said.err == "" and said.json["recommendations"][0]["title"].startswith("Thing ")


@pytest.mark.parametrize("command", ["recommend", "all", "score", "vectors", "evaluate", "since", "refit", "replay"])
def test_a_log_that_moved_is_asked_for(recollect: Command, shop: Path, command: str) -> None:
    others: dict[str, Asked] = {
        "since": ["evaluate", shop / "run", "--since", "1700500000"],
        "refit": ["refit", shop / "run", "--out", shop / "again"],
        "replay": ["replay", shop / "run", "--store", shop / "store"],
    }
    call = {**asked(shop), **others}[command]
    (shop / "orders.csv").rename(shop / "moved.csv")
    said = recollect(*call)
    wanted = "the log of the run is not there any more; give the place where it lies now with --data"
    assert said.code == 1 and said.error == f"error: {shop / 'orders.csv'}: {wanted}"
    said = recollect(*call, "--data", shop / "gone.csv")
    assert said.code == 1 and "gone.csv: no such file" in said.err, "a place that was given is another mistake"
    if command != "since":  # what it has learnt from is no test
        assert recollect(*call, "--data", shop / "moved.csv").code == 0
