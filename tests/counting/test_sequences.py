"""Orders compared many at once against tables filled cell by cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.counting import sequences
from recollect.counting.sequences import Sequences, edit_distance, last_codes, longest_common

from .brute import alike_in_order, common, edits
from .material import SIZE, Rows, ragged, rows_of_items

pairs_of_rows = st.lists(st.tuples(*[st.lists(st.integers(1, 4), max_size=9)] * 2), min_size=1, max_size=6)


def padded(rows: Rows, last: int = 9) -> np.ndarray:
    found = ragged(rows)
    return last_codes(found.items, found.offsets, last)


@given(rows_of_items, st.integers(1, 14))
def test_the_last_codes_are_those_at_the_end(rows: Rows, last: int) -> None:
    expected = [row[-last:] + [0] * (last - len(row)) for row in rows]
    assert padded(rows, last).tolist() == expected


@given(pairs_of_rows)
def test_tables_of_many_pairs_are_those_of_each(pairs: list[tuple[list[int], list[int]]]) -> None:
    first, second = [list(one) for one, _ in pairs], [list(two) for _, two in pairs]
    a, b = padded(first), padded(second, 11)
    assert longest_common(a, b).tolist() == [common(x, y) for x, y in zip(first, second, strict=True)]
    assert edit_distance(a, b).tolist() == [edits(x, y) for x, y in zip(first, second, strict=True)]


@pytest.mark.parametrize("measure", ["lcs", "edit"])
@pytest.mark.parametrize("shrink", [0.0, 2.5])
def test_similarity_is_the_definition(measure: str, shrink: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "CELLS", 60)
    draw = np.random.default_rng(0)
    one, two = ([draw.integers(1, SIZE, draw.integers(0, 8)).tolist() for _ in range(n)] for n in (20, 30))
    asked, known = (Sequences(padded(rows), SIZE, measure, shrink) for rows in (one, two))
    found = asked.similar(known).tocoo()
    table = np.full(found.shape, np.nan)
    table[found.coords] = found.data
    expected = np.array([[alike_in_order(measure, a, b, shrink) for b in two] for a in one])
    assert np.array_equal(np.isfinite(table), np.isfinite(expected))
    assert np.nanmax(np.abs(table - expected)) < 1e-6
    assert (np.diff(found.tocsr().indptr) <= asked.work(known)).all()


def test_long_sequences_do_not_overflow() -> None:
    long = np.ones((1, 200), dtype=np.int32)
    assert longest_common(long, long) == 200
    assert edit_distance(long, long + 1) == 200
