"""What the rows of a file look like, column by column: tells a row of its own from a line inside a quoted text.

A column is *telling* if every value of it has a letter or digit and none has a space: an id, a number, a time. One
small number is not enough, as it stands in any text: there must be two with digits, or a long one (a time, say).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

ENOUGH = 3
"""Rows that a judgement needs, at least."""
LONG = 5
"""Signs that a value has, at least, for one column to be enough."""


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """The values of one column: which kinds of signs they hold, how long they are, their outline if all have one."""

    kinds: frozenset[str]
    shortest: int
    longest: int
    outline: str | None
    bare: bool
    quoted: bool

    def fits(self, field: str) -> bool:
        """Whether this could be one more value."""
        if not self.shortest <= 2 * len(field) or len(field) > 2 * self.longest + 2:
            return False
        if self.outline is not None and outline(field) != self.outline:
            return False
        return kinds_of(field) <= self.kinds and field.startswith('"') >= self.quoted


@dataclasses.dataclass(frozen=True, slots=True)
class Shapes:
    """The looks of a file's columns; `telling`: places of those that can tell a row, empty if none can."""

    looks: tuple[Look, ...]
    telling: tuple[int, ...]

    def fit(self, fields: Sequence[str]) -> bool:
        """Whether this looks like one more row; False if no column could tell. A field with an open quote is not asked:
        whether that quote means anything is the question."""
        if not self.telling or len(fields) != len(self.looks):
            return False
        asked = [place for place in self.telling if fields[place].count('"') % 2 == 0]
        if len(asked) < len(self.telling) and not _enough([self.looks[place] for place in asked]):
            return False
        return all(fields[place] and self.looks[place].fits(fields[place]) for place in asked)


def learn(rows: Iterable[Sequence[str]], width: int) -> Shapes:
    """Shapes of rows whose fields were cut without regard to quotes; rows of another width are passed over."""
    whole = [row for row in rows if len(row) == width]
    if len(whole) < ENOUGH:
        return Shapes((), ())
    looks = tuple(_look([row[place] for row in whole]) for place in range(width))
    telling = tuple(place for place, look in enumerate(looks) if look.bare)
    return Shapes(looks, telling if _enough([looks[place] for place in telling]) else ())


def kinds_of(field: str) -> set[str]:
    """`9` for digits, `a` for letters, and every other sign as itself."""
    return {"9" if sign.isdigit() else "a" if sign.isalpha() else sign for sign in field}


def outline(field: str) -> str:
    """Digits and letters as runs: `AB12-x` is `a9-a`."""
    runs: list[str] = []
    for sign in field:
        kind = "9" if sign.isdigit() else "a" if sign.isalpha() else sign
        if not runs or runs[-1] != kind:
            runs.append(kind)
    return "".join(runs)


def _enough(looks: Sequence[Look]) -> bool:
    """Whether these columns can tell a row: two with digits, or a long one."""
    numbers = [look for look in looks if "9" in look.kinds]
    return len(numbers) > 1 or any(look.shortest >= LONG for look in numbers)


def _look(values: Sequence[str]) -> Look:
    outlines = {outline(value) for value in values}
    return Look(
        frozenset().union(*map(kinds_of, values)),
        min(map(len, values)),
        max(map(len, values)),
        next(iter(outlines)) if len(outlines) == 1 else None,
        all(" " not in value and any(map(str.isalnum, value)) for value in values),
        all(value.startswith('"') for value in values),
    )
