"""Public logs without header lines, each in two rows of the form that its owner publishes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from recollect.data import sources
from recollect.data.formats import registry
from recollect.data.formats.contract import Place
from recollect.data.log import DataError

FILES = {
    "lfm-1b": ("LFM-1b_LEs.txt", ["31435741\t2\t4\t5\t1385212958", "31435741\t2\t4\t6\t1385212642"], ("31435741", "6")),
    "lastfm-1k": (
        "userid-timestamp-artid-artname-traid-traname.tsv",
        ['user_1\t2009-05-04T23:08:57Z\ta\tDeep "Blue\t5\tTin Kite', "user_1\t2009-05-04T13:54:10Z\ta\tB\t6\tC"],
        ("user_1", "6"),
    ),
    "yoochoose": (
        "yoochoose-clicks.dat",
        ["1,2014-04-07T10:54:09.868Z,214536500,0", "1,2014-04-07T10:51:09.277Z,214536502,S"],
        ("1", "214536502"),
    ),
    "taobao": (
        "UserBehavior.csv",
        ["1,2268318,2520377,pv,1511544070", "1,2333346,2520771,buy,1511544000"],
        ("1", "2333346"),
    ),
    "snap-checkins": (
        "loc-gowalla_totalCheckins.txt",
        ["0\t2010-10-19T23:55:27Z\t30.2\t-97.7\t22847", "0\t2010-10-18T22:17:43Z\t30.2\t-97.7\t420315"],
        ("0", "420315"),
    ),
    "foursquare": (
        "dataset_TSMC2014_TKY.txt",
        [
            "7\t4a20\t4bf5\tTea & 'more\t35.7\t139.7\t540\tTue Apr 03 18:17:18 +0000 2012",
            "7\t4a10\t4bf5\tTea & 'more\t35.7\t139.7\t540\tTue Apr 03 18:00:09 +0000 2012",
        ],
        ("7", "4a10"),
    ),
    "foursquare-world": (
        "dataset_TIST2015_Checkins.txt",
        [
            "7\t4a20\tTue Apr 03 18:00:07 +0000 2012\t-240",
            "7\t4a10\tTue Apr 03 18:00:06 +0000 2012\t180",
        ],
        ("7", "4a10"),
    ),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("in_folder", [True, False])
def test_columns_are_known(name: str, in_folder: bool, tmp_path: Path) -> None:
    file, lines, (user, earliest) = FILES[name]
    (tmp_path / file).write_text("\n".join(lines) + "\n")
    (tmp_path / "README.txt").write_text("about it")
    log = sources.read(tmp_path if in_folder else tmp_path / file)
    assert len(log) == 2 and log.clock
    assert str(log.user_ids.ids[0]) == user and str(log.item_ids.decode(log.items)[0]) == earliest


def test_titles_of_lfm(tmp_path: Path) -> None:
    file, lines, _ = FILES["lfm-1b"]
    (tmp_path / file).write_text("\n".join(lines) + "\n")
    (tmp_path / "LFM-1b_tracks.txt").write_text('5\tA "song\t2\n6\tAnother\t2\n')
    assert sources.read(tmp_path).titles().tolist() == ["", 'A "song', "Another"]
    assert sources.read(tmp_path, item="artist_id").item_ids.ids.tolist() == [2]


def test_columns_by_number_still_mean_the_file_as_it_is(tmp_path: Path) -> None:
    file, lines, _ = FILES["yoochoose"]
    (tmp_path / file).write_text("\n".join(lines) + "\n")
    by_number = sources.read(tmp_path / file, user="1", item="3", time="2")
    assert by_number.digest == sources.read(tmp_path / file).digest


def test_rows_without_a_track_id_are_counted_and_two_columns_keep_them(tmp_path: Path) -> None:
    file, lines, _ = FILES["lastfm-1k"]
    (tmp_path / file).write_text("\n".join([*lines, "user_1\t2009-05-04T12:00:00Z\ta\tB\t\tD"]) + "\n")
    log = sources.read(tmp_path)
    assert len(log) == 2 and [(one.reason, one.events) for one in log.dropped] == [("no item id", 1)]
    assert len(sources.read(tmp_path, item="artist_name,track_name")) == 3


def test_purchases_and_the_test_sessions_of_yoochoose_are_read_if_named(tmp_path: Path) -> None:
    file, lines, _ = FILES["yoochoose"]
    (tmp_path / file).write_text("\n".join(lines) + "\n")
    (tmp_path / "yoochoose-test.dat").write_text("5,2014-04-07T17:13:46.713Z,30,0\n")
    (tmp_path / "yoochoose-buys.dat").write_text("9,2014-04-06T18:44:58.314Z,40,12462,1\n")
    assert sources.read(tmp_path).user_ids.ids.tolist() == [1]
    assert sources.read(tmp_path / "yoochoose-test.dat").item_ids.ids.tolist() == [30]
    bought = sources.read(tmp_path / "yoochoose-buys.dat", values=("price",))
    assert bought.item_ids.ids.tolist() == [40] and bought.values["price"].tolist() == [12462]
    assert sources.read(tmp_path, format="yoochoose-buys").digest == bought.digest


@pytest.mark.parametrize(
    ("name", "other"),
    [("foursquare", "dataset_TSMC2014_NYC.txt"), ("snap-checkins", "loc-brightkite_totalCheckins.txt")],
)
def test_users_of_two_logs_are_not_taken_for_the_same(name: str, other: str, tmp_path: Path) -> None:
    file, lines, _ = FILES[name]
    for path in (file, other):
        (tmp_path / path).write_text("\n".join(lines if path == file else lines[:1]) + "\n")
    for source in (tmp_path, f"{tmp_path}/*.txt"):
        with pytest.raises(DataError, match="whose ids mean different people; name one of them"):
            sources.read(source)
    assert len(sources.read(tmp_path / file)) == 2


def test_a_copy_that_is_packed_does_not_count_twice(tmp_path: Path) -> None:
    file, lines, _ = FILES["snap-checkins"]
    content = ("\n".join(lines) + "\n").encode()
    (tmp_path / file).write_bytes(content)
    (tmp_path / f"{file}.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match="packed and not"):
        sources.read(tmp_path)


def test_foursquare_is_recognised(tmp_path: Path) -> None:
    row = "470\t49bb\t4bf5\tCafé & Bar\t40.71\t-74.00\t-240\tTue Apr 03 18:00:09 +0000 2012\n"
    path = tmp_path / "dataset_TSMC2014_NYC.txt"
    path.write_bytes(row.encode("latin-1"))
    assert registry.get("foursquare").recognises(Place.of(path))
    log = sources.read(path)
    assert log.item_ids.ids.tolist() == ["49bb"] and log.times.tolist() == [1333476009]
    path.write_text(
        "userId\tvenueId\tvenueCategoryId\tvenueCategory\tlatitude\tlongitude\toffset_minutes\tutc_time\n" + row
    )
    assert not registry.get("foursquare").recognises(Place.of(path))
