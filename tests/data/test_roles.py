"""Which column is which: guesses that people expect, and errors that name what is there."""

from __future__ import annotations

import pytest

from recollect.data.log import DataError
from recollect.data.roles import NO_TIME, Wanted, resolve


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
    ],
)
def test_well_known_names_are_found(names: list[str], found: tuple[str, str, str | None]) -> None:
    roles = resolve(names, Wanted(), "x")
    assert (roles.user, roles.item, roles.time) == found
    assert roles.notes[0] == f"columns: user = {found[0]}, item = {found[1]}, time = {found[2] or '(none)'}"
    assert (len(roles.notes) == 2) == (found[2] is None)


def test_what_is_asked_for_wins_over_a_guess() -> None:
    roles = resolve(["user_id", "item_id", "timestamp", "buyer"], Wanted(user="buyer", values=("user_id",)), "x")
    assert roles.user == "buyer" and roles.columns == ("buyer", "item_id", "timestamp", "user_id")


def test_the_time_can_be_refused() -> None:
    assert resolve(["user", "item", "time"], Wanted(time=NO_TIME), "x").time is None
    assert resolve(["user", "item", "none"], Wanted(time="none"), "x").time == "none"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted(user="usr"), r"^x\.csv: no column 'usr'; did you mean 'user'\?; there are 'user', 'item', 'time'$"),
        (Wanted(time="zzzzz"), r"^x\.csv: no column 'zzzzz'; there are 'user', 'item', 'time'$"),
        (Wanted(values=("raiting",)), r"^x\.csv: no column 'raiting'; there are"),
        (Wanted(item="user"), r"must be three columns, not 'user', 'user' and 'time'"),
    ],
)
def test_what_is_not_there_is_answered(wanted: Wanted, message: str) -> None:
    with pytest.raises(DataError, match=message):
        resolve(["user", "item", "time"], wanted, "x.csv")


def test_long_and_many_names_stay_one_short_line() -> None:
    names = ["x" * 10**6, *map(str, range(500))]
    with pytest.raises(DataError) as error:
        resolve(names, Wanted(user="y" * 10**6), "x.csv")
    assert len(str(error.value)) < 500 and "481 more" in str(error.value)
