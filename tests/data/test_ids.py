"""Ids as people have them: what a spreadsheet, a database or a data frame did to an id is undone, or refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.id_forms import find
from recollect.data.ids import Coded, code
from recollect.data.log import DataError, Vocabulary
from recollect.data.missing import MISSING_WORDS


def coded(*values: object, keep_words: bool = False, dtype: pl.DataType | None = None) -> Coded:
    return code(pl.DataFrame({"x": pl.Series(values, dtype=dtype, strict=False)}), ("x",), keep_words=keep_words)


def read(*values: object, **options: bool) -> list[object]:
    """The id of each row, None where there is none."""
    one = coded(*values, **options)  # type: ignore[arg-type]
    return [None if place < 0 else one.ids[place] for place in one.codes]


@pytest.mark.parametrize("word", [*MISSING_WORDS, "NA", "NULL", "None", "NaN", "\\N", "N/A", " NA ", "<NA>", "#N/A"])
def test_words_for_nothing_are_no_ids(word: str) -> None:
    assert read("17", word, "18") == [17, None, 18]
    assert read("a", word, "b") == ["a", None, "b"]
    kept = read("a", word, "b", keep_words=True)
    assert kept == ["a", word.strip() or None, "b"]


def test_the_words_are_counted() -> None:
    assert dict(coded("NA", "1", "NA", "-", "").words) == {"NA": 2, "-": 1}


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (["17850", "17850.0", "17850.00"], [17850] * 3),
        (["A1", "17850.0", "17850"], ["A1", "17850", "17850"]),
        (["17850", "17850,0", "17850,00"], [17850] * 3),
        (["A1", "17850,0", "17850"], ["A1", "17850", "17850"]),
        (["17850,0", "17850,5"], ["17850,0", "17850,5"]),
        (["17,000", "18,0"], ["17,000", "18"]),
        (["007", "7", "7.0"], ["007", "7", "7"]),
        (["1.0", "1.5"], ["1.0", "1.5"]),  # fractions: versions, not integers that became floats
        ([17850.0, float("nan"), 3.0], [17850, None, 3]),
        ([1.5, 2.0], ["1.5", "2.0"]),
        (["sku1", " sku1", "sku1 ", "sku1\u00a0", "\ufeffsku1"], ["sku1"] * 5),
        (["caf\u00e9", "cafe\u0301"], ["café"] * 2),
    ],
)
def test_one_thing_has_one_id(values: list[object], ids: list[object]) -> None:
    assert read(*values) == ids


@pytest.mark.parametrize(
    ("known", "typed", "meant"),
    [
        ([7, 17000], "17000.0", 17000),
        ([7, 17000], " 17000", 17000),
        ([7, 17000], "017000", None),
        (["A1", "17000"], "17000.00", "17000"),
        (["A1", "café"], "cafe\u0301 ", "café"),
        (["1.0", "1"], "1.0", "1.0"),  # as it is written, before anything else
        (["NA", "B"], "NA", "NA"),
        ([7, 17000], "NA", None),
        ([7, 17000], "", None),
    ],
)
def test_a_typed_id_is_found_in_every_form_that_a_file_may_have(known: list[object], typed: str, meant: object) -> None:
    vocabulary = Vocabulary(np.array(sorted(known), dtype=object if isinstance(known[0], str) else np.int64), first=1)  # type: ignore[type-var]
    found = find(vocabulary, typed)
    assert (None if found is None else vocabulary.decode(found)) == meant
    if typed not in ("1.0", "NA"):
        assert found == (None if read(typed) == [None] else vocabulary.find(read(typed)[0]))


def test_what_was_done_is_said() -> None:
    assert any("17850.0 are read as 17850" in note for note in coded("17850.0", "17850").notes)
    assert any("blanks around 2 ids" in note for note in coded("a", " a", "a ").notes)
    assert coded("1", "2").notes == () and coded("a", "b").notes == ()


@pytest.mark.parametrize("pair", [("SKU1", "sku1"), ("007", "7a"), ("Ａ1", "a1"), ("x  y", "x y")])
def test_ids_that_look_alike_are_named_and_kept_apart(pair: tuple[str, str]) -> None:
    one = coded(*pair, "other")
    alike = pair != ("007", "7a")
    assert len(one.ids) == 3
    assert any(f"{min(pair)!r} and {max(pair)!r}" in note for note in one.notes) == alike


def test_many_that_look_alike_are_a_short_note() -> None:
    (note,) = coded(*[form for k in range(50) for form in (f"a{k}", f"A{k}")]).notes
    assert "and 47 more" in note and len(note) < 300


@pytest.mark.parametrize("rounded", [[2.0**53, 1.0], [1e300], [-(2.0**60)]])
def test_rounded_floats_are_refused(rounded: list[float]) -> None:
    with pytest.raises(DataError, match=r"column 'x' is float64, which rounds integers"):
        coded(*rounded)
    assert read(2.0**53 - 1) == [2**53 - 1]


@pytest.mark.parametrize("rounded", ["1.23457E+17", "9e+15"])
def test_rounded_text_is_refused(rounded: str) -> None:
    with pytest.raises(DataError, match=r"holds '.*', an id that a program rounded"):
        coded("1", rounded)
    assert read("12e4", "5E7") == ["12e4", "5E7"]  # parts of hashes


def test_a_key_of_two_columns_keeps_different_pairs_apart() -> None:
    frame = pl.DataFrame({"u": ["a,b", "a", None, "a"], "s": ["c", "b,c", "1", "1.0"]})
    one = code(frame, ("u", "s"))
    assert one.missing.tolist() == [False, False, True, False]
    assert one.ids[one.codes[[0, 1, 3]]].tolist() == ["a,b|c", "a|b,c", "a|1"]
    numbers = code(pl.DataFrame({"u": [1, 2, 1], "s": [0, 0, 0]}), ("u", "s"))
    assert numbers.ids.tolist() == ["1,0", "2,0"] and numbers.codes.tolist() == [0, 1, 0]


@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1).map(str), st.text(max_size=6), st.none()), max_size=30))
def test_codes_agree_with_a_dictionary(values: list[str | None]) -> None:
    """The oracle cleans each value by itself, with Python's own string methods."""
    blanks = " \t\n\r\v\f"  # Unicode's, as far as ASCII goes; Python strips its information separators too
    try:
        got = read(*values) if values else []
    except DataError:
        assert any(v and "+" in v for v in values)
        return

    def clean(value: str | None) -> str | None:
        if value is None:
            return None
        plain = value.strip(blanks)
        return None if plain.lower() in MISSING_WORDS else plain

    if any(ord(c) > 127 for v in values if v for c in v):  # what is invisible is the subject of another test
        assert len(got) == len(values)
        return
    wanted = [clean(value) for value in values]
    if any(w and ("." in w or "," in w or "e" in w.lower()) for w in wanted):
        return
    assert [None if one is None else str(one) for one in got] == wanted


