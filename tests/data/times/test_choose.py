"""Which column is the time: known names, finer rivals, and what is not known but holds times is named."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from recollect.data.log import DataError
from recollect.data.times.choose import Choice, choose, watch

START = dt.datetime(2024, 5, 31, 22, 30, 15, 250_000)
MOMENTS = [START + dt.timedelta(hours=7 * k, milliseconds=10 * k) for k in range(12)]
SECONDS = [int(m.replace(tzinfo=dt.UTC).timestamp()) for m in MOMENTS]
TEXTS = [f"{m:%Y-%m-%d %H:%M:%S}" for m in MOMENTS]
DAYS = [f"{m:%Y-%m-%d}" for m in MOMENTS]
MILLIS = [second * 1000 + m.microsecond // 1000 for m, second in zip(MOMENTS, SECONDS, strict=True)]


def _choose(**columns: list[object]) -> Choice:
    frame = pl.DataFrame({"user": range(12), "item": range(12), **columns}, strict=False)
    return choose(frame.columns, ("user", "item"), lambda: frame, "x.csv")


USUAL = """
    timestamp Timestamp time datetime date ts event_time event_timestamp event_date eventdate eventTime created
    created_at createdAt creation_date date_created created_utc createdDate ordered_at order_date order_time
    orderDate order_purchase_timestamp purchased_at purchase_date purchase_time bought_at t_dat transaction_date
    TRANSACTION_DT invoice_date InvoiceDate paid_at dt when occurred_at happened_at logged_at log_time server_time
    local_time start_time started_at end_time endTime click_time clicked_at click_timestamp viewed_at watched_at
    played_at listened_at scrobble_time rated_at rating_date rating_timestamp review_date reviewTime
    unixReviewTime date_posted posted_at added_at date_added inserted_at updated_at modified_at last_updated
    submitted_at visit_date checkin_time utc_time UTCTime epoch unix_time action_time interaction_time access_time
    read_at liked_at sold_at tran_date txn_date session_date recorded_at timestamp_ms request_time ts_ms
    Datum Zeitstempel Bestelldatum kaufdatum Rechnungsdatum erstellt_am horodatage date_achat date_commande dateHeure
    fecha fecha_hora fecha_compra fecha_creación data_ora data_compra data_acquisto
