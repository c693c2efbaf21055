"""Ids that somebody names, one by one, are found in every form that a file may have them in."""

from __future__ import annotations

import numpy as np
import pytest

from recollect.data.id_forms import encode, find
from recollect.data.log import DataError, Vocabulary


def _known(*ids: int | str) -> Vocabulary:
    made = np.empty(len(ids), dtype=np.int64 if isinstance(ids[0], int) else object)
    made[:] = sorted(ids)  # type: ignore[type-var]
    return Vocabulary(made, first=1)


@pytest.mark.parametrize(
    ("known", "named", "meant"),
    [
        (
            (7, 12347),
            ["12347.0", "12347,0", " 12347", 12347.0, np.float32(7), '="7"', "12347"],
            [12347] * 4 + [7, 7, 12347],
        ),
        (("85123A", "12347"), ["12347.00", 12347.0, 12347, "85123A ", "85123A\u200b"], ["12347"] * 3 + ["85123A"] * 2),
        (("1.5", "12347"), ["12347.0", "12347", "1.5", 1.5], [None, "12347", "1.5", "1.5"]),
        (("17.0", "17"), ["17.0", "17"], ["17.0", "17"]),
        (("5,0", "6,0", "5"), ["5,0", ("5", 0), "6,0", "7,0"], ["5,0", "5,0", "6,0", None]),
        ((7, 12347), [None, "", "NA", "12347.5", "12,347", float("nan"), "1e9"], [None] * 7),
    ],
)
def test_ids_are_found_as_they_are_written_and_else_as_a_file_would_have_them(
    known: tuple[int | str, ...], named: list[object], meant: list[object]
) -> None:
    vocabulary = _known(*known)
    codes = encode(vocabulary, named, unknown=0)
    assert [vocabulary.decode(code) if code else None for code in codes] == meant
    assert [find(vocabulary, one) for one in named] == [int(code) or None for code in codes]


def test_a_rounded_id_is_said_where_one_is_asked_for() -> None:
    with pytest.raises(DataError, match="rounded to a float"):
        find(_known(7), "1.7E+12")
    assert encode(_known(7), ["1.7E+12"], unknown=0).tolist() == [0]
