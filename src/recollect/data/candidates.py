"""Which items a list may hold: only these, none of those, only those of a kind. One meaning, offline and served.

Ids are looked up in the vocabulary of a model, kinds in the columns of its table of items.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from recollect.config import did_you_mean
from recollect.data.id_forms import encode
from recollect.data.log import DataError, Table, Vocabulary

Within = Mapping[str, Any] | Iterable[tuple[str, Any]]
"""Columns of the table of items and the value that an item must have there; all must hold, a column may come again."""

JOINED = "|"
"""What stands between the parts of a value that is a list: `Comedy|Drama` is within Comedy and within Drama."""

_SHOWN = 12


def allowed_mask(
    items: Vocabulary,
    item_table: Table | None = None,
    *,
    allow: Iterable[Any] | None = None,
    deny: Iterable[Any] | None = None,
    within: Within | None = None,
) -> np.ndarray | None:
    """Which item codes a list may hold: [vocabulary size] bool, False for padding; None where nothing restricts.

    `allow`: only these ids (none at all, if it is empty); `deny`: none of these; `within`: only items whose column has
    that value, or has it among the parts of a list joined by `|`. What is asked for several times holds together. Ids
    that are not known change nothing (`unknown_ids` names them). Raises DataError where a column is not there or
    nobody has the value.
    """
    conditions = list(within.items() if isinstance(within, Mapping) else within or ())
    if allow is None and deny is None and not conditions:
        return None
    mask = np.zeros(items.size, dtype=bool)
    mask[_codes(items, allow) if allow is not None else slice(items.first, None)] = True
    for column, value in conditions:
        mask[items.first :] &= _having(_column(item_table, column), column, value)
    if deny is not None:
        mask[_codes(items, deny)] = False
    return mask


def unknown_ids(items: Vocabulary, ids: Iterable[Any]) -> list[Any]:
    """Those of the ids that the vocabulary does not know, in their order."""
    named = list(ids)
    codes = encode(items, named, unknown=items.first - 1)
    return [one for one, code in zip(named, codes, strict=True) if code < items.first]


def parse_within(text: str) -> tuple[str, str]:
    """`column=value` -> the two, as `allowed_mask` takes them. DataError where it is no such pair."""
    column, equals, value = (part.strip() for part in text.partition("="))
    if not (column and equals and value):
        raise DataError(f"{text!r}: expected column=value, for example genres=Comedy")
    return column, value


def _codes(items: Vocabulary, ids: Iterable[Any]) -> np.ndarray:
    codes = encode(items, ids, unknown=items.first - 1)
    return codes[codes >= items.first]


def _column(table: Table | None, name: str) -> np.ndarray:
    if table is None or not table.columns:
        raise DataError(
            f"within {name}: the model was kept without a table of items, so there are no columns to choose by; "
            "train on a log that has one (titles, genres, ...)"
        )
    if name not in table:
        near = did_you_mean(name, table.columns)
        raise DataError(
            f"within {name}: the table of items has no such column; it has {', '.join(table.columns)}"
            f"{near if near.startswith('; did you mean') else ''}"
        )
    return table[name]


def _having(column: np.ndarray, name: str, value: Any) -> np.ndarray:
    """[items] bool: True where the column has the value."""
    found = _numbers(column, name, value) if column.dtype != object else _text(_Kept(column), str(value).strip())
    if not found.any():
        raise DataError(f"within {name}: no item has {value!r}; {_values(column, str(value))}")
    return found


def _numbers(column: np.ndarray, name: str, value: Any) -> np.ndarray:
    word = str(value).strip().casefold()
    try:
        number = float({"true": 1, "false": 0}.get(word, word))
    except ValueError:
        raise DataError(f"within {name}: {value!r} is no number; {_values(column, word)}") from None
    found: np.ndarray = column == number
    return found


class _Kept:
    """A column as a key of the cache: the same array, not an equal one."""

    def __init__(self, column: np.ndarray) -> None:
        self.column = column

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and other.column is self.column

    def __hash__(self) -> int:
        return id(self.column)


@functools.lru_cache(maxsize=64)
def _text(kept: _Kept, value: str) -> np.ndarray:
    """A service asks for the same few kinds again and again, and a walk through a million words takes a while."""
    found = (text is not None and value in text and (value == text or value in _parts(text)) for text in kept.column)
    return np.fromiter(found, dtype=bool, count=len(kept.column))


@functools.lru_cache(maxsize=8)
def _known_values(kept: _Kept) -> list[str]:
    """All values of a column of text, sorted."""
    return sorted({part for text in kept.column if text is not None for part in _parts(text)})


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(JOINED)]


def _values(column: np.ndarray, wanted: str) -> str:
    """What there is instead, in words."""
    if column.dtype != object:
        given = column[~np.isnan(column)]
        return f"its numbers go from {given.min():g} to {given.max():g}" if len(given) else "the column is empty"
    known = _known_values(_Kept(column))
    same = [one for one in known if one.casefold() == wanted.strip().casefold()]
    if same:
        return f"did you mean {same[0]!r}?"
    near = did_you_mean(wanted, known[:1000]).removeprefix("; ")
    if len(known) > _SHOWN and near.startswith("known"):
        return f"there are {len(known):,} values, such as {', '.join(known[:_SHOWN])}"
    return near or "the column is empty"
