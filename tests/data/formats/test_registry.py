"""Formats are found: every module with FORMATS, and those of other packages; which one reads a place is no toss."""

from __future__ import annotations

import gzip
import importlib.metadata
from pathlib import Path

import polars as pl
import pytest

from recollect.config import ConfigError
from recollect.data import sources
from recollect.data.formats import registry
from recollect.data.formats.contract import Format, Place
from recollect.data.log import DataError
from recollect.data.raw_table import Piece, RawTable
from recollect.data.reading import Reading
from recollect.data.roles import ITEM_NAMES, resolve

CSV = "user,item,time\n1,a,10\n1,b,20\n2,a,30\n"


class Letters:
    """A format of another package: each line two letters, a user and an item."""

    name = "letters"
    description = "two letters a line"

    def recognises(self, place: Place) -> bool:
        return bool(place.named("*.letters"))

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        path = place.named("*.letters")[0]
        rows = path.read_text().split()
        frame = pl.DataFrame({"user": [row[0] for row in rows], "item": [row[1] for row in rows]})
        piece = Piece(frame, lambda row: f"{path} line {row + 1}")
        return RawTable(name, [piece], resolve(frame.columns, reading, str(path)), place=str(path))


@pytest.fixture
def with_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [importlib.metadata.EntryPoint("letters", "somebody:Letters", registry.ENTRY_POINT_GROUP)]
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda self: Letters)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    registry.formats.cache_clear()
    yield
    registry.formats.cache_clear()


def test_every_module_with_formats_is_found() -> None:
    known = registry.formats()
    assert {"delimited", "json", "parquet", "movielens", "recbole", "mind", "sequences", "lists", "amazon"} <= set(
        known
    )
    folder = Path(registry.__file__).parent
    declaring = {path.stem for path in folder.glob("*.py") if "\nFORMATS = (" in path.read_text()}
    assert {type(one).__module__.rpartition(".")[2] for one in known.values()} == declaring
    for name, one in known.items():
        assert one.name == name and one.description and "\n" not in one.description


def test_a_format_of_another_package(with_letters: None, tmp_path: Path) -> None:
    (tmp_path / "x.letters").write_text("ab\nac\nbb\n")
    made: Format = Letters()
    assert made.name in registry.formats()
    log = sources.read(tmp_path / "x.letters")
    assert log.item_ids.decode(log.items).tolist() == ["b", "c", "b"]
    assert sources.read(tmp_path, format="letters").digest == log.digest


def test_an_unknown_format() -> None:
    with pytest.raises(ConfigError, match="no format is called 'delimted'; did you mean 'delimited'"):
        registry.get("delimted")


def test_a_folder_of_two_formats_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("1\t2\t3\t100\n1\t3\t3\t200\n")
    (tmp_path / "x.inter").write_text("user_id:token\titem_id:token\n5\t6\n")
    with pytest.raises(DataError, match="could be read as movielens or as recbole; say which with --format"):
        sources.read(tmp_path)
    assert len(sources.read(tmp_path, format="movielens")) == 2
    assert len(sources.read(tmp_path, format="recbole")) == 1


def test_files_are_what_they_hold_not_what_they_are_called(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": [1, 1, 2], "item": ["a", "b", "a"], "time": [10, 20, 30]})
    frame.write_parquet(tmp_path / "log")
    frame.write_ndjson(tmp_path / "log.txt")
    frame.write_csv(tmp_path / "log.csv")
    assert len({sources.read(tmp_path / name).digest for name in ("log", "log.txt", "log.csv")}) == 1


def test_one_log_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(CSV)
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    for source in (tmp_path, str(tmp_path / "log*")):
        with pytest.raises(DataError, match=r"log\.csv and log\.csv\.gz in .* one log, packed and not"):
            sources.read(source)
    (tmp_path / "log.csv.gz").unlink()
    (tmp_path / "log (copy).csv").write_text(CSV)
    with pytest.raises(DataError, match="the same, byte for byte"):
        sources.read(tmp_path)
    (tmp_path / "log (copy).csv").write_text(CSV.replace("30", "31"))
    assert len(sources.read(tmp_path)) == 6


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "jsonl", "item", "csv.gz"])
def test_any_table_is_a_side_table(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"products.{kind}"
    frame = pl.DataFrame({"sku": ["a", "b"], "title": ["Ä one", "two"]})
    if kind == "parquet":
        frame.write_parquet(path)
    elif kind == "jsonl":
        frame.write_ndjson(path)
    elif kind == "item":
        path.write_text("sku:token\ttitle:token_seq\na\tÄ one\nb\ttwo\n")
    else:
        text = frame.write_csv(separator="\t" if kind == "tsv" else ",").encode()
        path.write_bytes(gzip.compress(text) if kind.endswith("gz") else text)
    side = registry.side(path, Reading(), ITEM_NAMES)
    assert side.key == "sku" and side.frame.rows() == frame.rows() and side.notes == ()


def test_side_tables_obey_what_is_said_of_bad_rows_and_encodings(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_bytes("sku,title\na,one\nb,商品看书今天\nc,three\n".encode("gbk"))
    with pytest.raises(DataError, match=r"products\.csv line 3: not UTF-8"):
        registry.side(path, Reading(), ITEM_NAMES)
    side = registry.side(path, Reading(on_bad="skip"), ITEM_NAMES)
    assert side.frame["sku"].to_list() == ["a", "c"] and "1 rows left out: not UTF-8" in side.notes[0]
    assert registry.side(path, Reading(encoding="gbk"), ITEM_NAMES).frame["title"][1] == "商品看书今天"
