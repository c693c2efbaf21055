"""Search of items by title or id while somebody types: in any case, without accents, best match first.

All titles stand in one text, the most popular first, so that a search is a few scans which stop when enough is found.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator

import numpy as np

from recollect.data.log import Vocabulary

MOST_SCANNED = 5000
"""Titles with one of the words that are looked at for the others."""


@dataclasses.dataclass(frozen=True, slots=True)
class FoundItem:
    """An item. `events`: how often it occurs in the training data; None where the model does not know."""

    item: str
    title: str
    events: int | None


class TitleSearch:
    """The items of a model. `titles` and `counts` [vocabulary size] are by item code."""

    def __init__(self, items: Vocabulary, titles: np.ndarray, counts: np.ndarray | None) -> None:
        self._items, self._titles, self._counts = items, titles, counts
        popularity = np.zeros(items.size) if counts is None else counts
        codes = np.arange(items.first, items.size)
        self._codes = codes[np.argsort(-popularity[items.first :], kind="stable")]  # the most popular first
        folded = [_folded(str(titles[code])) for code in self._codes]
        self._text = "\n" + "\n".join(folded) + "\n"
        self._starts = (np.cumsum([0, *(len(title) + 1 for title in folded)]) + 1)[:-1].tolist()

    def find(self, text: str, limit: int) -> list[FoundItem]:
        """At most `limit` items: the one with this id, then titles that equal the text, begin with it, have a word that
        does, contain it, and have all its words; each group by popularity. All by popularity for an empty text.
        """
        wanted = _folded(text)
        found: dict[int, None] = {}  # codes, an ordered set
        if not wanted:
            return [self._found(int(code)) for code in self._codes[:limit]]
        if (code := self._items.find(text.strip())) is not None:
            found[code] = None
        for pattern in (f"\n{wanted}\n", f"\n{wanted}", f" {wanted}", wanted):
            for code in self._containing(pattern):
                if len(found) >= limit:
                    break
                found[code] = None
        words = sorted(set(wanted.split()), key=len, reverse=True)
        for code, _ in zip(self._containing(words[0]) if " " in wanted else (), range(MOST_SCANNED), strict=False):
            if len(found) >= limit:
                break
            if all(word in _folded(str(self._titles[code])) for word in words):
                found[code] = None
        return [self._found(code) for code in list(found)[:limit]]

    def _containing(self, pattern: str) -> Iterator[int]:
        """Codes of the items whose title contains the pattern; a line break stands for an end of the title."""
        begin = 0
        while (place := self._text.find(pattern, begin)) >= 0:
            # A pattern that begins with a line break begins at the end of the title before.
            title = bisect_right(self._starts, place + (pattern[0] == "\n")) - 1
            yield int(self._codes[title])
            begin = self._starts[title + 1] - 1 if title + 1 < len(self._starts) else len(self._text)

    def _found(self, code: int) -> FoundItem:
        events = None if self._counts is None else int(self._counts[code])
        return FoundItem(str(self._items.ids[code - self._items.first]), str(self._titles[code]), events)


def _folded(text: str) -> str:
    """In one case, without accents, with single spaces."""
    text = text.casefold()
    if text.isascii():
        return " ".join(text.split())
    plain = unicodedata.normalize("NFKD", text)
    return " ".join("".join(sign for sign in plain if not unicodedata.combining(sign)).split())
