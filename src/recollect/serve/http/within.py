"""`within`: only items of a kind, in the query (`column=value`) and in JSON (a mapping, or a list of such)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import HTTPException, Query
from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from recollect.data.candidates import parse_within
from recollect.data.log import DataError
from recollect.serve.http.fields import SHOWN, whole

MOST_CONDITIONS, VALUE_LENGTH = 20, 256
"""Conditions in a request, and letters in a column's name or a value."""


def _conditions(within: object) -> object:
    """A mapping from columns to values, or a list of such -> (column, value) pairs, the values as text."""
    pairs = []
    for one in within if isinstance(within, list) else [within]:
        if not isinstance(one, dict):
            raise ValueError('columns with their values are expected, as {"genres": "Comedy"}, or a list of such')
        pairs += [(str(column), _value(str(column), value)) for column, value in one.items()]
    if len(pairs) > MOST_CONDITIONS:
        raise ValueError(f"{len(pairs):,} conditions, at most {MOST_CONDITIONS} are accepted")
    return pairs


def _value(column: str, value: object) -> str:
    value = whole(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        (column + text).encode()
    except UnicodeEncodeError:
        raise ValueError("not valid text") from None
    if not isinstance(value, str | int | float) or not 0 < len(text) <= VALUE_LENGTH >= len(column):
        raise ValueError(
            f"{column[:SHOWN]}: a text, a number, true or false is expected, of at most {VALUE_LENGTH} letters; for "
            "several values that must all hold send a list of mappings"
        )
    return text


_VALUE: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1, "maxLength": VALUE_LENGTH},
        {"type": "number"},
        {"type": "boolean"},
    ]
}
_MAPPING: dict[str, Any] = {"type": "object", "additionalProperties": _VALUE}
_WITHIN = {"anyOf": [_MAPPING, {"type": "array", "items": _MAPPING, "maxItems": MOST_CONDITIONS}]}
Within = Annotated[
    list[tuple[str, str]],
    BeforeValidator(_conditions),
    WithJsonSchema(_WITHIN, "validation"),
    Field(
        description='Only items whose column has this value, as in `{"genres": "Comedy"}`, or has it in a list joined '
        "by `|`. Several must all hold; a list of such mappings can name a column again."
    ),
]

WithinInQuery = Annotated[
    list[Annotated[str, StringConstraints(max_length=2 * VALUE_LENGTH)]],
    Query(
        default_factory=list,
        max_length=MOST_CONDITIONS,
        description="`column=value`: only items whose column has this value, or has it in a list joined by `|`. It may "
        "be given several times; all must hold.",
    ),
]


def conditions(within: list[str]) -> tuple[tuple[str, str], ...]:
    """`column=value` of the query -> pairs."""
    try:
        return tuple(map(parse_within, within))
    except DataError as error:
        raise HTTPException(422, f"within: {error}") from None
