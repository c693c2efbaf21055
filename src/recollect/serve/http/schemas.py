"""The JSON of requests and responses: strict values with their limits, which OpenAPI then shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)

from recollect.config import did_you_mean
from recollect.data.seen import Seen
from recollect.serve.http.guard import BODY_BYTES
from recollect.serve.requests import HistoryRequest, SourceName, UserRequest
from recollect.serve.stores.records import ID_BYTES

MOST_EVENTS, MOST_ITEMS, MOST_HISTORY, MOST_THEN = 1000, 1000, 10_000, 1000
"""Events in a request, items in a list, item ids in a history, and in what a user might have next."""

FUTURE_SECONDS = 86_400
"""How far ahead of the server's clock an event's time may be: after one in milliseconds, all others would be late."""

_FARTHEST = 1 << 40
"""The largest time, in seconds before or after 1970."""

_SHOWN = 64
"""Letters of an unknown name that are repeated to whoever sent it."""


def _whole(value: object) -> object:
    """In JSON, 5.0 is the integer 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _seconds(value: object) -> object:
    value = _whole(value)
    if isinstance(value, int) and abs(value) > _FARTHEST:
        raise ValueError("seconds since 1970 are expected; these look like milliseconds or less")
    return value


def _text(value: object) -> object:
    """Integers are ids too."""
    value = _whole(value)
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


def _ids(values: object) -> object:
    """All ids of a list in one loop: called for each id, the validators of `Id` would take seconds for a catalogue."""
    if not isinstance(values, list):
        return values
    checked = []
    for position, one in enumerate(values):
        value = _text(one)
        if not isinstance(value, str) or not value:
            raise ValueError(f"the id at {position} is not a string with a character or an integer")
        if len(value) > ID_BYTES or not value.isascii():
            try:
                _fits(value)
            except ValueError as error:
                raise ValueError(f"the id at {position}: {error}") from None
        checked.append(value)
    return checked


_STRING: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": ID_BYTES}
_ID: dict[str, Any] = {"anyOf": [_STRING, {"type": "integer", "minimum": -(1 << 63), "maximum": (1 << 63) - 1}]}
_Text = Annotated[str, StringConstraints(min_length=1, max_length=ID_BYTES)]
Id = Annotated[_Text, BeforeValidator(_text), AfterValidator(_fits), WithJsonSchema(_ID, "validation")]
UserId = Annotated[
    _Text, BeforeValidator(_text), AfterValidator(_fits), WithJsonSchema({**_ID, "examples": ["42"]}, "validation")
]
Time = Annotated[int, Field(strict=True, ge=-_FARTHEST, le=_FARTHEST), BeforeValidator(_seconds)]
K = Annotated[int, Field(ge=1, le=MOST_ITEMS, description="How many items the list should have.")]
Ids = Annotated[list[str], BeforeValidator(_ids), WithJsonSchema({"type": "array", "items": _ID}, "validation")]


