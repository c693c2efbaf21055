"""Ids out of files in every dress they come in."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from recollect.data.id_files import read_ids, read_pairs
from recollect.data.log import DataError


def _workbook() -> bytes:
    """As much of an Excel file as it is known by."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("[Content_Types].xml", "")
        packed.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "text", "ids"),
    [
        ("a.txt", "b, c\n\n  7 \r\nb, c\n", ["b, c", "7", "b, c"]),
        ("a.txt", "user\n7\n", [7]),
        ("a", "3\n1\n2\n", [3, 1, 2]),
        ("a.csv", "userId\n3\n1\n", [3, 1]),
        ("a.csv", "007\n1\n", ["007", "1"]),
        ("a.csv", '\ufeffname,customer_id\nAnn,"x,1"\nBob,y\n', ["x,1", "y"]),
        ("a.csv", "name;uid\nAnn;5\n", [5]),
        ("a.tsv", "user\tsegment\n5\tgold\n\tgold\n6\tgold\n", [5, 6]),
        ("a.jsonl", '{"user": "x", "n": 1}\n{"user": "y", "n": 2}\n', ["x", "y"]),
        ("a.json", '[{"user": "x", "liked": [1, 2]},\n {"user": 7}]', ["x", "7"]),
        ("a.json", "[17, 5, 17]", [17, 5, 17]),
        ("a.json", '["x", "007"]', ["x", "007"]),
        ("a.jsonl", "{'user': 5, 'n': None}\n{'user': 6}\n", [5, 6]),
        ("a.CSV", "kunde,n\n9,1\n", [9]),
        ("a.csv", "user\n16474,0\n17850,00\n9\n", [16474, 17850, 9]),
        ("a.csv", "16474,0\n17850,0\n", [16474, 17850]),
        ("a.txt", "16474,0\n17850,0\n", [16474, 17850]),
        ("a.csv", "name;user\nx;16474,0\ny;17850,0\n", [16474, 17850]),
        ("a.csv", "user\n16474.0\n", [16474]),
        ("a.csv", 'user\n"1,5"\n"2,0"\n', ["1,5", "2,0"]),
    ],
)
def test_ids_are_found_in_their_order(tmp_path: Path, name: str, text: str, ids: list[object]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    found = read_ids(tmp_path / name, "user", also="kunde")
    assert found.ids == ids
    assert found.empty == (1 if name == "a.tsv" else 0)


def test_a_table_of_numbers_has_whole_ids(tmp_path: Path) -> None:
    pl.DataFrame({"price": [1.5, 2.5, 3.5], "itemId": [17.0, None, 18.0]}).write_parquet(tmp_path / "a.parquet")
    found = read_ids(tmp_path / "a.parquet", "item")
    assert found.ids == [17, 18] and all(isinstance(one, int) for one in found.ids) and found.empty == 1


def test_pairs_keep_their_rows(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("item,weight,user\nb,1,2\n,1,1\na,1,\nb,1,2\n")
    found = read_pairs(tmp_path / "p.csv")
    assert found[:2] == ([2, 1, None, 2], ["b", None, "a", "b"])
    assert found.further.to_dict(as_series=False) == {"weight": ["1", "1", "1", "1"]}
    pl.DataFrame({"film": [5, 6], "kunde": ["x", "y"]}).write_parquet(tmp_path / "p.parquet")
    assert read_pairs(tmp_path / "p.parquet", user="kunde", item="film")[:2] == (["x", "y"], [5, 6])


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"name,age\nAnn,3\n", "no column looks like the user; call it 'user'; there are 'name', 'age'"),
        (
            "a.csv",
            b"user,age\nAnn,3\nBob,4,5\n",
            "not a table that can be read (line 3 has 3 fields, the first 2); write an id a line",
        ),
        ("a.csv", b"user\n5\n16474,5\n", "not a table that can be read (line 3 has 2 fields, the first 1)"),
        ("a.csv", b"user,age\n,3\n", "no ids in it"),
        ("a.parquet", b"PAR1", "not a whole Parquet file"),
        ("a.jsonl", b"[1,2", "JSON"),
        ("a.jsonl", b'{"user": 1}\n{"user": \n', "line 2"),
        ("none.csv", None, "cannot be read (No such file or directory)"),
        ("none.parquet", None, "cannot be read (No such file or directory)"),
    ],
)
def test_what_is_no_list_is_one_clear_line(tmp_path: Path, name: str, data: bytes | None, message: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_ids(tmp_path / name, "user")
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "advice"),
    [
        ("a.csv", b"", "write an id a line"),
        ("a.json", b"item\n1\n", "write an id a line as a JSON object, or as .txt or .csv"),
        ("a.json", b"[[1], [2]]", "write an id a line as a JSON object, or as .txt or .csv"),
        ("a.jsonl", b'{"item": 1}\n{"item"\n', "write an id a line as a JSON object, or as .txt or .csv"),
        ("a.xlsx", _workbook(), "save its sheet as CSV (UTF-8)"),
        ("a.csv", b"item,n\n1.5E+12,2\n", "write the ids again as text or as integers"),
        ("a.csv", "\u4ea7\u54c1,\u540d\n1,\u597d\u7684\u4e1c\u897f\n".encode("gbk"), "save it as UTF-8"),
    ],
)
def test_what_to_do_is_what_helps_with_a_list_of_ids(tmp_path: Path, name: str, data: bytes, advice: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_ids(tmp_path / name, "item")
    assert str(caught.value).endswith(advice)
    for of_logs in ("--", "event", "a log", "recollect.read"):
        assert of_logs not in str(caught.value).replace(str(tmp_path), "")


def test_pairs_need_both_columns(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("user,thing\n1,2\n")
    with pytest.raises(DataError, match="no column looks like the item"):
        read_pairs(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_text("user,item\n")
    with pytest.raises(DataError, match="only a header"):
        read_pairs(tmp_path / "p.csv")
