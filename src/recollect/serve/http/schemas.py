"""The JSON of requests and responses: strict values with their limits, which OpenAPI then shows."""

from __future__ import annotations

from typing import Annotated, Literal

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
)

from recollect.recommend import Seen
from recollect.serve.requests import HistoryRequest, SourceName, UserRequest
from recollect.serve.stores.records import ID_BYTES

MOST_EVENTS, MOST_ITEMS, MOST_HISTORY, MOST_LISTED = 1000, 1000, 10_000, 1000
"""Events in a request, items in a list, item ids in a history, ids in an allow or deny list."""

FUTURE_SECONDS = 86_400
"""How far ahead of the server's clock an event's time may be: after one in milliseconds, all others would be late."""

_FARTHEST = 1 << 40
"""The largest time, in seconds before or after 1970."""


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


_Text = Annotated[str, StringConstraints(min_length=1, max_length=ID_BYTES)]
_NUMBER_OR_TEXT = {
    "anyOf": [
        {"type": "string", "minLength": 1, "maxLength": ID_BYTES},
        {"type": "integer", "minimum": -(1 << 63), "maximum": (1 << 63) - 1},
    ]
}
Id = Annotated[_Text, BeforeValidator(_text), AfterValidator(_fits), WithJsonSchema(_NUMBER_OR_TEXT, "validation")]
Time = Annotated[int, Field(strict=True, ge=-_FARTHEST, le=_FARTHEST), BeforeValidator(_seconds)]
K = Annotated[int, Field(ge=1, le=MOST_ITEMS)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EventIn(_Strict):
    """One event. `time`: seconds since 1970, now if left out. `id`: your own, so that sending again changes nothing."""

    user: Id
    item: Id
    time: Time | None = None
    id: Id | None = None


class EventsIn(_Strict):
    """Several events, in the order they happened."""

    events: Annotated[list[EventIn], Field(min_length=1, max_length=MOST_EVENTS)]


def _how_many(body: object) -> str:
    return "many" if isinstance(body, EventsIn) or (isinstance(body, dict) and "events" in body) else "one"


OneOrMany = Annotated[
    Annotated[EventIn, Tag("one")] | Annotated[EventsIn, Tag("many")],
    Discriminator(_how_many),
]


class EventOut(_Strict):
    """What became of an event. `new`: now durable. `repeated`: it was there before. `conflict`: its id belongs to an
    event of the user with another item."""

    id: str
    number: int
    outcome: Literal["new", "repeated", "conflict"]


class EventsOut(_Strict):
    """One for each event, in their order. All that are not in conflict are durable."""

    events: list[EventOut]


class RecommendationsIn(_Strict):
    """What a list should be. Only items in `allow` are candidates, where it is given, and none in `deny`."""

    k: K = 10
    seen: Seen = "hidden"
    allow: Annotated[list[Id], Field(max_length=MOST_LISTED)] | None = None
    deny: Annotated[list[Id], Field(max_length=MOST_LISTED)] = []

    def _restrictions(self) -> tuple[frozenset[str] | None, frozenset[str]]:
        return None if self.allow is None else frozenset(self.allow), frozenset(self.deny)


class UserRecommendationsIn(RecommendationsIn):
    """For a user."""

    user: Id

    def request(self) -> UserRequest:
        allow, deny = self._restrictions()
        return UserRequest(self.user, k=self.k, seen=self.seen, allow=allow, deny=deny)


class HistoryRecommendationsIn(RecommendationsIn):
    """After this history of item ids, oldest first, without a user. Nothing is kept."""

    history: Annotated[list[Id], Field(max_length=MOST_HISTORY)]

    def request(self) -> HistoryRequest:
        allow, deny = self._restrictions()
        return HistoryRequest(tuple(self.history), k=self.k, seen=self.seen, allow=allow, deny=deny)


def _for_whom(body: object) -> str:
    is_history = isinstance(body, HistoryRecommendationsIn) or (isinstance(body, dict) and "history" in body)
    return "history" if is_history else "user"


UserOrHistory = Annotated[
    Annotated[UserRecommendationsIn, Tag("user")] | Annotated[HistoryRecommendationsIn, Tag("history")],
    Discriminator(_for_whom),
]


class ItemOut(_Strict):
    """An item of a list. `probability`: among all items, before any was hidden; null where the model has none."""

    rank: int
    item: str
    title: str
    logit: float
    probability: float | None


class RecommendationsOut(_Strict):
    """A ranked list. `source`: what it was computed from; `popularity` where there are no events. `long_term_weight`:
    the share of long-term memory, 0 to 1. `unknown`: ids of the request's history that the model does not know."""

    model: str
    digest: str
    source: SourceName
    events: int
    long_term_weight: float | None
    long_weight: Annotated[float | None, Field(deprecated="Renamed to long_term_weight.")]
    unknown: list[str]
    items: list[ItemOut]


class HistoryEventOut(_Strict):
    """An event of a history. `title` is null where the model does not know the item."""

    item: str
    title: str | None
    time: int


class UsersOut(_Strict):
    """Ids of users, in order."""

    users: list[str]


class UserOut(_Strict):
    """A user: how many events, the newest of them (oldest first), and the size of their memory."""

    user: str
    events: int
    memory_bytes: int
    history: list[HistoryEventOut]


class ForgottenOut(_Strict):
    """The user's events are void now. `compacted`: they are gone from the files as well."""

    user: str
    compacted: bool


class ErrorOut(_Strict):
    """What was wrong, and what to do."""

    error: str
