"""Ids as people have them, to one id for each thing and a code for each row.

What a spreadsheet, a database or a data frame did to an id is undone: blanks around it, another Unicode form, `17850.0`
or `17850,0` for `17850`, a word for nothing. Everything is decided on the distinct ids, so that it costs little on many
rows.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl

from recollect.data.id_forms import (
    COMMA_ZERO,
    FORMULA,
    INVISIBLE,
    OTHER_COMMA,
    OTHER_FRACTION,
    POINT_ZERO,
    SCIENTIFIC,
)
from recollect.data.log import SIGNS, DataError
from recollect.data.missing import MISSING_WORDS
from recollect.data.roles import shown

EXACT = {"Float64": 2.0**53, "Float32": 2.0**24, "Float16": 2.0**11}
"""From here on a float of a kind no longer holds every integer."""

# Letters of other alphabets that are drawn as Latin ones: "\u0410" looks like "A".
_DRAWN_ALIKE = dict(
    zip("АВЕКМНОРСТУХЅІЈаеорсухѕіјΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEKMHOPCTYXSIJaeopcyxsijABEZHIKMNOPTYXo", strict=True)
)
_LIKENESS_SHOWN = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Coded:
    """A column of ids: `codes` [n] into `ids` (sorted; int64, or object of str), -1 where there is none."""

    codes: np.ndarray
    ids: np.ndarray
    notes: tuple[str, ...] = ()
    words: tuple[tuple[str, int], ...] = ()
    """The words that were taken for nothing, and in how many rows."""

    @property
    def missing(self) -> np.ndarray:
        return self.codes < 0

    def rows_of(self, wanted: Iterable[str]) -> Iterator[int]:
        """The first row of each of the ids that are wanted, as far as they are there."""
        if self.ids.dtype != object:
            return
        for one in wanted:
            code = int(np.searchsorted(self.ids, one))
            if code < len(self.ids) and self.ids[code] == one:
                yield int((self.codes == code).argmax())


def code(frame: pl.DataFrame, role: Sequence[str], where: str = "table", *, keep_words: bool = False) -> Coded:
    """Code the ids of one side: a column, or several that make the key together.

    Ids are integers if all of them are written as such, else text. `keep_words`: NA, None and the like are ids.
    Raises DataError where a column cannot hold ids, or holds ids that a program has rounded.
    """
    notes: list[str] = []
    words: list[tuple[str, int]] = []
    columns = []
    for name in role:
        column, found = _canonical(frame[name], where, keep_words, notes)
        words += found
        columns.append(column)
    column = columns[0] if len(columns) == 1 else _joined(columns, role, notes)
    codes, ids = places(column)
    if ids.dtype == object:
        notes += _likeness(ids, shown(role))
    return Coded(codes, ids, tuple(notes), tuple(words))


def places(column: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Canonical ids -> the place of each in their sorted values [n], -1 where there is none; and these values."""
    return _code_integers(column) if column.dtype == pl.Int64 else _code_text(column)


def canonical(column: pl.Series, where: str) -> pl.Series:
    """The ids of a side table as `code` would have them, null where there is none."""
    return _canonical(column, where, False, [])[0]


def _canonical(
    column: pl.Series, where: str, keep_words: bool, notes: list[str]
) -> tuple[pl.Series, list[tuple[str, int]]]:
    """-> Int64 or String, null where there is no id; and the words that were taken for nothing, with their rows."""
    kind = column.dtype
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        raise DataError(f"{where}: column {column.name!r} holds {kind}, which cannot be an id; give text or integers")
    if kind.is_float():
        return _from_floats(column, where), []
    if kind.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        return (whole if whole.null_count() == column.null_count() else column.cast(pl.String)), []
    text = column.cast(pl.String)
    distinct = text.unique().drop_nulls()
    whole = distinct.cast(pl.Int64, strict=False)
    if whole.null_count() == 0 and (whole.cast(pl.String) == distinct).all():
        return text.cast(pl.Int64), []
    cleaned, words = _clean(distinct, column.name, where, keep_words, notes)
    counted: list[tuple[str, int]] = []
    if len(words):
        rows = text.filter(text.is_in(words.implode())).str.strip_chars().value_counts(sort=True)
        counted = [(str(word), int(count)) for word, count in rows.iter_rows() if word]
    return text.replace_strict(distinct, cleaned, default=None, return_dtype=cleaned.dtype), counted


