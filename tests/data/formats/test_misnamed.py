"""A file that is called otherwise than what it holds is told so, and what it is told to type reads it."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import polars as pl
import pytest

from recollect.data import sources
from recollect.data.log import DataError

FRAME = pl.DataFrame(
    {"user": ["u1", "u1", "u2"], "item": ["a", "b", "a"], "time": [1_700_000_000 + k for k in range(3)]}
)
CONTENTS = {
    "text like CSV": FRAME.write_csv().encode(),
    "text like CSV in tabs": FRAME.write_csv(separator="\t").encode(),
    "text like CSV, packed": gzip.compress(FRAME.write_csv().encode()),
    "text like CSV with a mark": b"\xef\xbb\xbf" + FRAME.write_csv().encode(),
    "JSON": FRAME.write_ndjson().encode(),
    "JSON in a list": json.dumps(FRAME.to_dicts(), indent=1).encode(),
}


@pytest.mark.parametrize("ending", [".parquet", ".pq", ".json", ".jsonl"])
@pytest.mark.parametrize("content", CONTENTS)
def test_the_advice_reads_the_file(content: str, ending: str, tmp_path: Path) -> None:
    (tmp_path / "right.csv").write_text(FRAME.write_csv())
    digest = sources.read(tmp_path / "right.csv").digest
    path = tmp_path / f"log{ending}"
    path.write_bytes(CONTENTS[content])
    if content.startswith("JSON") and ending.startswith(".json"):
        assert sources.read(path).digest == digest
        return
    with pytest.raises(DataError) as error:
        sources.read(path)
    message = str(error.value)
    promised = "Parquet" if ending in (".parquet", ".pq") else "JSON"
    assert (
        message.startswith(f"{path}: no {promised} but {re.split(',| in | with', content)[0]} (")
        and "\n" not in message
    )
    advised = re.search(r"--format (\w+)$", message)
    assert advised is not None and sources.read(path, format=advised[1]).digest == digest


@pytest.mark.parametrize("name", ["log.csv", "log.json", "log.jsonl", "log.txt", "log"])
def test_parquet_is_known_by_its_content(name: str, tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / name)
    assert len(sources.read(tmp_path / name)) == 3


def test_other_kinds_are_named_as_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    for content, what in (
        (b"ARROW1\0\0 and so on", "an Arrow file"),
        (b"<html><body><table><tr><td>user</td></tr></table></body></html>", "web page with a table"),
        (b"PK\x03\x04 and so on", "damaged zip"),
        (b"PAR1" + b"\0" * 100, "cut short or damaged"),
        (b"\x01\x02\0\x03" * 50, "cut short or damaged"),
        (b"one word", "cut short or damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=what):
            sources.read(path)


def test_a_line_that_is_none_among_json_is_still_told_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"a, b\n" + CONTENTS["JSON"])
    with pytest.raises(DataError, match="line 1: not JSON"):
        sources.read(path)
    assert len(sources.read(path, on_bad="skip")) == 3
