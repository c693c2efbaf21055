"""The order of files by their names: numbers in them by size, so that KW9.csv stands before KW10.csv.

Where there is no time, the order of the files is that of the events. Letter by letter, week 10 would be older than week
9; people number without zeros in front, and their file managers show such files as they are taken here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_PART = re.compile(r"[0-9]+|[^0-9]")


def by_name(paths: Iterable[Path]) -> list[Path]:
    """Paths in the order of their names, folder by folder."""
    return sorted(paths, key=_key)


def unlike_letters(paths: Sequence[Path]) -> tuple[Path, Path] | None:
    """Two neighbours that stand otherwise than letter by letter; None where there are none."""
    return next(((one, two) for one, two in itertools.pairwise(paths) if two < one), None)


def _key(path: Path) -> tuple[tuple[tuple[tuple[int, int], ...], ...], tuple[str, ...]]:
    """Letters by their code, and a number where its first digit would stand; equal ones (`9`, `09`) by letters."""
    parts = []
    for name in path.parts:
        found = _PART.findall(name)
        parts.append(tuple((ord("0"), int(one)) if one.isascii() and one.isdigit() else (ord(one), 0) for one in found))
    return tuple(parts), path.parts
