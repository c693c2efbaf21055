"""Side data must stand beside the id it describes, whatever order and kind it came in."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.log import Vocabulary
from recollect.data.side_table import Side, as_values, describe, line_up


@given(st.sets(st.integers(-50, 50), min_size=1), st.lists(st.integers(-50, 50), min_size=1, unique=True))
def test_every_id_gets_its_own_row_or_nothing(known: set[int], described: list[int]) -> None:
    frame = pl.DataFrame({"text": [f"n{i}" for i in described], "id": [str(i) for i in described], "x": described})
    table = line_up(frame, "id", Vocabulary(np.array(sorted(known)), first=1))
    if not known & set(described):
        assert table is None
        return
    assert table is not None
    assert table["text"].tolist() == [f"n{i}" if i in described else None for i in sorted(known)]
    assert [None if np.isnan(x) else int(x) for x in table["x"]] == [
        i if i in described else None for i in sorted(known)
    ]


def test_text_ids_find_integer_keys() -> None:
    table = line_up(pl.DataFrame({"id": [7, 8], "t": ["x", "y"]}), "id", Vocabulary(np.array(["7", "A"], dtype=object)))
    assert table is not None and table["t"].tolist() == ["x", None]


def test_the_first_of_two_rows_counts_and_nothing_else_is_no_table() -> None:
    vocabulary = Vocabulary(np.array([1, 2]))
    table = line_up(pl.DataFrame({"id": [1, 1, None], "key": ["a", "b", "c"]}), "id", vocabulary)
    assert table is not None and table["key"].tolist() == ["a", None]
    assert line_up(pl.DataFrame({"id": [1]}), "id", vocabulary) is None


def test_kinds_of_columns() -> None:
    assert as_values(pl.Series(["1", "2.5", "", None])).dtype == np.float64
    assert as_values(pl.Series(["01", "2"])).tolist() == ["01", "2"]  # a code, not a number
    assert as_values(pl.Series([True, None])).tolist()[0] == 1.0
    assert as_values(pl.Series([["a", "b"], None])).tolist() == ["a|b", None]
    assert as_values(pl.Series([[1, 2], [3]])).tolist() == ["1|2", "3"]
    assert as_values(pl.Series([None, None], dtype=pl.String)).tolist() == [None, None]
    assert as_values(pl.Series(["a"], dtype=pl.Categorical)).dtype == object
    assert as_values(pl.Series([{"a": 1}])).dtype == object


def test_rows_about_what_was_described_before_are_said() -> None:
    notes: list[str] = []
    side = Side(pl.DataFrame({"id": [1, 1, 2, None], "title": ["a", "b", "c", "d"]}), "id", place="films.csv")
    describe(side, Vocabulary(np.array([1, 2])), "item", notes)
    assert notes == [
        "films.csv: describes 2 of 2 items (by id); 1 rows more are about items that were described before, and are "
        "left out"
    ]
