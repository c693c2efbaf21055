"""What the journal holds: one record a line of text, so that it can be read, searched and checked without this program.

A line is a checksum of eight hex digits, a space, and JSON: `5f2a0c11 {"n":7,"user":"42","item":"661",...}`. JSON has
no line breaks inside, so a line that does not end is one whose writing was cut off.
"""

from __future__ import annotations

import dataclasses
import json
import zlib

FORMAT = 1

TIMES = 1 << 53
"""How far from 1970 a time may be, in seconds: what every reader of JSON and every store can tell apart."""

ID_BYTES = 256
"""The longest id of a user, an item or an event, in UTF-8."""

_HOLE = b"\0" * 8
"""What a power cut leaves in blocks of a file that were never filled."""


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One event of one user. `time`: seconds; `id`: the client's own, unique among the user's events.

    Raises ValueError where an id is empty, too long or no text that can be written, or the time is beyond `TIMES`.
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
                raise ValueError(f"{name} is no valid text") from None
            if size > ID_BYTES:
                raise ValueError(f"{name} has {size} bytes, at most {ID_BYTES} are taken")
        if abs(self.time) > TIMES:
            raise ValueError(f"time {self.time} is no number of seconds")


@dataclasses.dataclass(frozen=True, slots=True)
class Forget:
    """All events of this user that stand before are void."""

    user: str


@dataclasses.dataclass(frozen=True, slots=True)
class Gone:
    """This many records stood here and were taken out for good, because a user asked to be forgotten."""

    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """The first line of a file: the number it begins with is that of the record after it."""

    format: int = FORMAT


Record = Event | Forget | Gone | Start


def to_line(number: int, record: Record) -> bytes:
    """The record with its number, as a line."""
    fields: dict[str, object] = {"n": number}
    match record:
        case Event():
            fields |= {"user": record.user, "item": record.item, "time": record.time, "id": record.id}
        case Forget():
            fields["forget"] = record.user
        case Gone():
            fields["gone"] = record.count
        case Start():
            fields["journal"] = record.format
    text = json.dumps(fields, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def from_line(line: bytes) -> tuple[int, Record]:
    """The reverse of `to_line`. Raises ValueError where the line is not what was written."""
    text = line[9:-1]
    if line[-1:] != b"\n" or line[:9] != b"%08x " % zlib.crc32(text):
        raise ValueError("checksum")
    fields = json.loads(text)
    match fields:
        case {"n": int(number), "user": str(user), "item": str(item), "time": int(time), "id": str(own)}:
            return number, Event(user, item, time, own)
        case {"n": int(number), "forget": str(user)}:
            return number, Forget(user)
        case {"n": int(number), "gone": int(count)}:
            return number, Gone(count)
        case {"n": int(number), "journal": int(format)}:
            return number, Start(format)
    raise ValueError("no record of this format")


def is_whole(line: bytes) -> bool:
    """Whether this is a line as it was written."""
    try:
        from_line(line)
    except ValueError:
        return False
    return True


def unfinished(line: bytes, rest: bytes) -> bool:
    """True if the last bytes of a file, from a bad line on, are what an interrupted write leaves.

    That is a line without its end or, after a power cut, blocks that were never filled; with no whole line after them.
    """
    if not line.endswith(b"\n"):
        return not is_whole(line[:-1] + b"\n")  # which would be a whole line whose end was changed
    return _HOLE in line and not whole_in(rest)


def whole_in(lines: bytes) -> int:
    """How many of these lines are as they were written."""
    return sum(map(is_whole, lines.splitlines(keepends=True)))


def following(number: int, record: Record) -> int:
    """The number of the record after this one."""
    match record:
        case Gone():
            return number + record.count
        case Start():
            return number
    return number + 1
