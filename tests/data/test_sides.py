"""Tables that describe items and users, named beside a log: their ids, their titles, and items without events."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import recollect
from recollect.data import filters
from recollect.data.log import DataError

EVENTS = "customer_id,StockCode,ts\n1,A1,1700000000\n1,B2,1700000100\n2,A1,1700000200\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "log.csv").write_text(EVENTS)
    (tmp_path / "products.csv").write_text(
        "id,StockCode,Description,price\n7,B2,Blue cup,2.5\n8,A1 ,Red cup,3\n9,C3,New,1\n"
    )
    (tmp_path / "customers.tsv").write_text("customer_id\tcountry\n1.0\tFR\n3.0\tDE\n")
    return tmp_path


def test_ids_are_found_under_the_name_the_log_has_for_them(shop: Path) -> None:
    log = recollect.read(shop / "log.csv", items=shop / "products.csv", users=shop / "customers.tsv")
    assert log.titles().tolist() == ["", "Red cup", "Blue cup"]
    assert log.user_table is not None and log.user_table["country"].tolist() == ["FR", None]
    notes = " ".join(log.notes)
    assert "products.csv: describes 2 of 2 items (by StockCode); 1 more of its items have no events" in notes
    assert "titles of items: column Description" in notes


def test_a_frame_beside_a_file_and_a_file_beside_a_frame(shop: Path) -> None:
    products = pl.read_csv(shop / "products.csv")
    one = recollect.read(shop / "log.csv", items=products)
    two = recollect.read(pl.read_csv(shop / "log.csv"), items=str(shop / "products.csv"))
    assert one.titles().tolist() == two.titles().tolist() == ["", "Red cup", "Blue cup"]


def test_key_and_title_can_be_named(shop: Path) -> None:
    log = recollect.read(shop / "log.csv", items=shop / "products.csv", item_key="StockCode", item_title="price")
    assert log.titles().tolist() == ["", "3", "2.5"]
    for wrong, message in (({"item_key": "sku"}, "no column 'sku'"), ({"item_title": "nom"}, "no column 'nom'")):
        with pytest.raises(DataError, match=message):
            recollect.read(shop / "log.csv", items=shop / "products.csv", **wrong)


def test_a_table_of_other_things_is_refused(shop: Path) -> None:
    with pytest.raises(
        DataError, match=r"none of its ids \(column 'id', such as '?7'?\) is among the items .*--item-key"
    ):
        recollect.read(shop / "log.csv", items=shop / "products.csv", item_key="id")
    with pytest.raises(DataError, match="no such file"):
        recollect.read(shop / "log.csv", items=shop / "nothing.csv")
    with pytest.raises(DataError, match="item_title: 'x' is a column of the item table"):
        recollect.read(shop / "log.csv", item_title="x")


def test_items_without_events_are_candidates_if_asked(shop: Path) -> None:
    log = recollect.read(shop / "log.csv", items=shop / "products.csv", candidates="table")
    assert log.item_ids.ids.tolist() == ["A1", "B2", "C3"] and log.items.tolist() == [1, 2, 1]
    assert any("1 of them have no events and are candidates all the same" in note for note in log.notes)
    with pytest.raises(DataError, match="wants an item table"):
        recollect.read(shop / "log.csv", candidates="table")
    whole = pl.DataFrame({"user": [1, 1, 1, 2], "item": [5, 6, 5, 6], "time": [1, 2, 3, 4]})
    table = pl.DataFrame({"item": [5, 6, 9], "title": ["five", "six", "nine"]})
    wider = recollect.read(whole, items=table, candidates="table")
    assert wider.item_ids.ids.tolist() == [5, 6, 9]
    trained = recollect.fit("popularity", recollect.loo(wider))
    (answer,) = trained.recommend([[]], k=5)
    assert {one.title for one in answer} == {"five", "six", "nine"}
    few = filters.apply(wider, filters.FilterConfig(min_user_events=3))
    assert few.item_ids.ids.tolist() == [5, 6, 9]


def test_options_of_reading_are_refused_where_nothing_is_read(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the simulated log is read as it was kept; leave out where"):
        recollect.read("simulated", where="x > 1")


def test_a_table_without_a_known_title_says_that_ids_are_shown(shop: Path) -> None:
    (shop / "waren.csv").write_bytes("StockCode;Warentext\nA1;Löffel\nB2;Körbchen\n".encode("cp1252"))
    log = recollect.read(shop / "log.csv", items=shop / "waren.csv")
    assert log.titles().tolist() == ["", "A1", "B2"]
    (note,) = (note for note in log.notes if "--item-title" in note)
    assert note.startswith("no column of ") and "waren.csv" in note and note.endswith("--item-title: 'Warentext'")
    (read_as,) = (note for note in log.notes if "cp1252" in note)  # of which file: the log itself is UTF-8
    assert read_as.startswith(f"{shop / 'waren.csv'}: ")
    named = recollect.read(shop / "log.csv", items=shop / "waren.csv", item_title="Warentext")
    assert named.titles().tolist() == ["", "Löffel", "Körbchen"]
    assert not any("--item-title" in note for note in named.notes)
    (shop / "artikel.csv").write_bytes("StockCode;Bezeichnung\nA1;Löffel\nB2;Körbchen\n".encode("cp1252"))
    assert recollect.read(shop / "log.csv", items=shop / "artikel.csv").titles().tolist() == ["", "Löffel", "Körbchen"]
