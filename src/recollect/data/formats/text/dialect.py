"""How one file of delimited text is written: what stands between fields, and whether quotes mean anything.

The separator is the one that cuts all of the first lines alike; a file's ending only decides between equals.
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Sequence

from recollect.data.raw_table import shorten
from recollect.data.times.forms import MONTH, WEEKDAYS

TAB = "\t"
SEPARATORS = (",", TAB, ";", "|", "::", " ")
SEPARATOR_NAMES = {TAB: "\\t (tab)", " ": "' ' (space)"}
RARE = "^~#¦§¬·"
"""Signs that stand between columns now and then, and so are proposed; control characters are so too."""
USUAL = {".csv": ",", ".tsv": TAB, ".tab": TAB}
"""Ending -> the separator it promises."""

_QUOTED_PART = re.compile('"[^"]*"')
_TYPED = re.compile(r"\\t|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[0-7]{3}")
_DAY_OR_MONTH = rf"(?:{MONTH}|\d\d?)"
_COMMA_OF_DATE = re.compile(rf"(?i)\b(?:{WEEKDAYS}, |{_DAY_OR_MONTH} {_DAY_OR_MONTH}, (?=\d{{4}}\b))")
_EXCEL_LINE = re.compile(r'^"?sep=(.|\\t)"?$', re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class Dialect:
    """What stands between fields, and whether a field may be in double quotes."""

    separator: str = ","
    quoted: bool = True

    @property
    def quotes(self) -> bool:
        """Whether quotes mean anything: with a separator of several characters they never do."""
        return self.quoted and len(self.separator.encode()) == 1


def split_fields(line: str, dialect: Dialect) -> list[str]:
    """The fields of one line. ValueError if its quotes do not fit."""
    if not dialect.quotes or '"' not in line:
        return line.split(dialect.separator)
    return parse_quoted([line], dialect.separator)[0]


def parse_quoted(lines: Sequence[str], separator: str) -> tuple[list[str], int]:
    """The fields of the record that begins the lines, and how many lines it takes. ValueError if quotes do not fit."""
    limit = csv.field_size_limit(2**31 - 1)  # fields may be as long as they like; the limit is the process's
    try:
        reader = csv.reader(lines, delimiter=separator, strict=True)
        return next(reader), reader.line_num
    except csv.Error as error:
        what = "a quote is opened and never closed" if "unexpected end" in str(error) else "its quotes do not fit"
        raise ValueError(f"{what} ({shorten(lines[0].strip())})") from None
    finally:
        csv.field_size_limit(limit)


def outside_quotes(lines: Sequence[str]) -> list[str]:
    """The lines without what stands in quotes, line ends as well; a last one with a quote left open is left out."""
    text, opened, _ = _QUOTED_PART.sub("", "\n".join(lines)).partition('"')
    return text.split("\n")[: -1 if opened else None]


def detect(lines: Sequence[str], ending: str = "") -> str:
    """The separator of a file by its first lines (none of them empty); `ending` is that of its name."""
    usual = USUAL.get(ending)
    # Quoted parts are left out: first as they may span lines, then within lines, as a quote may be a mere sign.
    spanning = [line for line in outside_quotes(lines) if line]
    plain = [_QUOTED_PART.sub("", line) for line in lines]
    for candidate in (spanning, plain):
        found = _even(candidate, usual)
        if found is not None:
            return found
    if usual is not None and usual in plain[0]:  # a .csv may well be cut by semicolons
        return usual
    return sniff(plain[0]) or usual or ","


def _even(lines: Sequence[str], usual: str | None) -> str | None:
    """The separator that cuts all lines alike: the usual one if it does, else the one with most fields, no space."""
    if not lines:
        return None
    even = [one for one in SEPARATORS if one in lines[0] and len({line.count(one) for line in lines}) == 1]
    solid = [one for one in even if one != " "] or even
    most = max(solid, key=lines[0].count, default=None)
    if usual in even and most is not None and not _within(usual, most, lines):
        return usual
    return most if len(lines) > 1 else None


def _within(usual: str, other: str, lines: Sequence[str]) -> bool:
    """Whether the usual separator is a sign of the fields that the other one cuts: the comma of `17;3,5;2` in a .csv.

    The other cuts more fields, and the first one already: a list (`17,a|b|c`) stands further back, as users come first.
    That first field may be a date (`Sun, 09 Sep 2001`), whose comma does not count. No list is cut by tabs.
    """
    fewer = lines[0].count(usual) < lines[0].count(other)
    firsts = (_COMMA_OF_DATE.sub("", line).partition(other)[0] for line in lines)
    return fewer and (other == TAB or not any(usual in first for first in firsts))


def sniff(line: str) -> str | None:
    """The separator that cuts the line into the most fields, None if none does; a space only if nothing else does."""
    best = max(SEPARATORS, key=lambda separator: (separator != " " and separator in line, line.count(separator)))
    return best if best in line else None


def said_by_excel(line: str) -> str | None:
    """The separator of a first line `sep=;`, as Excel writes and reads it; None if it is another line."""
    found = _EXCEL_LINE.match(line.strip(" \r\n\ufeff"))
    return None if found is None else meant(found[1])


def seldom(lines: Sequence[str]) -> str | None:
    """A sign that is no usual separator and cuts all lines alike: a control character, else that of most fields."""
    even = {sign for sign in lines[0] if len({line.count(sign) for line in lines}) == 1}
    control = sorted(sign for sign in even if is_control(sign))
    return control[0] if control else max(even & set(RARE), key=lines[0].count, default=None)


def is_control(sign: str) -> bool:
    """Whether a sign is none of text: what Hive and others put between columns as no field can hold it."""
    return sign < " " and sign not in "\t\r\n"


def meant(typed: str) -> str:
    """A separator as a person types it, as it is meant: `\\t`, `\\x01`, `\\u0001` and `\\001` are one sign."""
    return _TYPED.sub(lambda found: found[0].encode().decode("unicode_escape"), typed)


def typed(separator: str) -> str:
    """A separator as a person types it."""
    return separator if separator.isprintable() else separator.encode("unicode_escape").decode()


def name_of(separator: str) -> str:
    """A separator as a person reads it."""
    return SEPARATOR_NAMES.get(separator, repr(separator))


def without_quotes(field: str) -> str | None:
    """A field that was cut without regard to quotes, as it was meant; None if its quotes do not fit.

    A quoted field begins and ends with a quote and doubles those inside; in one that does not begin so they are text.
    """
    if not field.startswith('"'):
        return field
    inner = field[1:-1].replace('""', "")
    if len(field) < 2 or not field.endswith('"') or '"' in inner:
        return None
    return field[1:-1].replace('""', '"')
