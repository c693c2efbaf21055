"""Values that requests are made of, checked strictly: ids, times, lists of ids; and what all JSON objects have."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from recollect.config import did_you_mean
from recollect.data.filters import parse_time
from recollect.data.id_forms import plain
from recollect.data.times.span import FIRST_YEAR, bounds, date_of
from recollect.serve.stores.records import ID_BYTES

_FARTHEST = 1 << 40
"""The largest time, in seconds before or after 1970."""

FUTURE_SECONDS = 86_400
"""How far ahead of the server's clock a time may be: after an event in milliseconds, all others would be late."""

SECONDS = "seconds since 1970, a whole number such as 1717182000,"
MOMENTS = "seconds since 1970 (1717182000), or an ISO date or time (2024-05-31, 2024-05-31T19:00:00Z),"
"""What is accepted as a time, for messages: of an event, and of asking."""

SHOWN = 64
"""Letters of an unknown name that are repeated to whoever sent it."""


def whole(value: object) -> object:
    """In JSON, 5.0 is the integer 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _seconds(value: object) -> object:
    """Whole seconds since 1970, as a number. None is for whoever allows it."""
    value = whole(value)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise ValueError(f"{_shown(value)} was sent; {SECONDS} are expected")
    return value if value is None else _near(value, value)


def _asked(value: object) -> object:
    """What `--at` takes: seconds, or an ISO date or time, whose zone is that of the model's log."""
    value = whole(value)
    if value is None:
        return value
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} was sent; {MOMENTS} are expected")
    moment_of(value, None)
    return value


def moment_of(at: int | str | None, zone: str | None) -> int | None:
    """The seconds that `at` of a request means; a time without an offset is one of `zone` (None: UTC).

    Raises ValueError for what is no time, or is more than a day ahead of the clock.
    """
    if at is None:
        return at
    try:
        seconds = parse_time(at, zone)
    except (ValueError, OverflowError):
        raise ValueError(f"{_shown(at)} was sent; {MOMENTS} are expected") from None
    return _not_in_the_future(_near(seconds, at), at)


def _near(seconds: int, sent: object) -> int:
    if abs(seconds) > _FARTHEST:
        raise ValueError(f"{_shown(sent)} was sent; {SECONDS} are expected, and these look like milliseconds or less")
    return seconds


def _not_in_the_future(seconds: int, sent: object) -> int:
    if seconds > int(time.time()) + FUTURE_SECONDS:
        raise ValueError(f"{_shown(sent)} was sent, which is in the future; {SECONDS} up to a day ahead are accepted")
    return seconds


def refused_as(seconds: int) -> str | None:
    """Why an event may not have this time, unless any is taken: `1970-01-01 00:00:00 UTC, before 1990`; None where it
    may. A reader of logs believes times up to the end of next year; those of events come from clocks that are right.
    """
    if seconds < bounds()[0]:
        return f"{date_of(seconds)} UTC, before {FIRST_YEAR}"
    if seconds > int(time.time()) + FUTURE_SECONDS:
        return f"{date_of(seconds)} UTC, more than a day ahead"
    return None


def _shown(value: object) -> str:
    """What was sent, as JSON has it, not too long."""
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _text(value: object) -> object:
    """Integers are ids too. What is no part of an id goes, as where a log is read: blanks around it, say."""
    value = whole(value)
    if isinstance(value, str):
        return plain(_printed(value))
    number = isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63
    return str(value) if number else value


def _fits(value: str) -> str:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ValueError("not valid text") from None
    if size > ID_BYTES:
        raise ValueError(f"{size} bytes, at most {ID_BYTES} are accepted")
    return value


def _printed(value: str) -> str:
    if has_controls(value):
        raise ValueError("a control character (a line end, a tab, NUL) is no part of an id")
    return value


def has_controls(text: str) -> bool:
    """Whether a text holds signs that are not printed: no id does that a file could give back."""
    return any(sign < " " or sign == "\x7f" for sign in text)


def _ids(values: object) -> object:
    """All ids of a list in one loop: called for each id, the validators of `Id` would take seconds for a catalogue."""
    if not isinstance(values, list):
        return values
    checked = []
    for position, one in enumerate(values):
        try:
            value = _text(one)
        except ValueError as error:
            raise ValueError(f"the id at {position}: {error}") from None
        if not isinstance(value, str) or not value:
            raise ValueError(f"the id at {position} is not a string with a character or an integer")
        if len(value) > ID_BYTES or not value.isascii() or not value.isprintable():
            try:
                _fits(value)
            except ValueError as error:
                raise ValueError(f"the id at {position}: {error}") from None
        checked.append(value)
    return checked


_PRINTED = r"^[^\u0000-\u001f\u007f]*$"
_STRING: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": ID_BYTES, "pattern": _PRINTED}
_ID: dict[str, Any] = {"anyOf": [_STRING, {"type": "integer", "minimum": -(1 << 63), "maximum": (1 << 63) - 1}]}
_Text = Annotated[str, StringConstraints(min_length=1, max_length=ID_BYTES)]
Id = Annotated[_Text, BeforeValidator(_text), AfterValidator(_fits), WithJsonSchema(_ID, "validation")]
UserId = Annotated[Id, WithJsonSchema({**_ID, "examples": ["42"]}, "validation")]
ItemId = Annotated[Id, WithJsonSchema({**_ID, "examples": ["661"]}, "validation")]
Time = Annotated[int, Field(strict=True, ge=-_FARTHEST, le=_FARTHEST), BeforeValidator(_seconds)]
_MOMENT: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": -_FARTHEST, "maximum": _FARTHEST},
        {"type": "string", "examples": ["2024-05-31", "2024-05-31T19:00:00Z"]},
    ]
}
Moment = Annotated[int | str, BeforeValidator(_asked), WithJsonSchema(_MOMENT, "validation")]
Ids = Annotated[list[str], BeforeValidator(_ids), WithJsonSchema({"type": "array", "items": _ID}, "validation")]


def at_most(length: int) -> Any:
    """A list of ids of at most this length."""

    def check(values: list[str]) -> list[str]:
        if len(values) > length:
            raise ValueError(f"{len(values):,} ids, at most {length:,} are accepted")
        return values

    schema = {"type": "array", "items": _ID, "maxItems": length}
    return Annotated[list[str], BeforeValidator(_ids), AfterValidator(check), WithJsonSchema(schema, "validation")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _has_known_fields(cls, values: Any) -> Any:
        for name in values if isinstance(values, dict) else ():
            if name not in cls.model_fields:
                shown = str(name)[:SHOWN].encode(errors="replace").decode()
                raise ValueError(f"unknown field {shown!r}{did_you_mean(shown, cls.model_fields)}")
        return values


def with_examples(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": list(examples)})
