"""`recollect vectors`: files of vectors whose products are the logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from .conftest import Command


def test_users_times_items_are_the_logits_of_the_list(recollect: Command, trained: Path, tmp_path: Path) -> None:
    said = recollect("vectors", trained, "--out", tmp_path / "items.npy")
    assert said.code == 0 and "items.ids.txt" in said.out
    said = recollect("vectors", trained, "--users", "--out", tmp_path / "users.parquet", "--json")
    assert said.json["vectors"] == 30 and said.json["of"] == "users"
    items, ids = np.load(tmp_path / "items.npy"), (tmp_path / "items.ids.txt").read_text().splitlines()
    users = pl.read_parquet(tmp_path / "users.parquet")
    mine = np.array(users.filter(pl.col("user") == 7)["vector"].to_list()[0])
    logits = dict(zip(ids, (items @ mine).tolist(), strict=True))
    listed = recollect("recommend", trained, "--user", "7", "-k", "99", "--seen", "allowed", "--json").json
    assert {row["item"]: row["logit"] for row in listed["recommendations"]} == pytest.approx(logits, abs=1e-4)


def test_what_has_no_vectors_is_one_line(recollect: Command, trained: Path, log_file: Path, tmp_path: Path) -> None:
    said = recollect("vectors", trained, "--out", tmp_path / "v.pt")
    assert said.code == 2 and ".npy, .npz, .csv, .jsonl or .parquet" in said.error
    assert recollect("train", "markov", "--data", log_file, "--out", tmp_path / "run").code == 0
    for more in ([], ["--users"]):
        said = recollect("vectors", tmp_path / "run", *more, "--out", tmp_path / "v.npy")
        assert said.code == 2 and "take a network or a factorisation" in said.error
    assert not (tmp_path / "v.npy").exists()
