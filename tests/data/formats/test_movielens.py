"""The MovieLens originals, in small copies of their form made here, and in full where the tester has them."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pytest

from recollect.data import sources
from recollect.data.formats.movielens import GENRES_100K
from recollect.data.log import DataError


@pytest.fixture
def small_100k(tmp_path: Path) -> Path:
    (tmp_path / "u.data").write_bytes(b"2\t20\t3\t300\n1\t10\t4\t200\n2\t10\t5\t100\n")
    flags = ["1" if genre in ("Comedy", "Drama") else "0" for genre in GENRES_100K]
    film = ["10", "Misérables, Les (1995)", "01-Jan-1995", "", "http://x", *flags]
    (tmp_path / "u.item").write_bytes(("|".join(film) + "\n").encode("latin-1"))
    (tmp_path / "u.user").write_bytes(b"1|24|M|writer|01234\n2|30|F|other|V1H3M\n")
    return tmp_path


def test_100k(small_100k: Path) -> None:
    log = sources.read(small_100k, values=("rating",))
    assert log.user_ids.ids.tolist() == [1, 2] and log.item_ids.ids.tolist() == [10, 20]
    assert log.times.tolist() == [200, 100, 300] and log.values["rating"].tolist() == [4, 5, 3]
    assert log.titles().tolist() == ["", "Misérables, Les (1995)", "20"]
    assert log.item_table is not None and log.user_table is not None
    assert log.item_table["genres"].tolist() == ["Comedy|Drama", None]
    assert log.item_table["year"][0] == 1995
    assert log.user_table["age"].tolist() == [24.0, 30.0] and log.user_table["zip_code"].tolist() == ["01234", "V1H3M"]


def test_1m(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_bytes(b"1::5::3::300\n1::7::4::200\n")
    (tmp_path / "movies.dat").write_bytes("7::Améli:e (2001)::Comedy\n".encode("latin-1"))
    (tmp_path / "users.dat").write_bytes(b"1::F::1::10::48067-1\n")
    log = sources.read(tmp_path / "ratings.dat")
    assert log.titles().tolist() == ["", "5", "Améli:e (2001)"]
    assert log.user_table is not None and log.user_table["occupation"].tolist() == ["K-12 student"]


def test_the_csv_family(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_bytes(b"userId,movieId,rating,timestamp\r\n1,7,3.5,300\r\n1,5,4.0,200\r\n")
    (tmp_path / "movies.csv").write_bytes(b'movieId,title,genres\r\n7,"Caf\xe9, The (1999)",Comedy|Drama\r\n')
    (tmp_path / "tags.csv").write_text("not,looked,at\n")
    log = sources.read(tmp_path)
    assert log.item_ids.decode(log.items).tolist() == [5, 7]
    assert log.titles().tolist() == ["", "5", "Café, The (1999)"]
    assert log.item_table is not None and log.item_table["year"].tolist()[1] == 1999


def test_a_broken_line_is_named(small_100k: Path) -> None:
    with (small_100k / "u.data").open("a") as file:
        file.write("1\t10\t4\tnever\n")
    with pytest.raises(DataError, match=r"u\.data line 4: 'never' in column 'timestamp' is no time"):
        sources.read(small_100k)
    assert len(sources.read(small_100k, on_bad="skip")) == 3


def test_ml_1m_in_full(data_folder: Path) -> None:
    started = time.process_time()
    log = sources.read("ml-1m", data_dir=data_folder)
    assert time.process_time() - started < 20  # two seconds on an idle machine; a slow path takes far longer
    assert (len(log.user_ids), len(log.item_ids), len(log)) == (6040, 3706, 1000209)
    assert log.digest == sources.read(data_folder / "ml-1m").digest  # the same log as Parquet
    assert log.item_table is not None and not any(title is None for title in log.item_table["title"])


def test_ml_100k_is_the_same_log_in_three_forms(data_folder: Path) -> None:
    logs = [sources.read(data_folder / "ml-100k" / part) for part in ("raw", "raw/recbole", "interactions.parquet")]
    assert len({log.digest for log in logs}) == 1
    original, atomic, _ = logs
    assert (len(original.user_ids), len(original.item_ids), len(original)) == (943, 1682, 100000)
    assert original.items.tolist() == atomic.items.tolist()
    assert original.item_table is not None and atomic.item_table is not None
    # The atomic file has lost the articles and years of titles, but the people are the same.
    for column in ("age", "gender", "occupation", "zip_code"):
        assert original.user_table is not None and atomic.user_table is not None
        assert original.user_table[column].tolist() == atomic.user_table[column].tolist()


def test_file_order_breaks_ties_in_ml_100k(data_folder: Path) -> None:
    log = sources.read("ml-100k", data_dir=data_folder)
    names = ["user", "item", "rating", "time"]
    raw = pl.read_csv(data_folder / "ml-100k/raw/u.data", separator="\t", has_header=False, new_columns=names)
    expected = raw.sort("user", "time", maintain_order=True)
    assert log.item_ids.decode(log.items).tolist() == expected["item"].to_list()