"""


@pytest.mark.parametrize("name", USUAL.split())
def test_usual_names_are_known(name: str) -> None:
    for values in (TEXTS, SECONDS, DAYS):
        assert _choose(price=[9.5] * 12, **{name: list(values)}).time == (name,)
    assert choose(["user", "item", name, "price"], ("user", "item"), None, "x.csv").time == (name,)


def test_the_finest_of_the_same_moments_is_taken_and_said() -> None:
    for name in ("time_ms", "stamp"):  # known or not
        chosen = _choose(date=list(DAYS), **{name: list(MILLIS)})
        assert chosen.time == (name,) and chosen.notes == (f"{name} is the time: it tells the same as date, and finer",)
    zoned = _choose(date=[f"{m + dt.timedelta(hours=8):%Y%m%d}" for m in MOMENTS], time_ms=list(MILLIS))
    assert zoned.time == ("time_ms",)
    assert _choose(timestamp=list(SECONDS), time_ms=list(MILLIS)).time == ("time_ms",)


def test_a_finer_column_of_other_moments_is_not_taken() -> None:
    later = [milli + 86_400_000 * 40 for milli in MILLIS]
    chosen = _choose(date=list(DAYS), time_ms=list(later))
    assert chosen.time == ("date",) and chosen.notes == (
        "date is the time; time_ms could be too: --time takes another",
    )
    soon = [milli + 90_000 for milli in MILLIS]
    assert _choose(created_at=list(TEXTS), updated_at=list(soon)).time == ("created_at",)


def test_a_known_name_without_times_gives_way() -> None:
    assert _choose(time=["morning", "evening"] * 6, date=list(DAYS)).time == ("date",)
    assert _choose(timestamp=list(range(12)), date=list(DAYS)).time == ("date",)
    assert _choose(timestamp=[None] * 12, date=list(DAYS)).time == ("date",)
    assert _choose(timestamp=list(range(12))).time == ("timestamp",)
    assert _choose(time=["morning"] * 12).time == ("time",)  # whose first row is then answered


@pytest.mark.parametrize("values", [TEXTS, DAYS, SECONDS, MILLIS, [f"{m:%d.%m.%Y}" for m in MOMENTS], MOMENTS])
def test_a_column_of_times_is_not_passed_over(values: list[object]) -> None:
    with pytest.raises(DataError) as error:
        _choose(price=[1.5] * 12, moment_of_truth_col=list(values))
    assert str(error.value).startswith("x.csv: no column is known as the time, but 'moment_of_truth_col' holds dates")
    assert "--time moment_of_truth_col, or --time none" in str(error.value)


def test_names_that_say_time_are_taken_if_they_agree() -> None:
    assert _choose(lesson_done_at=list(TEXTS)).time == ("lesson_done_at",)
    assert _choose(lesson_day=list(DAYS), lesson_done_at=list(TEXTS)).time == ("lesson_done_at",)
    with pytest.raises(DataError, match="'shipped_at' holds dates.* \\('sent_back_at' does too\\)"):
        _choose(shipped_at=list(TEXTS), sent_back_at=[second + 10**7 for second in SECONDS])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("order_id", SECONDS), ("Bestellnummer", SECONDS),
        ("phone", SECONDS), ("isbn", SECONDS), ("price", [1.5 + k for k in range(12)]),
        ("year", [2019 + k % 4 for k in range(12)]), ("zip", [33000 + k for k in range(12)]),
        ("period", list(range(12))), ("city", ["Rome"] * 12), ("exported_on", DAYS[:1] * 12),
        ("version", ["1.10.12"] * 12), ("flag", [True] * 12),
    ],
)  # fmt: skip
def test_what_is_no_time_stops_nobody(name: str, values: list[object]) -> None:
    assert _choose(**{name: list(values)}).time == ()


@pytest.mark.parametrize("name", ["published_at", "registered_on", "signup_date", "valid_until_date"])
def test_times_that_may_be_of_things_are_asked_about(name: str) -> None:
    with pytest.raises(DataError, match=f"--time {name}, or --time none"):
        _choose(**{name: list(TEXTS)})


def test_dates_of_people_and_things_are_said_and_not_taken() -> None:
    for names in (("birth_date", "release_date"), ("Geburtsdatum", "fecha_nacimiento"), ("date_naissance", "dob")):
        chosen = _choose(**{name: list(DAYS) for name in names})
        assert chosen.time == () and ", ".join(names) in chosen.notes[0]


def test_a_time_of_day_joins_its_date() -> None:
    clocks = [f"{m:%H:%M:%S}" for m in MOMENTS]
    hours = [int(f"{m:%H%M}") for m in MOMENTS]
    for columns in ({"date": DAYS, "time": clocks}, {"date": DAYS, "hourmin": hours}, {"time": clocks, "date": DAYS}):
        name = next(name for name in columns if name != "date")
        chosen = _choose(**{key: list(values) for key, values in columns.items()})
        assert chosen.time == ("date", name) and name in chosen.notes[0]
    assert _choose(date=list(DAYS), hourmin=list(hours), time_ms=list(MILLIS)).time == ("time_ms",)
    assert _choose(date=list(TEXTS), time=list(clocks)).time == ("date",)  # it has its own
    assert _choose(date=list(DAYS), time=[5000 + k * 99 for k in range(12)]).time == ("date",)
    with pytest.raises(DataError, match="--time on_what_days,at_what_hour, or"):
        _choose(on_what_days=list(DAYS), at_what_hour=list(clocks))


def test_a_date_of_unclear_order_gives_way_to_one_that_is_clear() -> None:
    unclear = [f"0{k % 9 + 1}/05/2024" for k in range(12)]
    assert _choose(date=list(unclear), ts=list(SECONDS)).time == ("ts",)
    assert _choose(date=list(unclear)).time == ("date",)  # and is then asked about, with its row


def test_what_is_watched_where_the_order_of_the_rows_is_used() -> None:
    def watched(**columns: list[object]) -> tuple[str, ...]:
        frame = pl.DataFrame({"user": range(12), "item": range(12), **columns}, strict=False)
        assert watch(frame.columns, ("user", "item"), None) == ()
        return watch(frame.columns, ("user", "item"), lambda: frame)

    assert watched(price=[1.0] * 12, bought=list(DAYS)) == ("bought",)
    assert watched(shipped=list(SECONDS), timestamp=list(DAYS)) == ("timestamp",)
    assert watched(order_id=list(range(12, 0, -1))) == ("order_id",)
    assert watched(order_id=list(range(12)), score=list(range(12, 0, -1))) == ()


def test_tables_with_anything_in_them_are_looked_at() -> None:
    odd: dict[str, list[object]] = {
        "lists": [[1], [2]] * 6, "records": [{"a": 1}] * 12, "bytes": [b"\x00"] * 12, "objects": [object()] * 12,
        "nothing": [None] * 12, "times": [dt.time(1)] * 12, "spans": [dt.timedelta(1)] * 12,
    }  # fmt: skip
    frame = pl.DataFrame({name: pl.Series(values, strict=False) for name, values in odd.items()})
    assert choose(frame.columns, (), lambda: frame, "x").time == ()
    assert choose(frame.columns, (), lambda: frame.clear(), "x").time == ()


def test_what_is_the_same_in_the_first_thousand_rows_may_be_a_time() -> None:
    """A big shop sells more than that in a day."""
    frame = pl.DataFrame({"user": range(1000), "item": range(1000), "tag_der_bestellung": ["2024-05-31"] * 1000})
    with pytest.raises(DataError, match="'tag_der_bestellung' holds dates"):
        choose(frame.columns, ("user", "item"), lambda: frame, "x.csv")


def test_categories_are_looked_at_without_a_crash() -> None:
    """Where no column is a time every other one is watched for falling, categories too."""
    falling = pl.Series([str(9 - place) for place in range(8)], dtype=pl.Categorical)
    frame = pl.DataFrame({"user": range(8), "item": range(8), "price": falling, "tags": [["a"]] * 8})
    assert choose(frame.columns, ("user", "item"), lambda: frame, "x").time == ()
