"""Values that requests are made of, checked strictly: ids, times, lists of ids; and what all JSON objects have."""

from __future__ import annotations

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
from recollect.data.id_forms import plain
from recollect.serve.stores.records import ID_BYTES

_FARTHEST = 1 << 40
"""The largest time, in seconds before or after 1970."""

FUTURE_SECONDS = 86_400
"""How far ahead of the server's clock a time may be: after an event in milliseconds, all others would be late."""

SHOWN = 64
"""Letters of an unknown name that are repeated to whoever sent it."""


def whole(value: object) -> object:
    """In JSON, 5.0 is the integer 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _seconds(value: object) -> object:
    value = whole(value)
    if isinstance(value, int) and abs(value) > _FARTHEST:
        raise ValueError("seconds since 1970 are expected; these look like milliseconds or less")
    return value


def _not_in_the_future(value: int) -> int:
    if value > int(time.time()) + FUTURE_SECONDS:
        raise ValueError(f"{value} is in the future; seconds are expected")
    return value


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
Moment = Annotated[Time, AfterValidator(_not_in_the_future)]
MomentInQuery = Annotated[int, AfterValidator(_seconds), AfterValidator(_not_in_the_future)]
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
