"""Logs of several files with named columns: the one with the events is found, by its name and its columns."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from recollect.data import sources
from recollect.data.formats import registry
from recollect.data.formats.contract import Place
from recollect.data.log import DataError

REVIEWS = (
    "{u'username': u'Anna', u'hours': 0.1, u'products': 41, u'product_id': u'725280', u'page_order': 0, "
    "u'date': u'2017-12-17', u'text': u'it\\'s', u'early_access': False, u'page': 1}\n"
    "{u'username': u'Bob', u'user_id': u'76561190000000000', u'hours': 0.1, u'products': 41, u'product_id': u'328100', "
    "u'page_order': 0, u'date': u'2017-12-18', u'text': u'x', u'early_access': False, u'page': 1, u'found_funny': 2}\n"
)


def test_steam_users_are_those_with_a_name(tmp_path: Path) -> None:
    """Most reviews have no user_id, which is the usual name of a user's column."""
    (tmp_path / "steam_reviews.json.gz").write_bytes(gzip.compress(REVIEWS.encode()))
    games = "{u'app_name': u'One', u'id': u'725280', u'genres': [u'Indie', u'RPG']}\n{u'url': u'http://x'}\n"
    (tmp_path / "steam_games.json.gz").write_bytes(gzip.compress(games.encode()))
    for source in (tmp_path, tmp_path / "steam_reviews.json.gz"):
        log = sources.read(source)
        assert log.user_ids.ids.tolist() == ["Anna", "Bob"] and not log.dropped
        assert log.titles()[log.item_ids.find("725280")] == "One"
    (tmp_path / "steam_reviews.json.gz").rename(tmp_path / "steam_new.json.gz")  # the name inside the packed file
    assert sources.read(tmp_path).digest == log.digest
    assert sources.read(tmp_path, user="user_id").user_ids.ids.tolist() == [76561190000000000]


def test_a_time_that_every_row_has(tmp_path: Path) -> None:
    row = {"user_id": "u", "book_id": "1", "rating": 5, "date_added": "Fri Aug 25 13:55:02 -0700 2017"}
    rows = [row | {"read_at": "Sat Oct 07 00:00:00 -0700 2017"}, row | {"read_at": ""}]
    path = tmp_path / "goodreads_interactions_dedup.json"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    (tmp_path / "goodreads_books.json").write_text(json.dumps({"book_id": "1", "title": "One"}) + "\n")
    log = sources.read(tmp_path)
    assert log.times.tolist() == [1503694502] * 2 and log.titles().tolist() == ["", "One"]
    assert len(sources.read(tmp_path, time="read_at")) == 1


def test_several_of_them_are_not_chosen_among(tmp_path: Path) -> None:
    for genre in ("poetry", "comics_graphic"):
        row = {"user_id": genre, "book_id": "1", "date_added": "Fri Aug 25 13:55:02 -0700 2017"}
        (tmp_path / f"goodreads_interactions_{genre}.json").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"2 files of goodreads \(.*poetry\.json\) in it; name one"):
        sources.read(tmp_path)
    assert sources.read(tmp_path / "goodreads_interactions_poetry.json").user_ids.ids.tolist() == ["poetry"]


@pytest.mark.parametrize(
    "header",
    ["timestamp,visitorid,itemid", "my_timestamp,visitorid,event,itemid,transactionid", "a,b,c"],
)
def test_a_file_of_that_name_with_other_columns_is_somebody_elses(header: str, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(f"{header}\n")
    assert not registry.get("retailrocket").recognises(Place.of(path))
    path.write_text('"timestamp","visitorid","event","itemid","transactionid"\n')
    assert registry.get("retailrocket").recognises(Place.of(path))


def test_columns_that_are_asked_for_come_first(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(
        "timestamp,visitorid,event,itemid,transactionid\n1433221332117,7,view,10,\n1433221332118,7,transaction,20,4\n"
    )
    assert sources.read(tmp_path, item="event").item_ids.ids.tolist() == ["transaction", "view"]
    log = sources.read(tmp_path, where="event == 'transaction'")
    assert log.item_ids.ids.tolist() == [20] and log.times.tolist() == [1433221332]


def test_a_format_that_is_asked_for_where_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no transactions_train.csv in it"):
        sources.read(tmp_path, format="hm")