def test_codes_are_places_in_sorted_ids() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.integers(-50, 50, 500), rng.integers(-(2**62), 2**62, 500)):
        one = code(pl.DataFrame({"x": values}), ("x",))
        ids, codes = np.unique(values, return_inverse=True)
        assert np.array_equal(one.ids, ids) and np.array_equal(one.codes, codes)
    texts = [f"é{k}" for k in rng.integers(0, 99, 500)]
    one = code(pl.DataFrame({"x": texts}), ("x",))
    assert one.ids.tolist() == sorted(set(texts)) and one.ids[one.codes].tolist() == texts


@pytest.mark.parametrize(
    ("kind", "first_lost"), [(pl.Float32(), 2**24), (pl.Float64(), 2**53)], ids=["float32", "float64"]
)
@pytest.mark.parametrize("also", [2.0, 1.5, float("inf")])
def test_floats_too_large_for_their_kind_are_refused_whatever_is_beside_them(
    kind: pl.DataType, first_lost: int, also: float
) -> None:
    column = pl.Series([float(first_lost + 1), also]).cast(kind)
    assert column[0] == first_lost, "the id was rounded before it came here"
    with pytest.raises(DataError, match="rounds integers"):
        coded(*column.to_list(), dtype=kind)
    assert len(coded(float(first_lost - 1), 2.0, dtype=kind).ids) == 2


@pytest.mark.parametrize("value", ["7.65612E+16", "7.65612E16", "7.65612e16", "8E+16"])
def test_an_id_in_scientific_notation_is_refused(value: str) -> None:
    with pytest.raises(DataError, match="rounded to a float"):
        coded(value, "a")


def test_parts_of_hashes_are_no_scientific_notation() -> None:
    assert read("5e10", "a1b2", "9e07") == ["5e10", "a1b2", "9e07"]


@pytest.mark.parametrize("sign", ["\u200e", "\u202c", "\u00ad", "\u2069"])
def test_signs_that_are_not_seen_are_no_part_of_an_id(sign: str) -> None:
    assert read("ab", f"{sign}ab", f"a{sign}b", f"ab{sign}") == ["ab"] * 4


def test_letters_of_another_alphabet_that_are_drawn_alike_are_said() -> None:
    one = coded("A1", "\u04101", "B2")
    assert len(one.ids) == 3
    assert any("look alike" in note for note in one.notes)


def test_what_keeps_a_spreadsheet_from_rounding_is_no_part_of_an_id() -> None:
    assert read('="0017"', '="0018"', "0017") == ["0017", "0018", "0017"]
    assert read('="17"', '="18"', "17") == [17, 18, 17]
    assert read('="NA"', '="x"') == [None, "x"]
    assert any('="0017"' in note for note in coded('="0017"', "0018").notes)
    assert read('="a"&"b"', "=1+1") == ['="a"&"b"', "=1+1"]


def test_ids_that_become_one_by_unseen_signs_are_said() -> None:
    assert read("e\u0301", "\u00e9", "x\u200b", "x") == ["\u00e9", "\u00e9", "x", "x"]
    notes = coded("e\u0301", "x\u200b", "a").notes
    assert any(note.startswith("x: 2 ids are read in one form of Unicode") for note in notes)
    assert not coded("\u00e9", "x").notes
