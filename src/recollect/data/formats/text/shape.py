"""What the rows of a file look like, column by column: tells a row of its own from a line inside a quoted text.

A column is *telling* if no value of it is empty or has a space: an id, a number, a time in one word.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

ENOUGH = 3
"""Rows that a judgement needs, at least."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shapes:
    """The kinds of signs that each column was seen to hold: digits, letters, spaces, and every other sign itself."""

    kinds: tuple[frozenset[str], ...]
    telling: tuple[int, ...]
    longest: tuple[int, ...]

    def fit(self, fields: Sequence[str]) -> bool:
        """Whether this looks like one more row; False if no column could tell."""
        if not self.telling or len(fields) != len(self.kinds):
            return False
        return all(
            fields[k] and kinds_of(fields[k]) <= self.kinds[k] and len(fields[k]) <= self.longest[k]
            for k in self.telling
        )


def learn(rows: Iterable[Sequence[str]], width: int) -> Shapes:
    """Shapes of rows whose fields were cut without regard to quotes; rows of another width are passed over."""
    kinds: list[set[str]] = [set() for _ in range(width)]
    bare, longest = [True] * width, [0] * width
    seen = 0
    for row in rows:
        if len(row) != width:
            continue
        seen += 1
        for place, field in enumerate(row):
            kinds[place] |= kinds_of(field)
            longest[place] = max(longest[place], len(field))
            bare[place] &= bool(field) and " " not in field
    telling = tuple(k for k in range(width) if bare[k]) if seen >= ENOUGH else ()
    return Shapes(tuple(map(frozenset, kinds)), telling, tuple(2 * one + 2 for one in longest))


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
