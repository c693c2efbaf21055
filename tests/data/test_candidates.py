"""Which items may be in a list, against sets of Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.candidates import allowed_mask, parse_within, unknown_ids
from recollect.data.log import DataError, Table, Vocabulary

NAMES = ["a", "b", "c", "d", "e", "f"]
ITEMS = Vocabulary(np.array(NAMES, dtype=object), first=1)
GENRES = ["Comedy|Drama", "Drama", None, "Comedy", "Dramatic | Comedy", "|"]
YEARS = [1999.0, 2000.0, np.nan, 1999.0, 1999.5, 0.0]
TABLE = Table({"genres": np.array(GENRES, dtype=object), "year": np.array(YEARS)})


def chosen(mask: np.ndarray | None) -> set[str] | None:
    return None if mask is None else {NAMES[code - 1] for code in np.flatnonzero(mask)}


SOME = st.none() | st.lists(st.sampled_from([*NAMES, "x", "y"]), max_size=8)
CONDITIONS = st.lists(
    st.sampled_from([("genres", "Comedy"), ("genres", "Drama"), ("year", "1999"), ("year", 2000)]), max_size=3
)


@given(allow=SOME, deny=SOME, within=CONDITIONS)
def test_what_is_asked_for_holds_together(allow, deny, within):
    wanted = set(NAMES) if allow is None else set(allow) & set(NAMES)
    for _, value in within:
        having = {"Comedy": {"a", "d", "e"}, "Drama": {"a", "b"}, "1999": {"a", "d"}, 2000: {"b"}}[value]
        wanted &= having
    wanted -= set(deny or ())
    mask = allowed_mask(ITEMS, TABLE, allow=allow, deny=deny, within=within)
    assert chosen(mask) == (None if allow is None and deny is None and not within else wanted)
    assert mask is None or (mask.shape == (7,) and not mask[0])


def test_whole_numbers_are_found_as_text_and_the_other_way_round():
    numbers = Vocabulary(np.array([3, 5, 8]), first=1)
    mask = allowed_mask(numbers, allow=["5", 8, "08"])
    assert mask is not None and mask.tolist() == [False, False, True, True]
    assert unknown_ids(numbers, ["5", 8, "08", "x"]) == ["08", "x"]


def test_a_column_may_be_given_by_name_and_a_flag_by_its_word():
    table = Table({"on_sale": np.array([1.0, 0.0, np.nan, 1.0, 0.0, 0.0])})
    assert chosen(allowed_mask(ITEMS, table, within={"on_sale": "true"})) == {"a", "d"}
    assert chosen(allowed_mask(ITEMS, table, within={"on_sale": False})) == {"b", "e", "f"}


def test_two_tables_are_not_taken_for_one_another():
    """The work on a column is kept for the next question: of that column only."""
    for k in range(200):
        names = np.array([None] * 6, dtype=object)
        names[k % 6] = "x"
        assert chosen(allowed_mask(ITEMS, Table({"kind": names}), within={"kind": "x"})) == {NAMES[k % 6]}


@pytest.mark.parametrize(
    ("within", "message"),
    [
        (
            {"genre": "Drama"},
            "within genre: the table of items has no such column; it has genres, year; did you mean 'gen",
        ),
        ({"genres": "drama"}, "within genres: no item has 'drama'; did you mean 'Drama'?"),
        ({"genres": "Horror"}, "within genres: no item has 'Horror'; "),
        ({"genres": "Com"}, "within genres: no item has 'Com'; "),
        ({"year": "1998"}, "within year: no item has '1998'; its numbers go from 0 to 2000"),
        ({"year": "late"}, "within year: 'late' is no number; its numbers go from 0 to 2000"),
    ],
)
def test_what_is_not_there_is_refused_and_what_is_there_is_named(within, message):
    with pytest.raises(DataError) as caught:
        allowed_mask(ITEMS, TABLE, within=within)
    assert str(caught.value).startswith(message)


def test_a_model_without_a_table_says_so():
    with pytest.raises(DataError, match="kept without a table of items"):
        allowed_mask(ITEMS, None, within={"genres": "Drama"})


def test_a_pair_as_it_is_typed():
    assert parse_within(" genres = Sci-Fi=x ") == ("genres", "Sci-Fi=x")
    for text in ("genres", "=x", "genres=", ""):
        with pytest.raises(DataError, match="expected column=value"):
            parse_within(text)
