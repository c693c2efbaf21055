"""From what a person types to item codes: an id, a title, or enough of a title to mean one item only.

A guess that could be wrong is worse than a question, so what fits two items is an error that names them.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable

import numpy as np

from recollect.data import id_forms
from recollect.data.log import DataError, Vocabulary

_YEAR = re.compile(r"\s*\((?:19|20)\d\d\)$")
_ARTICLE = re.compile(r"^(.*), (the|a|an)$")
_SHOWN = 5


def resolve_history(text: str, items: Vocabulary, titles: np.ndarray) -> np.ndarray:
    """`id or title; id or title; ...`, oldest first -> item codes [T] int64.

    Each entry is an id, else a title in any case, else a title without its year (`Matrix, The (1999)` is also
    `the matrix`), else the beginning of one title only, else an id as a file may have it (`260.0`). `titles`
    [vocabulary size] as `EventLog.titles` gives them.
    Raises DataError where an entry means nothing or several items.
    """
    entries = [entry for part in text.split(";") if (entry := part.strip())]
    if not entries:
        raise DataError('the history is empty; write ids or titles with ";" between them')
    return np.array([resolve_item(entry, items, titles) for entry in entries], dtype=np.int64)


def resolve_item(text: str, items: Vocabulary, titles: np.ndarray) -> int:
    """The code of one id or title; see `resolve_history`."""
    code = items.find(text)
    if code is not None:
        return code
    if not text.strip():
        raise DataError("no item is named: the text is empty; give the id or title of one")
    wanted = text.casefold()
    full = [str(title).casefold() for title in titles]
    spoken = [_spoken(title) for title in full]
    ways: tuple[Callable[[int], bool], ...] = (
        lambda code: full[code] == wanted,
        lambda code: spoken[code] == _spoken(wanted),
        lambda code: full[code].startswith(wanted) or spoken[code].startswith(wanted),
    )
    for fits in ways:
        found = [code for code in range(items.first, items.size) if fits(code)]
        if len(found) == 1:
            return found[0]
        if found:
            raise DataError(f"{text!r} could be {len(found)} items: {_listed(found, items, titles)}; give the id")
    if (code := id_forms.find(items, text)) is not None:  # 260.0, as a spreadsheet writes it, or with blanks around
        return code
    if like := _ids_like(text, items):
        raise DataError(f"no item has the id or title {text!r}; did you mean {_listed(like, items, titles)}?")
    inside = containing(text, titles[items.first :])
    if inside:
        codes = [items.first + place for place in inside]
        contain = "1 title contains" if len(codes) == 1 else f"{len(codes):,} titles contain"
        raise DataError(
            f"no item has the id or title {text!r}; {contain} it: {_listed(codes, items, titles)}; give the id"
        )
    near = difflib.get_close_matches(_spoken(wanted), spoken[items.first :], n=_SHOWN, cutoff=0.6)
    codes = [code for code in range(items.first, items.size) if spoken[code] in near]
    hint = f"near: {_listed(codes, items, titles)}" if codes else "no title is near it"
    raise DataError(f"no item has the id or title {text!r}; {hint}")


def _ids_like(text: str, items: Vocabulary) -> list[int]:
    """The codes of ids that differ from a text in case and accents alone."""
    if items.ids.dtype != object:
        return []
    wanted = bare(text)
    return [items.first + place for place, one in enumerate(items.ids.tolist()) if bare(one) == wanted]


def containing(text: str, names: Iterable[object]) -> list[int]:
    """The places of the names that contain a text, whatever the case and the accents; those that begin a word first."""
    wanted = bare(text)
    where = [_within(wanted, bare(name)) for name in names] if wanted else []
    return sorted((place for place, at in enumerate(where) if at >= 0), key=lambda place: where[place])


def bare(text: object) -> str:
    """A text without case and accents: `Säge` and `SAGE` are `sage`."""
    plain = str(text).casefold()
    if not plain.isascii():
        plain = "".join(sign for sign in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(sign))
    return " ".join(plain.split())


def _within(wanted: str, name: str) -> int:
    """0 where a name begins with what is wanted, 1 where a word of it does, 2 where it is inside one, -1 without it.

    A number is no part of a longer one: 99 is not in 1999."""
    if wanted.isdigit() and not re.search(rf"(?<!\d){wanted}(?!\d)", name):
        return -1
    if name.startswith(wanted):
        return 0
    return (1 if f" {wanted}" in name else 2) if wanted in name else -1


def _spoken(title: str) -> str:
    """A casefolded title as it is said: without its year, its article in front."""
    plain = _YEAR.sub("", title)
    moved = _ARTICLE.match(plain)
    return f"{moved[2]} {moved[1]}" if moved else plain


def _listed(codes: list[int], items: Vocabulary, titles: np.ndarray) -> str:
    shown = ", ".join(f"{titles[code]} (id {items.decode(code)})" for code in codes[:_SHOWN])
    return shown + (f" and {len(codes) - _SHOWN} more" if len(codes) > _SHOWN else "")
