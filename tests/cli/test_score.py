"""`recollect score`: figures of pairs, in the order of the file."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from .conftest import Command

PAIRS = "user,item,note\n7,item 3,a\n7,item 4,b\n99,item 3,c\n8,no item,d\n8,item 3,e\n"


def test_pairs_are_scored_as_the_list_scores_them(recollect: Command, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(PAIRS)
    said = recollect("score", trained, "--pairs", tmp_path / "pairs.csv", "--json")
    rows = said.json["scores"]
    assert [(row["user"], row["item"]) for row in rows] == [
        (7, "item 3"), (7, "item 4"), (99, "item 3"), (8, "no item"), (8, "item 3"),
    ]  # fmt: skip
    assert said.json["pairs"] == 5 and said.json["scored"] == 3
    assert "users not in events: 1 (99)" in said.err and "items not known to the model: 1 (no item)" in said.err
    assert "2 of the 5 pairs have no figures" in said.err
    whole = recollect("recommend", trained, "--user", "7", "-k", "99", "--seen", "allowed", "--json").json
    listed = {row["item"]: row for row in whole["recommendations"]}
    for row in rows[:2]:
        assert row["rank"] == listed[row["item"]]["rank"]
        assert row["logit"] == pytest.approx(listed[row["item"]]["logit"], abs=1e-5)
        assert row["probability"] == pytest.approx(listed[row["item"]]["probability"], rel=1e-4)
    assert rows[2]["logit"] is None and rows[3]["rank"] is None
    shown = recollect("score", trained, "--pairs", tmp_path / "pairs.csv").out
    assert f"{rows[0]['logit']:.3f}" in shown
    out = tmp_path / "scores.csv"
    said = recollect("score", trained, "--pairs", tmp_path / "pairs.csv", "--out", out)
    assert f"3 scores of 5 pairs are in {out}" in said.out
    table = pl.read_csv(out)
    assert table["rank"].to_list() == [row["rank"] for row in rows]


def test_what_is_no_pair_is_one_line(recollect: Command, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("a,b\n1,2\n")
    assert "no column looks like the user" in recollect("score", trained, "--pairs", tmp_path / "pairs.csv").error
    assert "cannot be read" in recollect("score", trained, "--pairs", tmp_path / "none.csv").error
    (tmp_path / "pairs.csv").write_text("user,item\nx,y\n")
    assert "none of the 1 pairs is known" in recollect("score", trained, "--pairs", tmp_path / "pairs.csv").error
    said = recollect("score", trained, "--pairs", tmp_path / "pairs.csv", "--out", "scores.doc")
    assert said.code == 2 and "the form is chosen by it" in said.error


@pytest.mark.parametrize("given", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("out", [".csv", ".jsonl", ".parquet"])
def test_further_columns_of_the_file_stand_behind_the_scores(
    recollect: Command, trained: Path, tmp_path: Path, given: str, out: str
) -> None:
    table = pl.DataFrame(
        {"note": ["a,b", None, "c"], "user": [7, 99, 8], "item": ["item 3"] * 3, "rank": [3, 2, 1], "n": [1.5, None, 2]}
    )
    if given == ".parquet":
        table = table.with_columns(tags=pl.Series([["x", "y"], [], None]), day=pl.date(2024, 5, pl.int_range(1, 4)))
    write = {".csv": "write_csv", ".jsonl": "write_ndjson", ".parquet": "write_parquet"}
    getattr(table, write[given])(tmp_path / f"pairs{given}")
    said = recollect("score", trained, "--pairs", tmp_path / f"pairs{given}", "--out", tmp_path / f"scores{out}")
    assert said.code == 0 and f"rank of {tmp_path / f'pairs{given}'}: left out" in said.err
    read = {".csv": pl.read_csv, ".jsonl": pl.read_ndjson, ".parquet": pl.read_parquet}
    found = read[out](tmp_path / f"scores{out}")
    kept = table.drop("user", "item", "rank")
    assert found.columns == ["user", "item", "title", "logit", "probability", "rank", *kept.columns]
    assert found["rank"].null_count() == 1  # that of a stranger, so it is not the one that was given
    assert found["note"].to_list() == table["note"].to_list()
    assert found["n"].cast(pl.Float64).to_list() == [1.5, None, 2]
    if given == ".parquet":
        assert found["tags"].to_list() == (['["x", "y"]', "[]", None] if out == ".csv" else [["x", "y"], [], None])
        assert found["day"].cast(pl.String).to_list() == ["2024-05-01", "2024-05-02", "2024-05-03"]
    rows = recollect("score", trained, "--pairs", tmp_path / f"pairs{given}", "--json").json["scores"]
    assert [row["note"] for row in rows] == ["a,b", None, "c"]
    assert "a,b" in recollect("score", trained, "--pairs", tmp_path / f"pairs{given}").out
