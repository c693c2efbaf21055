"""What people type: files, globs, folders and names; each finds its log or says what is there instead."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from recollect.data import prepared, sources
from recollect.data.log import DataError

CSV = "user,item,time\n1,a,10\n1,b,20\n2,a,30\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    (folder / "shop" / "raw").mkdir(parents=True)
    (folder / "shop" / "raw" / "u.data").write_text("1\t2\t3\t100\n")
    pl.DataFrame({"user": [1, 1], "item": [2, 3], "time": [5, 6]}).write_parquet(
        folder / "shop" / "interactions.parquet"
    )
    (folder / "plain").mkdir()
    (folder / "plain" / "log.csv").write_text(CSV)
    return folder


def test_a_name_is_looked_up_in_the_data_folder_originals_first(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(sources.read("shop", data_dir=data)) == 1
    monkeypatch.setenv("RECOLLECT_DATA", str(data))
    log = sources.read("shop")
    assert len(log) == 1 and log.name == "shop"
    shutil.rmtree(data / "shop" / "raw")
    assert len(sources.read("shop")) == 2
    (data / "shop" / "raw").mkdir()
    (data / "shop" / "raw" / "notes.pdf").write_text("nothing to read")
    assert len(sources.read("shop")) == 2
    assert len(sources.read("plain")) == 3


def test_a_name_that_is_not_there(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sho: no such file, folder or named log; .* has plain, shop"):
        sources.read("sho", data_dir=data)
    with pytest.raises(DataError, match="is no data folder"):
        sources.read("sho", data_dir=tmp_path / "nowhere")


def test_a_file_that_is_not_there(data: Path) -> None:
    with pytest.raises(DataError, match=r"no such file or folder; did you mean '.*log\.csv'"):
        sources.read(data / "plain" / "lgo.csv")
    with pytest.raises(DataError, match="is no folder either"):
        sources.read(data / "nowhere" / "log.csv")
    for name in ("x" * 10**6, "", "\0"):
        with pytest.raises(DataError, match="not the name of a file"):
            sources.read(name)
    with pytest.raises(DataError, match="no such file"):
        sources.read("x" * 1000)
    with pytest.raises(DataError, match="no file matches"):
        sources.read(str(data / "*.tsv"))


def test_a_folder_and_a_glob_of_the_same_files_agree(data: Path) -> None:
    (data / "plain" / "more.csv").write_text("user,item,time\n3,c,5\n")
    (data / "plain" / "README.txt").write_text("about these files")
    whole = sources.read(data / "plain")
    assert whole.digest == sources.read(str(data / "plain" / "*.csv")).digest and len(whole) == 4


@pytest.mark.parametrize(
    ("files", "pattern", "name"),
    [
        (["jan1.csv", "jan2.csv", "feb.csv"], "jan*.csv", "jan*"),
        (["jan1.csv", "feb.csv"], "*.csv", "shops"),
        (["jan1.csv", "feb.csv"], "jan*.csv", "jan1"),
        (["jan.csv.gz", "jan-late.csv"], "*", "jan*"),
        (["a/events.csv", "b/events.csv"], "*/events.csv", "events"),
        (["a/x.csv", "b/y.csv"], "**/*.csv", "shops"),
        (["a1/ratings.dat", "a2/ratings.dat"], "*/ratings.dat", "a*"),
    ],
)
def test_the_files_of_a_glob_are_called_by_what_they_have_in_common(
    files: list[str], pattern: str, name: str, tmp_path: Path
) -> None:
    for file in files:
        (tmp_path / "shops" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shops" / file).write_text("")
    _, found = sources.locate(str(tmp_path / "shops" / pattern))
    assert found == name


def test_names_that_look_like_patterns_or_files(data: Path) -> None:
    (data / "shop.v2").mkdir()
    pl.DataFrame({"user": [1], "item": [2], "time": [5]}).write_parquet(data / "shop.v2" / "log[1].parquet")
    assert len(sources.read("shop.v2", data_dir=data)) == 1
    assert len(sources.read(data / "shop.v2" / "log[1].parquet")) == 1


def test_folders_without_one_clear_log(data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no log in this folder"):
        sources.read(tmp_path / "empty")
    (data / "plain" / "other.jsonl").write_text("{}")
    with pytest.raises(DataError, match=r"files of several kinds \(\.csv, \.jsonl\)"):
        sources.read(data / "plain")


def test_side_tables_beside_interactions(data: Path) -> None:
    shutil.rmtree(data / "shop" / "raw")
    pl.DataFrame({"item": [3, 2], "title": ["Three", "Two"]}).write_parquet(data / "shop" / "items.parquet")
    assert sources.read(data / "shop").titles().tolist() == ["", "Two", "Three"]


def test_a_prepared_log_is_a_source_and_takes_no_columns(data: Path, tmp_path: Path) -> None:
    log = sources.read(data / "plain")
    prepared.save(log, tmp_path / "kept")
    assert sources.read(tmp_path / "kept").digest == log.digest
    with pytest.raises(DataError, match="a prepared log is read as it was kept; leave out user"):
        sources.read(tmp_path / "kept", user="user")


def test_the_simulated_log_and_a_log_itself() -> None:
    log = sources.read("simulated")
    assert len(log) > 1000 and sources.read(log) is log


def test_separators(data: Path) -> None:
    path = data / "plain" / "log.csv"
    for separator, typed in ((";", ";"), ("\t", "\\t")):  # found also where the file's ending promises commas
        path.write_text(CSV.replace(",", separator))
        assert len(sources.read(path)) == len(sources.read(path, separator=typed)) == 3
    path.write_text(CSV.replace(",", ";"))
    with pytest.raises(DataError, match="say --separator ';'"):
        sources.read(path, separator=",")


def test_ties_are_by_file_order_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("user,item,time\n1,9,5\n1,3,5\n1,7,5\n1,1,4\n")
    assert [_items(sources.read(path, ties=ties)) for ties in ("file", "id")] == [[1, 9, 3, 7], [1, 3, 7, 9]]


def _items(log: sources.EventLog) -> list[int]:
    return log.item_ids.decode(log.items).tolist()  # type: ignore[no-any-return]


def test_a_prepared_log_is_read_without_polars_or_torch(data: Path, tmp_path: Path) -> None:
    prepared.save(sources.read(data / "plain"), tmp_path / "kept")
    program = (
        "import sys; from recollect.data import sources; log = sources.read(sys.argv[1]); "
        "print(len(log), [m for m in ('polars', 'torch', 'narwhals') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "kept")], capture_output=True, text=True)
    assert done.stdout.strip() == "3 []", done.stderr


@pytest.mark.parametrize(
    ("name", "users", "items", "events", "clock"),
    [
        ("ml-1m-sasrec", 6040, 3416, 999611, False),
        ("online-retail", 4339, 3665, 397924, True),
        ("foursquare-nyc", 1083, 5135, 147938, True),
        ("assist2017", 1705, 3162, 941502, False),
        ("amazon-beauty-5core", 22363, 12101, 198502, False),
    ],
)
def test_real_logs_have_their_published_sizes(
    data_folder: Path, name: str, users: int, items: int, events: int, clock: bool
) -> None:
    if not (data_folder / name).is_dir():
        pytest.skip(f"needs {name} in RECOLLECT_DATA")
    log = sources.read(name, data_dir=data_folder)
    assert (len(log.user_ids), len(log.item_ids), len(log), log.clock) == (users, items, events, clock)


def test_the_text_file_of_sasrec_is_the_same_log_as_its_parquet(data_folder: Path) -> None:
    text = sources.read(data_folder / "ml-1m/raw/sasrec/ml-1m.txt")
    assert text.digest == sources.read("ml-1m-sasrec", data_dir=data_folder).digest


def test_a_path_inside_the_data_folder_is_found_and_called_as_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "data" / "mine" / "raw"
    place.mkdir(parents=True)
    (place / "ratings.csv").write_text("user,item,time\n1,a,1\n1,b,2\n1,c,3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOLLECT_DATA", str(tmp_path / "data"))
    elsewhere = tmp_path / "ratings.csv"
    elsewhere.write_bytes((place / "ratings.csv").read_bytes())
    assert sources.read(elsewhere).name == "ratings"  # a file of that name is MovieLens' only beside its movies
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n")
    assert sources.read(elsewhere).name == tmp_path.name
    logs = [sources.read(source) for source in ("mine/raw", "mine/raw/ratings.csv", str(place), "data/mine/raw")]
    assert {log.name for log in logs} == {"mine"} and len({log.digest for log in logs}) == 1
