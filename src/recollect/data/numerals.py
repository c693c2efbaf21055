"""Cells of text as numbers: plain (`20.29`), or with a decimal comma where that is how a column is written (`20,29`).

`1,200` may be twelve hundred or one and a fifth; a column is read with decimal commas only where some cell can be
nothing else (`20,29`, `0,125`, `1.234,500`).
"""

from __future__ import annotations

import dataclasses

import polars as pl

_GROUPS = r"[. '’\u00a0\u202f]"
"""What stands between thousands where the comma is the decimal sign."""
_COMMA = rf"^[+-]?(\d+|\d{{1,3}}({_GROUPS}\d{{3}})+),\d+$"
_THOUSANDS = rf"^[+-]?[1-9]\d{{0,2}}({_GROUPS}\d{{3}})+$"
_MAY_BE_ENGLISH = r"^[+-]?[1-9]\d{0,2},\d{3}$"


@dataclasses.dataclass(frozen=True, slots=True)
class Numerals:
    """`values` [rows] Float64, null where a cell is no number. `odd` [n]: the text of the cells that are not empty and
    no numbers. `example`: a cell with a decimal comma, None where the column is not read so."""

    values: pl.Series
    odd: pl.Series
    example: str | None = None


def read_numerals(column: pl.Series) -> Numerals:
    """The numbers of a column of any kind; what is no number is null, and so is NaN."""
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return Numerals(column.cast(pl.Float64, strict=False).fill_nan(None), column.clear().cast(pl.String))
    text = column.cast(pl.String).str.strip_chars()
    values = text.cast(pl.Float64, strict=False)
    unread = values.is_null() & (text != "").fill_null(False)
    odd = text.filter(unread)
    example = _with_comma(text, odd) if len(odd) else None
    if example is None:
        return Numerals(values.fill_nan(None), odd)
    written = text.str.contains(_COMMA) | text.str.contains(_THOUSANDS)
    plain = text.str.replace_all(_GROUPS, "").str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    values = plain.zip_with(written.fill_null(False), values)
    return Numerals(values.fill_nan(None), text.filter(values.is_null() & (text != "").fill_null(False)), example)


def _with_comma(text: pl.Series, odd: pl.Series) -> str | None:
    """A cell that can only have a decimal comma; None if there is none, or if cells contradict it.

    Cells without a digit (`n/a`) say nothing. One with another form (`1,234.50`, `3,5 kg`) contradicts, and so do more
    cells like `1.234` than have a comma: they are plain numbers then.
    """
    digits = odd.filter(odd.str.contains(r"\d"))
    commas = digits.filter(digits.str.contains(_COMMA))
    others = digits.filter(~digits.str.contains(_COMMA))
    certain = commas.filter(~commas.str.contains(_MAY_BE_ENGLISH))
    if not len(certain) or not others.str.contains(_THOUSANDS).all():
        return None
    grouped = int(text.str.contains(_THOUSANDS).sum()) - len(others)
    return str(certain[0]) if len(commas) >= grouped else None
