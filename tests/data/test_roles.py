"""Which column is which: guesses that people expect, and errors that name what is there."""

from __future__ import annotations

import pytest

from recollect.data.log import DataError
from recollect.data.reading import NO_TIME, Reading
from recollect.data.roles import resolve, shown


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["userId", "movieId", "rating", "timestamp"], ("userId", "movieId", "timestamp")),
        (["timestamp", "visitorid", "event", "itemid", "transactionid"], ("visitorid", "itemid", "timestamp")),
        (["reviewerID", "asin", "overall", "unixReviewTime", "reviewTime"], ("reviewerID", "asin", "unixReviewTime")),
        (
            ["Invoice", "StockCode", "Quantity", "InvoiceDate", "Customer ID"],
            ("Customer ID", "StockCode", "InvoiceDate"),
        ),
        (["session_id", "user_id", "track_id", "date"], ("user_id", "track_id", "date")),
        (["user", "item"], ("user", "item", None)),
        (["Datum", "Artikel", "Artikelnummer", "Kundennummer"], ("Kundennummer", "Artikelnummer", "Datum")),
        (["session_id", "kunde", "produkt_id", "zeitstempel"], ("kunde", "produkt_id", "zeitstempel")),
        (["id_client", "Produit", "horodatage"], ("id_client", "Produit", "horodatage")),
        (["utilisateur", "article", "date_achat"], ("utilisateur", "article", "date_achat")),
        (["Cliente", "Artículo", "fecha"], ("Cliente", "Artículo", "fecha")),
        (["usuario_id", "id_producto", "fecha_compra"], ("usuario_id", "id_producto", "fecha_compra")),
        (["utente", "prodotto", "data_acquisto"], ("utente", "prodotto", "data_acquisto")),
    ],
)
def test_well_known_names_are_found(names: list[str], found: tuple[str, str, str | None]) -> None:
    roles = resolve(names, Reading(), "x")
    assert (shown(roles.user), shown(roles.item), shown(roles.time) or None) == found
    assert roles.notes[0] == f"columns: user = {found[0]}, item = {found[1]}, time = {found[2] or '(none)'}"
    assert (len(roles.notes) == 2) == (found[2] is None)


def test_what_is_asked_for_wins_over_a_guess() -> None:
    roles = resolve(["user_id", "item_id", "timestamp", "buyer"], Reading(user="buyer", values=("user_id",)), "x")
    assert roles.user == ("buyer",) and roles.columns == ("buyer", "item_id", "timestamp", "user_id")


def test_the_time_can_be_refused() -> None:
    assert resolve(["user", "item", "time"], Reading(time=NO_TIME), "x").time == ()
    assert resolve(["user", "item", "none"], Reading(time="none"), "x").time == ("none",)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Reading(user="usr"), r"^x\.csv: no column 'usr'; did you mean 'user'\?; there are 'user', 'item', 'time'$"),
        (Reading(time="zzzzz"), r"^x\.csv: no column 'zzzzz'; there are 'user', 'item', 'time'$"),
        (Reading(values=("raiting",)), r"^x\.csv: no column 'raiting'; there are"),
        (Reading(item="user"), r"must be three columns, not 'user', 'user' and 'time'"),
    ],
)
def test_what_is_not_there_is_answered(wanted: Reading, message: str) -> None:
    with pytest.raises(DataError, match=message):
        resolve(["user", "item", "time"], wanted, "x.csv")


def test_long_and_many_names_stay_one_short_line() -> None:
    names = ["x" * 10**6, *map(str, range(500))]
    with pytest.raises(DataError) as error:
        resolve(names, Reading(user="y" * 10**6), "x.csv")
    assert len(str(error.value)) < 500 and "481 more" in str(error.value)


@pytest.mark.parametrize("names", [("User", "user"), ("user", "User"), ("userId", "user_id"), ("USER ID", "user-id")])
def test_two_columns_of_one_name_are_asked_about(names: tuple[str, str]) -> None:
    with pytest.raises(DataError, match=rf"'{names[0]}' and '{names[1]}' may both be the user; say --user {names[0]}"):
        resolve((*names, "item"), Reading(), "log.csv")
    assert resolve((*names, "item"), Reading(user=names[1]), "log.csv").user == (names[1],)
