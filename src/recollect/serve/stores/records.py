"""The records of the journal: one a line of text, so that they can be read, searched and checked without this program.

A line is a checksum of eight hex digits, a space, and JSON: `5f2a0c11 {"n":7,"user":"42","item":"661",...}`. JSON has
no line breaks inside, so a line without an end is one whose writing was interrupted.
"""

from __future__ import annotations

import dataclasses
import json
import zlib

FORMAT = 1

MAX_TIME = 1 << 53
"""The largest time, in seconds before or after 1970: every reader of JSON and every store holds it exactly."""

ID_BYTES = 256
"""The longest id of a user, an item or an event, in UTF-8."""

_UNWRITTEN = b"\0" * 8
"""What blocks of a file hold that were allocated, but not written before a power cut."""


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One event of one user. `time`: seconds since 1970; `id`: unique among the user's events.

    Raises ValueError where an id is empty, too long or not valid text, or the time is beyond `MAX_TIME`.
    """

    user: str
    item: str
    time: int
    id: str

    def __post_init__(self) -> None:
        for name in ("user", "item", "id"):
            value = getattr(self, name)
            if not value:
                raise ValueError(f"{name} is empty")
            try:
                size = len(value.encode())
            except UnicodeEncodeError:
                raise ValueError(f"{name} is not valid text") from None
            if size > ID_BYTES:
                raise ValueError(f"{name} has {size} bytes, at most {ID_BYTES} are taken")
        if abs(self.time) > MAX_TIME:
            raise ValueError(f"time {self.time} is not in seconds")


@dataclasses.dataclass(frozen=True, slots=True)
class Forget:
    """All events of this user before this record are void."""

    user: str


@dataclasses.dataclass(frozen=True, slots=True)
class Gap:
    """The place of this many records that were removed for good, because users were forgotten."""

    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    """The first line of a file; its number is that of the record after it."""

    format: int = FORMAT
    id: str = ""
    """Of the journal: drawn at random when it is made, and the same in all its files. Empty in an older journal."""


Record = Event | Forget | Gap | Header


def to_line(number: int, record: Record) -> bytes:
    """The record with its number, as a line."""
    fields: dict[str, object] = {"n": number}
    match record:
        case Event():
            fields |= {"user": record.user, "item": record.item, "time": record.time, "id": record.id}
        case Forget():
            fields["forget"] = record.user
        case Gap():
            fields["gone"] = record.count
        case Header():
            fields |= {"journal": record.format, **({"id": record.id} if record.id else {})}
    text = json.dumps(fields, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def from_line(line: bytes) -> tuple[int, Record]:
    """The reverse of `to_line`. Raises ValueError where the line is not what was written."""
    text = line[9:-1]
    if line[-1:] != b"\n" or line[:9] != b"%08x " % zlib.crc32(text):
        raise ValueError("checksum")
    fields = json.loads(text)
    match fields:
        case {"n": int(number), "user": str(user), "item": str(item), "time": int(time), "id": str(event_id)}:
            return number, Event(user, item, time, event_id)
        case {"n": int(number), "forget": str(user)}:
            return number, Forget(user)
        case {"n": int(number), "gone": int(count)}:
            return number, Gap(count)
        case {"n": int(number), "journal": int(format)}:
            return number, Header(format, str(fields.get("id", "")))
    raise ValueError("not a record of this format")


def is_whole(line: bytes) -> bool:
    """Whether this is a line as it was written."""
    try:
        from_line(line)
    except ValueError:
        return False
    return True


def is_unfinished_end(line: bytes, rest: bytes) -> bool:
    """True if the end of a file, from a bad line on, is what an interrupted write leaves.

    That is a line without an end or, after a power cut, blocks that were not written, with no whole line after them.
    """
    if not line.endswith(b"\n"):
        return not is_whole(line[:-1] + b"\n")  # that would be a whole line whose last byte was changed
    return _UNWRITTEN in line and not count_whole(rest)


def count_whole(lines: bytes) -> int:
    """How many of these lines are as they were written."""
    return sum(map(is_whole, lines.splitlines(keepends=True)))


def next_number(number: int, record: Record) -> int:
    """The number of the record after this one."""
    match record:
        case Gap():
            return number + record.count
        case Header():
            return number
    return number + 1
