"""Whether the first line names the columns, and what the columns are called: said, seen from the lines, or asked.

A line is a header if it differs from the lines below it as names differ from values. A value is never taken for a name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from recollect.data.formats.text.dialect import (
    TAB,
    Dialect,
    name_of,
    outside_quotes,
    parse_quoted,
    seldom,
    sniff,
    split_fields,
    typed,
)
from recollect.data.formats.text.opening import Text
from recollect.data.formats.text.shape import outline
from recollect.data.log import DataError
from recollect.data.missing import MISSING_WORDS
from recollect.data.reading import NO_TIME, Reading
from recollect.data.roles import ITEM_NAMES, USER_NAMES, guess
from recollect.data.times.names import says_time

BODY = 200
"""Lines below the first that are compared with it."""
NOTHING = (*MISSING_WORDS, "?")
"""Words for nothing: a first field like these is neither a name nor a value."""
TITLE_EDGES = " \t\r\ufeff"
"""What may stand around a name, and is no part of it."""
ONE_LINE_A_USER = "if each line is one user with all of the items: --format sequences"
_BEGINNING = 1 << 22
_LOOKED_AT = 20
_LONGEST_RECORD = 50  # lines, of a first record whose fields hold line ends


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """The columns' names, and what comes before the first row. `lines` are those of the file, `records` count a quoted
    one that spans several lines once."""

    names: tuple[str, ...]
    lines: int = 0
    records: int = 0
    raw: tuple[str, ...] | None = None
    """The header line's own fields; None for a file without one."""
    ends: int = 0
    """How many columns at the end have no field in the header: lines end in as many separators more than it does."""

    @property
    def titled(self) -> bool:
        """Whether there is a header line."""
        return self.raw is not None

    def named(self, names: Sequence[str]) -> Head:
        """The same with other names for the columns."""
        return dataclasses.replace(self, names=tuple(names))


def first_lines(text: Text, count: int = BODY) -> list[tuple[int, str]]:
    """The first lines with something on them, and their numbers (from 1)."""
    found: list[tuple[int, str]] = []
    start, number = 0, 0
    while len(found) < count and start < min(len(text.data), _BEGINNING):
        end = text.data.find(b"\n", start)
        end, number = (len(text.data) if end < 0 else end), number + 1
        if (line := text.data[start:end]).strip():
            found.append((number, line.decode("utf-8", "replace").rstrip("\r")))
        start = end + 1
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class First:
    """One of the first records: its line (from 1), its fields, how many lines it takes, what its quotes do wrong."""

    line: int
    fields: list[str]
    lines: int = 1
    problem: str = ""


