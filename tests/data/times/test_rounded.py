"""Times that lost their last digits are refused where the loss is more than a minute."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from recollect.data.times.column import read_moments

SECONDS = np.random.default_rng(0).integers(1_600_000_000, 1_700_000_000, 30)


def _said(column: pl.Series, form: str | None = None) -> list[str]:
    return [f"{problem.why(0).text}; {problem.remedy}" for problem in read_moments(column.to_frame(), form).problems()]


@pytest.mark.parametrize("per_second", [1, 1000])
def test_what_a_spreadsheet_shortens(per_second: int) -> None:
    """Excel shows eleven digits or fewer: 1.65E+12."""
    for digits in range(12):
        column = pl.Series([f"{second * per_second:.{digits}E}" for second in SECONDS.tolist()])
        lost = 10 ** (len(str(per_second)) + 8 - digits) / per_second  # seconds of the last digit that is left
        assert bool(_said(column)) == (lost >= 60), digits
    assert not _said(pl.Series(["9E8", "9.64982703E8", "1.6e9"]))  # as Java writes them, and Python
    assert "is rounded to" in _said(pl.Series(["1.65E+12", "1.7E+12"]))[0]
    assert not _said(pl.Series(["1.65E+12", "1.7E+12"]), "unix-ms")


def test_floats_of_32_bits_know_two_minutes() -> None:
    column = pl.Series(SECONDS).cast(pl.Float32)
    lost = np.abs(column.cast(pl.Float64).to_numpy() - SECONDS).max()
    assert lost > 30 and "is rounded to 128 seconds" in _said(column)[0]
    assert not _said(column, "unix") and not _said(pl.Series(SECONDS).cast(pl.Float64))
    assert not _said(pl.Series([5, 7, 100], dtype=pl.Float32))
