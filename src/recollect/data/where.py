"""`rating >= 4 and event == 'buy'`: which rows of a source are events, said in a small language of its own.

A condition compares one column with one value: `==` (or `=`), `!=`, `<`, `<=`, `>`, `>=`, or `in ('a', 'b')`;
conditions are joined by `and`, `or`, `not` and parentheses. A value is a number, a text in quotes, or a bare word; a
column with blanks in its name stands in backticks. Numbers compare as numbers, those of text with a decimal comma
(`20,29`) too, and so do dates (`2024-05-31`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

from recollect.config import ConfigError
from recollect.data.log import DataError
from recollect.data.numerals import read_numerals
from recollect.data.times.column import read_moments

Op = str
Mask = np.ndarray

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<column>`[^`]+`)
      | (?P<text>'[^']*'|"[^"]*")
      | (?P<op>==|!=|<>|<=|>=|=|<|>)
      | (?P<sign>[(),])
      | (?P<word>[^\s'"`()<>=!,]+)
    )""",
    re.VERBOSE,
)
_OPS = ("==", "!=", "<=", ">=", "<", ">")
_SAME = {"=": "==", "<>": "!="}
_NOT = re.compile(r"^\s*not\b\s*", re.IGNORECASE)
_SHOWN = 8
_TAKEN_AS = "there a comparison with a number holds only if it is != or not in, and not turns that round"


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. `values` has one entry, or those of an `in`; `quoted` says that they are meant as text."""

    column: str
    op: Op
    values: tuple[str, ...]
    quoted: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Where:
    """A parsed expression: the columns it looks at, and what says of each row of a table whether it counts."""

    text: str
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...]
    others: str
    """What is said of the rows for which it does not hold: `not rating > 3`, and `rating > 3` for `not rating > 3`."""
    _holds: Callable[[Callable[[Condition], Mask]], Mask]

    def holds(self, frame: pl.DataFrame, where: str) -> Mask:
        """[rows] bool. DataError, naming `where`, if a column cannot be compared as asked."""
        return self._holds(lambda condition: _compare(frame[condition.column], condition, where))

    def no_numbers(self, frame: pl.DataFrame) -> str:
        """What cannot be compared with a number as is asked: how many cells of which columns, '' if there are none."""
        read = {name: read_numerals(frame[name]).odd for name in self._by_number}
        return "; ".join(
            f"{name} holds no number in {len(odd):,} rows, as {repr(odd[0])[:30]}"
            for name, odd in read.items()
            if len(odd)
        )

    def notes(self, frame: pl.DataFrame) -> list[str]:
        """What is said of the cells that are compared with numbers: how they are read, and which are none."""
        said = []
        for name in self._by_number:
            example = read_numerals(frame[name]).example
            if example is not None:
                said.append(f"{name} is read with decimal commas, as {example!r}")
        odd = self.no_numbers(frame)
        return [*said, f"where: {odd}; {_TAKEN_AS}"] if odd else said

    @property
    def _by_number(self) -> tuple[str, ...]:
        """The columns that are compared with numbers."""
        return tuple(
            dict.fromkeys(one.column for one in self.conditions if not one.quoted and _numbers(one.values) is not None)
        )

    def values_of(self, frame: pl.DataFrame) -> str:
        """What the columns hold, most frequent first: for the error where no row is left."""
        parts = []
        for name in self.columns:
            counts = frame[name].cast(pl.String).fill_null("(nothing)").value_counts(sort=True).head(_SHOWN)
            some = ", ".join(f"{value} ({count:,})" for value, count in counts.iter_rows())
            parts.append(f"{name} holds {some}{', ...' if len(counts) == _SHOWN else ''}")
        return "; ".join(parts)


def parse(text: str) -> Where:
    """Parse an expression. Raises ConfigError with the place that is not understood."""
    reader = _Reader(text, list(_tokens(text)))
    holds = reader.either()
    if reader.rest:
        point = " (a number has a decimal point here, as 9.5)" if reader.rest[0][1] == "," else ""
        raise reader.error(f"{reader.rest[0][1]!r} is not expected{point}")
    columns = tuple(dict.fromkeys(condition.column for condition in reader.conditions))
    if reader.negated:
        others = _NOT.sub("", text)
    else:
        others = f"not {text}" if len(reader.conditions) == 1 else f"not ({text})"
    return Where(text, columns, tuple(reader.conditions), others, holds)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None:
            raise ConfigError(f"where: {text!r}: {text[place:].strip()[:20]!r} is not understood; quotes open?")
        assert found.lastgroup is not None
        yield found.lastgroup, found[found.lastgroup]
        place = found.end()


_Holds = Callable[[Callable[[Condition], Mask]], Mask]


class _Reader:
    """Recursive descent: either = both (or both)*, both = one (and one)*, one = not one | (either) | condition."""

    def __init__(self, text: str, rest: list[tuple[str, str]]) -> None:
        self.text, self.rest, self.conditions = text, rest, list[Condition]()
        self.tokens = len(rest)
        self.negated = False
        """Whether all of it is one `not` and what that turns round."""

    def error(self, what: str) -> ConfigError:
        return ConfigError(f"where: {self.text!r}: {what}; write COLUMN >= VALUE, joined by and, or, not")

    def take(self, *words: str) -> str | None:
        """The next token if it is one of these words or signs."""
        if self.rest and self.rest[0][0] != "text" and self.rest[0][1].lower() in words:
            return self.rest.pop(0)[1].lower()
        return None

    def either(self) -> _Holds:
        first = self.both()
        while self.take("or", "||", "|"):
            first = _or(first, self.both())
        return first

    def both(self) -> _Holds:
        first = self.one()
        while self.take("and", "&&", "&"):
            first = _and(first, self.one())
        return first

    def one(self) -> _Holds:
        first = len(self.rest) == self.tokens
        if self.take("not"):
            inner = self.one()
            self.negated = first and not self.rest
            return lambda ask: ~inner(ask)
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                raise self.error("a parenthesis is not closed")
            return inner
        condition = self.condition()
        self.conditions.append(condition)
        return lambda ask: ask(condition)

    def condition(self) -> Condition:
        if not self.rest or self.rest[0][0] not in ("word", "column"):
            raise self.error(f"a column is expected, not {self.rest[0][1] if self.rest else 'the end'!r}")
        column = self.rest.pop(0)[1].strip("`")
        negated = self.take("not")
        if self.take("in"):
            if not self.take("("):
                raise self.error("a list is expected after in, as in event in ('buy', 'cart')")
            values = [self.value()]
            while self.take(","):
                values.append(self.value())
            if not self.take(")"):
                raise self.error("the list after in is not closed")
            quoted = any(text for _, text in values)
            return Condition(column, "not in" if negated else "in", tuple(value for value, _ in values), quoted)
        if negated or not self.rest or self.rest[0][0] != "op":
            raise self.error(f"a comparison is expected after {column!r}")
        op = self.rest.pop(0)[1]
        value, quoted = self.value()
        return Condition(column, _SAME.get(op, op), (value,), quoted)

    def value(self) -> tuple[str, bool]:
        if not self.rest or self.rest[0][0] not in ("word", "text"):
            raise self.error("a value is expected")
        kind, value = self.rest.pop(0)
        return (value[1:-1], True) if kind == "text" else (value, False)


def _or(first: _Holds, second: _Holds) -> _Holds:
    return lambda ask: first(ask) | second(ask)


def _and(first: _Holds, second: _Holds) -> _Holds:
    return lambda ask: first(ask) & second(ask)


def _compare(column: pl.Series, condition: Condition, where: str) -> Mask:
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    numbers = None if condition.quoted else _numbers(condition.values)
    if numbers is not None:
        return _decide(read_numerals(column).values, condition.op, numbers)
    if condition.op in ("<", "<=", ">", ">="):
        limit = read_moments(pl.DataFrame({"value": list(condition.values)}))
        if limit.bad.any() or limit.missing.any():
            raise DataError(
                f"{where}: --where compares {condition.column} by size with {condition.values[0]!r}, which is "
                "neither a number nor a date"
            )
        moments = read_moments(column.to_frame())
        seconds = pl.Series(moments.seconds(moments.exact)).set(pl.Series(~moments.usable), None)
        return _decide(seconds, condition.op, [int(limit.seconds(limit.exact)[0])])
    return _decide(column.cast(pl.String).str.strip_chars().fill_null(""), condition.op, list(condition.values))


def _decide(column: pl.Series, op: Op, values: list[str] | list[float] | list[int]) -> Mask:
    """A cell of another kind than the value, or an empty one, holds only for `!=`, `not in` and `== ''`."""
    if op in ("in", "==", "not in", "!="):
        inside = column.is_in(pl.Series(values, dtype=column.dtype).implode()).fill_null(False).to_numpy()
        return inside if op in ("in", "==") else ~inside
    (limit,) = values
    compared = {
        "<": column < limit,
        "<=": column <= limit,
        ">": column > limit,
        ">=": column >= limit,
    }[op]
    return compared.fill_null(False).to_numpy()


def _numbers(values: tuple[str, ...]) -> list[float] | None:
    try:
        return [float(value) for value in values]
    except ValueError:
        return None