def first_records(text: Text, dialect: Dialect, skip: int = 0, count: int = BODY) -> Iterator[First]:
    """The first records with something in them; where quotes do not fit they are signs."""
    most = skip + count * _LONGEST_RECORD
    lines = text.data[:_BEGINNING].split(b"\n", most)[:most]
    shown = [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
    at, found = skip, 0
    while at < len(shown) and found < count:
        if not shown[at].strip():
            at += 1
            continue
        record = _first(shown, at, dialect)
        yield record
        at += record.lines
        found += 1


def with_header(text: Text, dialect: Dialect, skip: int = 0) -> Head:
    """The head of a file whose first line (after `skip` lines) names the columns. DataError if it cannot be cut."""
    first = next(first_records(text, dialect, skip, 1))
    if first.problem and dialect.separator != TAB:
        raise DataError(f"{text.path} line {first.line}: {first.problem}")
    names = [name.strip() or f"column {place}" for place, name in enumerate(first.fields, 1)]
    return Head(tuple(_unlike(names)), first.line + first.lines - 1, first.line, tuple(first.fields))


def without_header(text: Text, dialect: Dialect, names: Sequence[str] = (), skip: int = 0) -> Head:
    """The head of a file that begins with a row; without `names` the columns are called by number, from 1."""
    first = next(first_records(text, dialect, skip, 1))
    names = names or [str(place + 1) for place in range(len(first.fields))]
    return Head(tuple(names), first.line - 1, first.line - 1)


def find(text: Text, dialect: Dialect, reading: Reading, skip: int = 0) -> tuple[Head, str]:
    """The head of a file of which nothing is known but what `reading` says -> head, and a note where it was not plain.

    DataError where the separator does not fit, or where only the user can know.
    """
    titled, note = reading.header, ""
    records = [one.fields for one in first_records(text, dialect, skip)]
    if titled is None:
        titled, note = _decide(text, dialect, reading, records)
    head = with_header(text, dialect, skip) if titled else without_header(text, dialect, skip=skip)
    if len(head.names) == 1:
        _refuse_one_column(text, dialect, [one for one in first_lines(text) if one[0] > skip])
    return (_as_wide_as_rows(head, records[1:]) if titled else head), note


def _as_wide_as_rows(head: Head, rows: list[list[str]]) -> Head:
    """The head where the header has fewer fields than the rows, as these end in empty ones."""
    width = len(head.names)
    more = max(map(len, rows), default=0) - width
    if more < 1 or head.raw is None:
        return head
    if not any(field.strip() for fields in rows for field in fields[width:]):
        names = tuple(f"column {width + place + 1}" for place in range(more))
        return dataclasses.replace(head, names=(*head.names, *names), raw=(*head.raw, *[""] * more), ends=more)
    return head


def sequences(text: Text, dialect: Dialect, least: int = 2) -> str:
    """What is said where lines have several widths, `least` so many: each may be one user with all of the items."""
    widths = [len(line.split(dialect.separator)) for _, line in first_lines(text, _LOOKED_AT)]
    if len(set(widths)) < least:
        return ""
    return f"lines have {min(widths)} to {max(widths)} fields; {ONE_LINE_A_USER}"


def by_place(head: Head, reading: Reading, where: str) -> Reading:
    """Columns that were named by number, as the head calls them. DataError for a number there is no column for."""
    if not reading.by_number or (reading.header and _all_among(reading, head.names)):
        return reading

    def translated(role: str | None) -> str | None:
        if role is None or role == NO_TIME:
            return role
        places = [int(part) for part in role.split(",")]
        for place in places:
            if not 1 <= place <= len(head.names):
                also = "; to use them as the names in its header, add --header" if str(place) in head.names else ""
                raise DataError(
                    f"{where}: no column {place}: columns are counted from 1, and there are {len(head.names)}{also}"
                )
        return ",".join(head.names[place - 1] for place in places)

    return reading.but(user=translated(reading.user), item=translated(reading.item), time=translated(reading.time))


def _all_among(reading: Reading, names: Sequence[str]) -> bool:
    given = [role for role in (reading.user, reading.item, reading.time) if role not in (None, NO_TIME)]
    return all(part.strip() in names for role in given if role for part in role.split(","))


def _decide(text: Text, dialect: Dialect, reading: Reading, records: list[list[str]]) -> tuple[bool, str]:
    """Whether the first of the records is a header."""
    first = records[0]
    body = [fields for fields in records[1:] if len(fields) == len(first)]
    body = body or [[*fields, *[""] * len(first)][: len(first)] for fields in records[1:]]
    body = [fields for fields in body if not _repeats(first, fields)]  # a header that is repeated is no row
    if _numbered_by_pandas(first, body):
        return True, "the first line is the header that pandas writes where columns have no names"
    if all(map(is_number, first)):
        return _numbers_as_header(text, dialect, first, body)
    if not reading.by_number and _asked_for(reading, first):
        return True, ""
    votes = [_vote(name, [fields[place] for fields in body]) for place, name in enumerate(first)]
    known = any(guess(first, names) for names in (USER_NAMES, ITEM_NAMES)) or any(map(says_time, first))
    if known and not any(vote < 0 for vote in votes):
        return True, ""
    if any(votes):
        titled = sum(votes) > 0
        return titled, "" if titled else "the first line is a row like the others: no header, columns by number"
    if reading.by_number and body:
        return False, "the first line is taken for a row, as columns are given by number (--header if it names them)"
    return not reading.by_number, ""


def _repeats(first: list[str], fields: list[str]) -> bool:
    """Whether fields are the first line's again: all of them, or the names of the user and of the item."""
    titles, again = [as_title(field) for field in first], [as_title(field) for field in fields]
    named = {guess(first, USER_NAMES), guess(first, ITEM_NAMES)} - {None}
    if len(named) > 1 and sorted(titles) == sorted(again):  # in another order: no row either
        return True
    places = [place for place, field in enumerate(first) if field in named] if len(named) > 1 else range(len(first))
    return all(titles[place] == again[place] for place in places)


def _vote(name: str, values: list[str]) -> int:
    """1 if a first field stands over its column as a name, -1 if it is one more value, 0 if that cannot be seen."""
    values = [value for value in values if value]
    if not values or name.strip().lower() in NOTHING:
        return 0
    plain = all(is_number(value) or _is_clock(value) for value in values)
    if plain:
        return -1 if is_number(name) or _is_clock(name) else 1
    if len(values) < 2:
        return 0
    if name in values:
        return -1
    outlines = {outline(value) for value in values}
    if len(outlines) == 1 and any("9" in one for one in outlines):
        return -1 if outline(name) in outlines else 1
    return 0


def _numbers_as_header(text: Text, dialect: Dialect, first: list[str], body: list[list[str]]) -> tuple[bool, str]:
    """pandas calls columns without names 0, 1, 2 ...: a header of numbers, which could be a row as well."""
    plain, columns = [field.strip() for field in first], len(first)
    of_pandas = plain == [str(place) for place in range(columns)]
    if not body or columns < 2 or not (of_pandas or plain == [str(place + 1) for place in range(columns)]):
        return False, ""
    shown = dialect.separator.join(first)
    if _far_from(body) or any(not is_number(field) for fields in body for field in fields if field):
        return True, f"the first line, {shown}, is taken for a header (--no-header if it is a row)"
    if not of_pandas or dialect.separator == " ":  # which pandas does not write, while rows of 1 2 3 are usual
        return False, ""
    raise DataError(
        f"{text.path}: the first line is {shown}: column names as pandas writes them, or a row? "
        "Say --header or --no-header"
    )


def _far_from(body: list[list[str]]) -> bool:
    """Whether some column has nothing but large numbers, as times are, where the first line has its place."""
    columns = [[fields[place] for fields in body if is_number(fields[place])] for place in range(len(body[0]))]
    return any(values and min(abs(float(value)) for value in values) > 1000 * len(columns) for values in columns)


def _numbered_by_pandas(first: list[str], body: list[list[str]]) -> bool:
    """Whether a first line is what pandas writes over a table with an index and columns without names: ,0,1,2."""
    if first[0].strip() or [field.strip() for field in first[1:]] != [str(place) for place in range(len(first) - 1)]:
        return False
    return len(first) > 2 and [fields[0] for fields in body[:3]] == [str(place) for place in range(len(body[:3]))]


def _asked_for(reading: Reading, names: Sequence[str]) -> bool:
    given = [role for role in (reading.user, reading.item, reading.time) if role and role != NO_TIME]
    stripped = [name.strip() for name in names]
    return any(role in stripped or all(part.strip() in stripped for part in role.split(",")) for role in given)


def _refuse_one_column(text: Text, dialect: Dialect, lines: list[tuple[int, str]]) -> None:
    number, line = lines[0]
    better = sniff(line)
    better = seldom([one for _, one in lines]) if better in (None, dialect.separator) else better
    if better is not None and better != dialect.separator:
        raise DataError(
            f"{text.path} line {number}: all in one column with separator {name_of(dialect.separator)}; the file seems "
            f"to use {name_of(better)}: say --separator '{typed(better)}'"
        )


def as_title(field: str) -> str:
    """A name as it is compared with that of another header: without blanks and byte order mark, in lower case."""
    return field.strip(TITLE_EDGES).lower()


def is_number(text: str) -> bool:
    """Whether a field is a number as a program writes it."""
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in ("nan", "inf", "-inf", "infinity")


def _is_clock(text: str) -> bool:
    """Whether a field is a date or a time of day: digits with the signs that stand in them, or words as well."""
    digits = sum(sign.isdigit() for sign in text)
    return digits >= 3 and text[:1].isalnum() and set("-/:. ") & set(text) != set() and digits * 3 >= len(text)


def _first(lines: list[str], at: int, dialect: Dialect) -> First:
    raw = lines[at].split(dialect.separator)
    try:
        return First(at + 1, split_fields(lines[at], dialect))
    except ValueError as error:
        problem = str(error)
    try:
        over = [f"{line}\n" for line in lines[at : at + _LONGEST_RECORD]]
        fields, used = parse_quoted(over, dialect.separator)
    except ValueError:
        return First(at + 1, raw, 1, problem)
    below = [line for line in outside_quotes(lines[at + used :]) if line.strip()]
    usual = [line.count(dialect.separator) + 1 for line in below]
    width = max(set(usual), key=usual.count) if usual else len(fields)
    if 1 < len(raw) == width != len(fields):  # a record over several lines would not be like those below
        return First(at + 1, raw, 1, problem)
    return First(at + 1, fields, used)


def _unlike(names: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        yield name if name not in seen else f"{name} ({sum(other == name for other in seen) + 1})"
        seen.add(name)
