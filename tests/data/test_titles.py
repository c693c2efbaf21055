"""What a person types: ids first, then titles, and never a guess between two items."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.log import DataError, Vocabulary
from recollect.data.titles import containing, resolve_history, resolve_item

TITLES = [
    "Matrix, The (1999)",
    "Heat (1995)",
    "Heat (1986)",
    "Toy Story (1995)",
    "Toy Story 2 (1999)",
    "42",
    "Amélie (2001)",
    "Alien (1979)",
    "Aliens (1986)",
]
ITEMS = Vocabulary(np.arange(10, 10 + len(TITLES)) * 3, first=1)
NAMES = np.array(["", *TITLES], dtype=object)


@pytest.mark.parametrize(
    "text, title",
    [
        ("30", "Matrix, The (1999)"),
        ("matrix, the (1999)", "Matrix, The (1999)"),
        ("The Matrix", "Matrix, The (1999)"),
        ("matrix", "Matrix, The (1999)"),
        ("heat (1995)", "Heat (1995)"),
        ("Toy Story", "Toy Story (1995)"),
        ("toy story 2", "Toy Story 2 (1999)"),
        ("AMÉL", "Amélie (2001)"),
        ("alien", "Alien (1979)"),
    ],
)
def test_found(text, title):
    assert NAMES[resolve_item(text, ITEMS, NAMES)] == title


def test_an_id_in_another_case_is_named_where_titles_have_other_words():
    items = Vocabulary(np.array(["22423", "85123A", "É1"], dtype=object), first=1)
    names = np.array(["", "CAKESTAND", "WHITE HANGING HEART", "ONE"], dtype=object)
    for text, meant in (("85123a", r"WHITE HANGING HEART \(id 85123A\)"), ("e1", r"ONE \(id É1\)")):
        with pytest.raises(DataError, match=rf"no item has the id or title '{text}'; did you mean {meant}\?"):
            resolve_item(text, items, names)


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_is_no_item(text):
    with pytest.raises(DataError, match="no item is named: the text is empty"):
        resolve_item(text, ITEMS, NAMES)


def test_an_id_goes_before_a_title():
    assert NAMES[resolve_item("42", ITEMS, NAMES)] == "Toy Story 2 (1999)"  # the id 42, not the film


@pytest.mark.parametrize(
    "text, error",
    [
        ("heat", r"2 items: Heat \(1995\) \(id 33\), Heat \(1986\) \(id 36\); give the id"),
        ("toy", "2 items"),
        ("Tyo Story", r"no item.*near: Toy Story \(1995\) \(id 39\)"),
        ("story", r"2 titles contain it: Toy Story \(1995\) \(id 39\), Toy Story 2"),
        ("IÉNS", r"1 title contains it: Aliens \(1986\) \(id 54\); give the id"),
        ("melie", r"1 title contains it: Amélie \(2001\) \(id 48\)"),
        ("1979", r"1 title contains it: Alien \(1979\)"),
        ("999", "no item has the id or title '999'; no title is near"),
        ("qqqqqqqq", "no title is near"),
    ],
)
def test_ambiguous_or_unknown(text, error):
    with pytest.raises(DataError, match=error):
        resolve_item(text, ITEMS, NAMES)


@given(st.lists(st.text("aAäÄeéÉsSßxX ", max_size=6), max_size=8), st.text("aAäÄeéÉsSßxX", min_size=1, max_size=3))
def test_titles_that_contain_a_text_are_all_found_whatever_case_and_accents(names: list[str], text: str) -> None:
    table = str.maketrans({"A": "a", "ä": "a", "Ä": "a", "é": "e", "É": "e", "S": "s", "ß": "ss", "X": "x"})
    plain = [" ".join(name.translate(table).split()) for name in names]
    assert sorted(containing(text, names)) == [k for k, name in enumerate(plain) if text.translate(table) in name]


def test_of_titles_that_contain_a_text_those_that_begin_with_it_are_named_first():
    names = ["Handsäge", "Eine Säge", "Sägeblatt", "Hammer"]
    assert containing("SAGE", names) == [2, 1, 0]


def test_history():
    assert resolve_history(" 33; the matrix ;; 33", ITEMS, NAMES).tolist() == [2, 1, 2]
    with pytest.raises(DataError, match="empty"):
        resolve_history(" ; ", ITEMS, NAMES)


def test_an_id_may_be_written_as_a_spreadsheet_does():
    assert resolve_item("33.0", ITEMS, NAMES) == resolve_item("33", ITEMS, NAMES)
    with pytest.raises(DataError, match="no item has the id or title '34.0'"):
        resolve_item("34.0", ITEMS, NAMES)


def test_text_ids():
    items = Vocabulary(np.array(["85123A", "POST"], dtype=object), first=1)
    names = np.array(["", "WHITE HEART", "POSTAGE"], dtype=object)
    assert resolve_history("POST; white heart; 85123A; postage", items, names).tolist() == [2, 1, 1, 2]
