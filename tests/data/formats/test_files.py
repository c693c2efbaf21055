"""CSV, TSV, JSON lines and Parquet must all give the same log, and each a clear answer where it is broken."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from recollect.data.formats import registry
from recollect.data.formats.contract import Place
from recollect.data.log import DataError, EventLog
from recollect.data.reading import Reading

ROWS = [("u1", "b", 30), ("u1", "a", 10), ("u2", "a", 20), ("u1", "c", 10)]


def _log(*paths: Path, **options: object) -> EventLog:
    reading = Reading(**options)  # type: ignore[arg-type]
    return registry.in_general(Place(paths), reading, "log").to_log(reading)


def _frame() -> pl.DataFrame:
    return pl.DataFrame(ROWS, schema=["user_id", "item_id", "ts"], orient="row")


@pytest.fixture
def every_kind(tmp_path: Path) -> dict[str, Path]:
    frame = _frame()
    frame.write_csv(tmp_path / "log.csv")
    frame.write_csv(tmp_path / "log.tsv", separator="\t")
    frame.write_csv(tmp_path / "log.txt", separator="|")
    frame.write_ndjson(tmp_path / "log.jsonl")
    frame.write_parquet(tmp_path / "log.parquet")
    return {path.suffix: path for path in tmp_path.iterdir()}


def test_every_kind_gives_the_same_log(every_kind: dict[str, Path]) -> None:
    logs = {kind: _log(path) for kind, path in every_kind.items()}
    assert len({log.digest for log in logs.values()}) == 1 and len(logs) == 5
    log = logs[".csv"]
    assert log.user_ids.ids.tolist() == ["u1", "u2"]
    assert log.item_ids.decode(log.items).tolist() == ["a", "c", "b", "a"]
    assert log.times.tolist() == [10, 10, 30, 20]


def test_several_files_continue_each_other_whatever_their_column_order(tmp_path: Path) -> None:
    _frame()[:2].write_csv(tmp_path / "1.csv")
    _frame()[2:].select("ts", "item_id", "user_id").write_csv(tmp_path / "2.csv")
    _frame().write_csv(tmp_path / "whole.csv")
    assert _log(tmp_path / "1.csv", tmp_path / "2.csv").digest == _log(tmp_path / "whole.csv").digest


def test_the_line_of_a_bad_time_is_that_of_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("user,item,time\n1,2,3\n1,3,4\n")
    (tmp_path / "2.csv").write_text('user,item,time\n1,"x\ny",5\n1,4,soon\n')
    with pytest.raises(DataError) as error:
        _log(tmp_path / "1.csv", tmp_path / "2.csv")
    assert f"{tmp_path / '2.csv'} line 4: 'soon' in column 'time' is no time" in str(error.value)


def test_the_second_file_must_have_the_columns_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("user,item,time\n1,2,3\n")
    (tmp_path / "2.csv").write_text("user,itme,time\n1,2,3\n")
    with pytest.raises(DataError, match=r"2\.csv: no column 'item'; did you mean 'itme'"):
        _log(tmp_path / "1.csv", tmp_path / "2.csv")


def test_integer_ids_of_one_file_and_text_of_another_become_text(tmp_path: Path) -> None:
    _frame().with_columns(item_id=pl.lit(7)).write_parquet(tmp_path / "1.parquet")
    _frame().write_parquet(tmp_path / "2.parquet")
    log = _log(tmp_path / "1.parquet", tmp_path / "2.parquet")
    assert log.item_ids.ids.tolist() == ["7", "a", "b", "c"]


def test_values_are_kept_and_sorted_with_their_events(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("user,item,time,stars,kind\n1,5,9,4.5,buy\n1,6,2,,view\n1,7,3,1,\n")
    log = _log(tmp_path / "x.csv", values=("stars", "kind"))
    assert log.values["kind"].tolist() == ["view", None, "buy"]
    assert str(log.values["stars"].tolist()) == "[nan, 1.0, 4.5]"


def test_a_file_without_header_is_read_by_number(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("A1,B2,5.0,130\nA1,B3,4.0,120\n")
    log = _log(tmp_path / "x.csv", user="1", item="2", time="4")
    assert log.item_ids.decode(log.items).tolist() == ["B3", "B2"]
    (tmp_path / "pairs.txt").write_text("1 1\n1 5\n1 2\n2 1\n")
    pairs = _log(tmp_path / "pairs.txt")
    assert not pairs.clock and pairs.item_ids.decode(pairs.items).tolist() == [1, 5, 2, 1]
    (tmp_path / "three.csv").write_text("1,2,3\n1,4,5\n")
    with pytest.raises(DataError, match=r"no header line.*--user 1 --item 2 --time 3"):
        _log(tmp_path / "three.csv")


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, -1, -9])
def test_a_truncated_parquet_is_one_clear_line(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "x.parquet"
    pl.DataFrame({"user": range(1000), "item": range(1000), "time": range(1000)}).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) if 0 < keep < 1 else int(keep)])
    with pytest.raises(DataError) as error:
        _log(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value) and "Parquet" in str(error.value)


def test_json_lines_with_a_broken_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    good = [json.dumps({"user": user, "item": item, "time": time}) for user, item, time in ROWS]
    path.write_text("\n".join([*good[:2], "", "{'user': 1}", *good[2:]]) + "\n")
    with pytest.raises(DataError, match=r"x\.jsonl line 4: not JSON"):
        _log(path)
    log = _log(path, on_bad="skip")
    assert len(log) == len(ROWS) and [(d.reason, d.events) for d in log.dropped] == [("not a JSON object", 1)]


def test_json_lines_count_empty_lines_when_they_name_one(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"user":1,"item":2,"time":3}\n\n\n{"user":1,"item":2,"time":"x"}\n')
    with pytest.raises(DataError, match=r"x\.jsonl line 4: 'x' in column 'time' is no time"):
        _log(path)


def test_a_json_id_that_is_an_object(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"user":{"id":1},"item":2,"time":3}\n')
    with pytest.raises(DataError, match=r"x\.jsonl: column 'user' holds Struct"):
        _log(path)


def test_only_a_header(tmp_path: Path) -> None:
    for kind, content in (("csv", b"user,item,time\n"), ("tsv", b"user\titem\ttime")):
        (tmp_path / f"x.{kind}").write_bytes(content)
        with pytest.raises(DataError, match="only a header"):
            _log(tmp_path / f"x.{kind}")


def test_ids_of_a_million_characters(tmp_path: Path) -> None:
    long = "x" * 10**6
    (tmp_path / "x.csv").write_text(f'user,item,time\n1,{long},2\n1,"{long}y",1\n')
    log = _log(tmp_path / "x.csv")
    assert log.item_ids.decode(log.items).tolist() == [long + "y", long]
    (tmp_path / "bad.csv").write_text(f"user,item,time\n1,2,{long}\n1,3,4\n")
    with pytest.raises(DataError) as error:
        _log(tmp_path / "bad.csv")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("how", ["packed", "windows", "quoted"])
def test_the_same_rows_under_two_names_are_refused(how: str, tmp_path: Path) -> None:
    _frame().write_csv(tmp_path / "1.csv")
    data = (tmp_path / "1.csv").read_bytes()
    if how == "packed":
        (tmp_path / "2.csv.gz").write_bytes(gzip.compress(data))
    elif how == "windows":
        (tmp_path / "2.csv").write_bytes(data.replace(b"\n", b"\r\n"))
    else:
        _frame().write_csv(tmp_path / "2.csv", quote_style="always")
    with pytest.raises(DataError, match=r"1.csv and 2.csv(.gz)? hold the same rows"):
        _log(*sorted(tmp_path.iterdir()))


def test_files_with_other_rows_of_the_same_number_are_no_copies(tmp_path: Path) -> None:
    _frame().write_csv(tmp_path / "1.csv")
    _frame().with_columns(pl.col("ts") + 100).write_csv(tmp_path / "2.csv")
    assert len(_log(tmp_path / "1.csv", tmp_path / "2.csv")) == 8


def test_rounded_floats_of_one_file_are_refused_beside_the_integers_of_another(tmp_path: Path) -> None:
    """Put together, 32-bit floats would become 64-bit ones, of which nobody can tell that they were rounded."""
    _frame().with_columns(user_id=pl.lit(7)).write_parquet(tmp_path / "1.parquet")
    lost = pl.Series([16777217.0, 2.0, 3.0, 4.0], dtype=pl.Float32)
    _frame().with_columns(user_id=lost).write_parquet(tmp_path / "2.parquet")
    with pytest.raises(DataError, match="float32, which rounds integers as long as 16777216"):
        _log(tmp_path / "1.parquet", tmp_path / "2.parquet")


def test_what_is_said_of_some_of_the_files_names_them(tmp_path: Path) -> None:
    for number in range(6):
        text = f"user,item,time\nBj\u00f6rn{number},caf\u00e9,{number}\nAnna,th\u00e9,{number}\n"
        (tmp_path / f"{number}.csv").write_bytes(text.encode("utf-8" if number == 3 else "cp1252"))
    note = "text is read as cp1252, as it is not UTF-8 (--encoding says otherwise)"
    several = _log(*sorted(tmp_path.iterdir()))
    assert [one for one in several.notes if "cp1252" in one] == [f"0.csv, 1.csv, 2.csv and 2 more: {note}"]
    one_of_two = _log(tmp_path / "3.csv", tmp_path / "4.csv")
    assert [one for one in one_of_two.notes if "cp1252" in one] == [f"4.csv: {note}"]
    assert len({entry for entry in several.user_ids.ids.tolist() if entry.startswith("Bj\u00f6rn")}) == 6
