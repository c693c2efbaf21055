"""`recollect similar`: the command says what the library says."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from recollect.artifact import load

from .conftest import Command


def test_items_like_one(recollect: Command, trained: Path, tmp_path: Path) -> None:
    expected = load(trained).similar("item 3", 4)
    said = recollect("similar", trained, "--item", "ITEM 3", "-k", "4", "--json").json
    assert said["item"] == "item 3" and said["measure"] == "cosine of the item vectors"
    assert [(row["item"], row["rank"]) for row in said["similar"]] == [(one.item, one.rank) for one in expected]
    assert [row["similarity"] for row in said["similar"]] == pytest.approx([one.similarity for one in expected])
    shown = recollect("similar", trained, "--item", "item 3", "-k", "4").out
    assert "cosine of the item vectors" in shown and f"{expected[3].similarity:.4f}" in shown
    assert recollect("similar", trained, "--item", "item 3", "-k", "4", "--out", tmp_path / "s.csv").code == 0
    table = pl.read_csv(tmp_path / "s.csv")
    assert table.columns == ["item", "rank", "similar", "title", "similarity"]
    assert table["similar"].to_list() == [one.item for one in expected]
    (tmp_path / "stock.txt").write_text("item 5\nitem 6\nitem 3\n")
    said = recollect("similar", trained, "--item", "item 3", "--allow", tmp_path / "stock.txt", "--json").json
    assert {row["item"] for row in said["similar"]} == {"item 5", "item 6"}


def test_what_cannot_be_compared_is_one_line(recollect: Command, trained: Path, log_file: Path, tmp_path: Path) -> None:
    assert "no item has the id or title 'item 99'" in recollect("similar", trained, "--item", "item 99").error
    said = recollect("similar", trained, "--item", "item 1", "--out", tmp_path / "s.txt")
    assert said.code == 2 and "the form is chosen by it" in said.error
    assert recollect("train", "popularity", "--data", log_file, "--out", tmp_path / "run").code == 0
    said = recollect("similar", tmp_path / "run", "--item", "item 1")
    assert said.code == 2 and "popularity does not compare items; take a network" in said.error


def test_no_item_is_one_line(recollect: Command, trained: Path) -> None:
    said = recollect("similar", trained, "--item", "")
    assert said.code == 1 and "no item is named: the text is empty" in said.error