def _clean(
    distinct: pl.Series, name: str, where: str, keep_words: bool, notes: list[str]
) -> tuple[pl.Series, pl.Series]:
    """Distinct texts -> the id that each means, null for nothing, Int64 if all can be; and the words for nothing."""
    plain = distinct.str.strip_chars()  # as the function `plain` has it
    if (plain.str.len_bytes() != plain.str.len_chars()).any():
        for sign in INVISIBLE:
            plain = plain.str.replace_all(sign, "", literal=True)
        plain = plain.str.normalize("NFC").str.strip_chars()
        if changed := int((plain != distinct.str.strip_chars()).sum()):
            notes.append(
                f"{name}: {changed:,} id{'s' if changed > 1 else ''} are read in one form of Unicode (NFC), without "
                "signs that cannot be seen"
            )
    formula = plain.str.extract(FORMULA)
    if formula.is_not_null().any():
        first = plain.filter(formula.is_not_null())[0]
        plain = formula.fill_null(plain).str.strip_chars()
        notes.append(f"{name}: ids such as {first} are read without the signs that keep a spreadsheet from rounding")
    gone = plain == ""
    if not keep_words:
        gone |= plain.str.to_lowercase().is_in(MISSING_WORDS)
    kept = plain.filter(~gone)
    rounded = kept.filter(kept.str.contains(SCIENTIFIC))
    if len(rounded):
        raise DataError(
            f"{where}: column {name!r} holds {rounded[0]!r}, an id that a program rounded to a float; write "
            "the ids again as text or as integers (in a data frame: dtype=str when it is read)"
        )
    for zero, other, end in ((POINT_ZERO, OTHER_FRACTION, r"\.0+$"), (COMMA_ZERO, OTHER_COMMA, r",0+$")):
        floats = plain.str.contains(zero)
        if floats.any() and not kept.str.contains(other).any():
            first = min(plain.filter(floats))
            plain = pl.select(
                pl.when(pl.lit(floats)).then(pl.lit(plain.str.replace(end, ""))).otherwise(pl.lit(plain))
            ).to_series()
            whole_one = re.sub(end, "", first)
            notes.append(f"{name}: ids such as {first} are read as {whole_one}, integers that became floats")
    blank = int(((distinct.str.strip_chars() != distinct) & ~gone).sum())
    if blank:
        notes.append(f"{name}: blanks around {blank:,} id{'s' if blank > 1 else ''} are left out")
    plain = pl.select(pl.when(pl.lit(gone)).then(None).otherwise(pl.lit(plain))).to_series()
    words = distinct.filter(gone)
    whole = plain.cast(pl.Int64, strict=False)
    if whole.null_count() == plain.null_count() and (whole.cast(pl.String) == plain).fill_null(True).all():
        return whole, words
    return plain, words


def _from_floats(column: pl.Series, where: str) -> pl.Series:
    refuse_rounded(column, where)
    column = column.cast(pl.Float64).fill_nan(None)
    given = column.drop_nulls()
    if not ((given == given.floor()) & given.is_finite()).all():
        return column.cast(pl.String)
    return column.cast(pl.Int64)


def refuse_rounded(column: pl.Series, where: str) -> None:
    """DataError if floats are so large that integers among them were rounded; other kinds of column pass."""
    if not column.dtype.is_float():
        return
    given = column.cast(pl.Float64).drop_nulls()
    largest = float(given.filter(given.is_finite()).abs().max() or 0)  # type: ignore[arg-type]
    if largest >= EXACT[str(column.dtype)]:
        raise DataError(
            f"{where}: column {column.name!r} is {str(column.dtype).lower()}, which rounds integers as long as "
            f"{largest:.0f}: different ids may have become one; read the ids as text or as integers"
        )


def _joined(columns: Sequence[pl.Series], role: Sequence[str], notes: list[str]) -> pl.Series:
    texts = [column.cast(pl.String) for column in columns]
    sign = next((one for one in SIGNS if not any(t.str.contains(one, literal=True).any() for t in texts)), None)
    if sign is None:
        raise DataError(f"the parts of the key {shown(role)} hold every sign that could stand between them")
    key = pl.select(pl.concat_str([pl.lit(text) for text in texts], separator=sign)).to_series()
    example: list[str] = key.drop_nulls().head(1).to_list()
    if example:
        notes.append(f"ids are made of {shown(role)}, as in {example[0]}")
    return key


def _code_integers(column: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    ids = column.unique().drop_nulls().sort().to_numpy()
    gone = column.is_null().to_numpy() if column.null_count() else None
    values = column.fill_null(0).to_numpy()
    if len(ids) and int(ids[-1]) - int(ids[0]) < 4 * len(values) + 1024:  # a table is faster than a search
        table = np.zeros(int(ids[-1]) - int(ids[0]) + 1, dtype=np.int32)
        table[ids - ids[0]] = np.arange(len(ids), dtype=np.int32)
        codes = table[np.clip(values, ids[0], ids[-1]) - ids[0]]
    else:
        codes = np.searchsorted(ids, values).astype(np.int32)
    if gone is not None:
        codes[gone] = -1
    return codes, ids


def _code_text(column: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    known = column.unique().drop_nulls().sort()
    codes = column.replace_strict(known, pl.int_range(len(known), dtype=pl.Int32, eager=True), default=-1)
    ids = np.empty(len(known), dtype=object)
    ids[:] = known.to_list()
    return codes.cast(pl.Int32).to_numpy(), ids


def _likeness(ids: np.ndarray, name: str) -> Iterable[str]:
    """A note on ids that differ only in case, in leading zeros or in the form of their letters."""
    text = pl.Series(ids.tolist(), dtype=pl.String)
    drawn = text.str.replace_many(_DRAWN_ALIKE) if (text.str.len_bytes() != text.str.len_chars()).any() else text
    alike = drawn.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars_start("0")
    if alike.n_unique() == len(alike):
        return
    grouped = pl.DataFrame({"id": text, "alike": alike}).group_by("alike", maintain_order=True).agg("id")
    groups: list[list[str]] = grouped.filter(pl.col("id").list.len() > 1)["id"].to_list()
    some = ", ".join(" and ".join(repr(one) for one in group[:2]) for group in groups[:_LIKENESS_SHOWN])
    more = f" and {len(groups) - _LIKENESS_SHOWN:,} more" if len(groups) > _LIKENESS_SHOWN else ""
    yield f"{name}: different ids that look alike: {some}{more}; if they are one, make them so before reading"


def same_kind(ids: np.ndarray, other: pl.Series) -> pl.Series:
    """Canonical ids of a side table as the kind (integers or text) of a vocabulary's ids."""
    if ids.dtype == object:
        return other.cast(pl.String)
    return other.cast(pl.Int64, strict=False) if other.dtype == pl.String else other
