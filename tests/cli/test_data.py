"""`recollect data formats` lists what `--format` takes; `data inspect` obeys it, and says what it did."""

from __future__ import annotations

from pathlib import Path

from recollect.data.formats import registry

from .conftest import Command


def test_formats_are_listed(recollect: Command) -> None:
    said = recollect("data", "formats")
    assert said.code == 0 and said.err == ""
    listed = [line.split()[0] for line in said.out.splitlines()]
    assert listed == list(registry.formats())
    assert recollect("data", "formats", "--json").json == {k: v.description for k, v in registry.formats().items()}


def test_a_format_is_asked_for_by_name(recollect: Command, tmp_path: Path) -> None:
    (tmp_path / "beauty.txt").write_text("1 5 6 7\n2 5\n")
    said = recollect("data", "inspect", tmp_path / "beauty.txt", "--format", "sequences", "--json")
    assert said.code == 0 and said.json["events"] == 4
    assert "--format sequences" in recollect("data", "inspect", tmp_path / "beauty.txt").error
    wrong = recollect("data", "inspect", tmp_path / "beauty.txt", "--format", "sequence")
    assert wrong.code == 2 and "did you mean 'sequences'" in wrong.error


def test_header_and_encoding_are_options(recollect: Command, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("0,1\n0,商品\n1,看书\n".encode("gbk"))
    given = ["data", "inspect", tmp_path / "x.csv", "--user", "1", "--item", "2", "--encoding", "gbk", "--json"]
    assert recollect(*given, "--header").json["events"] == 2
    assert recollect(*given, "--no-header").json["events"] == 3


def test_a_public_log_that_is_not_there(recollect: Command, tmp_path: Path) -> None:
    said = recollect("data", "inspect", "ml-25m", "--data-dir", tmp_path)
    assert said.code == 1 and "grouplens.org" in said.error and str(tmp_path / "ml-25m") in said.error