def _at_most(length: int) -> Any:
    """A list of ids of at most this length."""

    def check(values: list[str]) -> list[str]:
        if len(values) > length:
            raise ValueError(f"{len(values):,} ids, at most {length:,} are accepted")
        return values

    schema = {"type": "array", "items": _ID, "maxItems": length}
    return Annotated[list[str], BeforeValidator(_ids), AfterValidator(check), WithJsonSchema(schema, "validation")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _has_known_fields(cls, values: Any) -> Any:
        for name in values if isinstance(values, dict) else ():
            if name not in cls.model_fields:
                shown = str(name)[:_SHOWN].encode(errors="replace").decode()
                raise ValueError(f"unknown field {shown!r}{did_you_mean(shown, cls.model_fields)}")
        return values


def _with_examples(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": list(examples)})


class EventIn(_Strict):
    """One event of one user."""

    model_config = _with_examples({"user": "42", "item": "661", "id": "order-1887"})

    user: Id
    item: Id
    """An item that the model does not know is stored as well, and counts once a model knows it."""
    time: Time | None = None
    """Seconds since 1970; now, if left out."""
    id: Id | None = None
    """Your own id of the event. With it, sending the event again changes nothing."""


class EventsIn(_Strict):
    """Several events, in the order they happened."""

    model_config = _with_examples({"events": [{"user": "42", "item": "661"}, {"user": "42", "item": "1210"}]})

    events: Annotated[list[EventIn], Field(min_length=1, max_length=MOST_EVENTS)]


def _one_or_many(body: object) -> str:
    return "many" if isinstance(body, EventsIn) or (isinstance(body, dict) and "events" in body) else "one"


OneOrMany = Annotated[
    Annotated[EventIn, Tag("one")] | Annotated[EventsIn, Tag("many")],
    Discriminator(_one_or_many),
]


class EventOut(_Strict):
    """What became of an event."""

    id: str
    number: int
    """The number of the event in the journal."""
    outcome: Literal["new", "repeated", "conflict"]
    """`new`: it is durable now. `repeated`: it was already. `conflict`: the user has an event with this id and another
    item, and this one is not stored."""


class EventsOut(_Strict):
    """One for each event, in their order. All that are not in conflict are durable."""

    events: list[EventOut]


_BOUNDED = f"As many ids as fit into a body of {BODY_BYTES:,} bytes; unknown ones change nothing."
Allow = Annotated[Ids | None, Field(description=f"Only these items are candidates; all, if left out. {_BOUNDED}")]
Deny = Annotated[Ids, Field(description=f"None of these items is a candidate. {_BOUNDED}")]


class RecommendationsIn(_Strict):
    """How long a list should be, and what it may hold."""

    k: K = 10
    seen: Seen | None = None
    """Whether items of the history may be listed. If left out, as in the run of the model."""
    allow: Allow = None
    deny: Deny = []

    def options(self) -> dict[str, Any]:
        """The fields of a `ListRequest`."""
        allow = None if self.allow is None else frozenset(self.allow)
        return {"k": self.k, "seen": self.seen, "allow": allow, "deny": frozenset(self.deny)}


class UserRecommendationsIn(RecommendationsIn):
    """A list for a user."""

    model_config = _with_examples({"user": "42", "k": 5}, {"user": "42", "then": ["661"], "deny": ["1210"]})

    user: Id
    then: _at_most(MOST_THEN) = []  # type: ignore[valid-type]
    """Items that the user might have next, oldest first. The list is as if they had them; nothing of it is kept."""

    def request(self) -> UserRequest:
        return UserRequest(self.user, tuple(self.then), **self.options())


class HistoryRecommendationsIn(RecommendationsIn):
    """A list after a history, without a user. Nothing is kept."""

    model_config = _with_examples({"history": ["661", "1210"], "k": 5})

    history: _at_most(MOST_HISTORY)  # type: ignore[valid-type]
    """Items, oldest first."""

    @model_validator(mode="before")
    @classmethod
    def _has_no_user(cls, values: Any) -> Any:
        if isinstance(values, dict) and "user" in values:
            raise ValueError("a list is for a user or after a history, not both; `then` adds items to a user's")
        return values

    def request(self) -> HistoryRequest:
        return HistoryRequest(tuple(self.history), **self.options())


def _user_or_history(body: object) -> str:
    is_history = isinstance(body, HistoryRecommendationsIn) or (isinstance(body, dict) and "history" in body)
    return "history" if is_history else "user"


UserOrHistory = Annotated[
    Annotated[UserRecommendationsIn, Tag("user")] | Annotated[HistoryRecommendationsIn, Tag("history")],
    Discriminator(_user_or_history),
]
BODY_TAGS = ("one", "many", "user", "history")
"""Which of two forms a body has; the first part of the place of an error in it."""


class ItemOut(_Strict):
    """An item of a list."""

    rank: int
    item: str
    title: str
    logit: float
    """The score of the model."""
    probability: float | None
    """The share among all items, before any was excluded or hidden; null where the model has no probabilities."""


class RecommendationsOut(_Strict):
    """A ranked list, and what it was computed from."""

    model: str
    digest: str
    """Identifies the model, as `recollect train` prints it."""
    source: SourceName
    """`memory`: the events of a user. `history`: the items of the request. `popularity`: there are no events."""
    events: int
    """How many events the list was computed from."""
    seen: Seen
    """Whether items of the history could be listed."""
    candidates: int
    """How many items `allow` and `deny` left, before seen ones were hidden."""
    long_term_weight: float | None
    """The share of long-term memory, 0 to 1; null for models without one, and without events."""
    long_weight: Annotated[float | None, Field(deprecated="Renamed to long_term_weight.")]
    """Renamed to `long_term_weight`."""
    unknown: list[str]
    """Ids of the request's `history` or `then` that the model does not know; they were skipped."""
    items: list[ItemOut]


class HistoryEventOut(_Strict):
    """An event of a user."""

    item: str
    title: str | None
    """Null where the model does not know the item."""
    time: int
    """Seconds since 1970."""


class UsersOut(_Strict):
    """Ids of users, in the order of their bytes."""

    users: list[str]


class UserOut(_Strict):
    """What is stored of a user."""

    user: str
    events: int
    memory_bytes: int
    """The size of the user's memory, which does not depend on the number of events."""
    history: list[HistoryEventOut]
    """The newest events, oldest of them first."""


class ForgottenOut(_Strict):
    """The user's events are void now."""

    user: str
    compacted: bool
    """Whether they are gone from the files as well."""


class FoundItemOut(_Strict):
    """An item that the model knows."""

    item: str
    title: str
    events: int | None
    """How often it occurs in the data that the model was trained on."""


class ItemsOut(_Strict):
    """The items that were found, best match first."""

    items: list[FoundItemOut]


class ModelOut(_Strict):
    """The model in use."""

    model: str
    digest: str
    """Identifies the model, as `recollect train` prints it."""
    items: int
    """How many items it knows."""
    seen: Seen
    """Whether items of the history may be listed where a request does not say."""
    probabilities: bool
    """Whether lists have probabilities; those without any events always do."""
    memory_bytes: int
    """The size of a user's memory."""


class ErrorOut(_Strict):
    """What was wrong, and what to do."""

    error: str
