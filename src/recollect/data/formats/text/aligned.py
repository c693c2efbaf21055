"""Tables whose columns are aligned by blanks, as pandas prints them and as fixed width has them: cut at runs of blanks.

That is right only where no cell is empty and none holds a blank, so that every line has as many parts.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from recollect.data.formats.text.opening import NEWLINE, Text
from recollect.data.formats.text.scan import uneven
from recollect.data.log import DataError
from recollect.data.roles import ITEM_NAMES, USER_NAMES, guess

NOTE = "columns are aligned by blanks, and cut at each run of them"
INDEX = b"index "
"""What the numbers of rows are called that pandas prints."""
_LEFT_OUT = re.compile(rb"^\.{2,3}(?: \.{2,3})+\r?$", re.MULTILINE)
_REMEDY = "write the table with a separator, as pandas does by to_csv"


def is_aligned(lines: Sequence[str]) -> bool:
    """Whether the first lines have runs of blanks between their parts, and all of them as many parts.

    The first may have one less: pandas prints the numbers of rows without a name for them.
    """
    if len(lines) < 2 or not _has_runs(lines) or any('"' in line for line in lines):
        return False
    first, *others = (len(line.split()) for line in lines)
    return len(set(others)) == 1 and others[0] > 1 and first in (others[0], others[0] - 1)


def refuse_unclear(text: Text, lines: Sequence[str]) -> None:
    """DataError for a table with the names of columns and runs of blanks, of which it is not clear where to cut it."""
    names = lines[0].split()
    known = guess(names, USER_NAMES) and guess(names, ITEM_NAMES)
    if known and _has_runs(lines) and len({len(line.split()) for line in lines}) > 1:
        raise DataError(
            f"{text.path}: columns are aligned by blanks (fixed width), and values are empty or hold blanks, "
            f"so that where to cut is not clear; {_REMEDY}"
        )


def cut(text: Text, lines: Sequence[tuple[int, str]]) -> Text:
    """The text with one blank between parts; `lines`: the first ones, with their numbers, which are aligned.

    DataError if another line has not as many parts.
    """
    (number, header), (second, row) = lines[:2]
    before, width = second - 1, len(row.split())
    data = re.sub(rb"(?m)^ +| +(?=\r?$)", b"", re.sub(rb" {2,}", b" ", text.data))
    start = _start(data, before)
    left_out = _LEFT_OUT.search(data, start)
    if left_out:
        line = data.count(NEWLINE, 0, left_out.start()) + 1
        raise DataError(
            f"{text.path} line {line}: a row of dots stands for rows that were left out when the table was printed; "
            f"{_REMEDY}"
        )
    found = uneven(data, start, " ", width)
    if count := found.short + found.long:
        raise DataError(
            f"{text.path} line {before + found.first + 1}: not {width} parts between blanks as in other lines "
            f"({count} such lines); columns are aligned by blanks, and an empty value or one with a blank in it "
            f"cannot be told: {_REMEDY}"
        )
    if len(header.split()) < width:
        place = _start(data, number - 1)
        data = data[:place] + INDEX + data[place:]
    return dataclasses.replace(text, data=data)


def _start(data: bytes, lines: int) -> int:
    """Where the line after so many begins."""
    start = 0
    for _ in range(lines):
        start = data.find(b"\n", start) + 1
    return start


def _has_runs(lines: Sequence[str]) -> bool:
    return any("  " in line.strip() or line[:1] == " " for line in lines)
