"""The JSON of requests and responses: strict values with their limits, which OpenAPI then shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from recollect.data.seen import Seen
from recollect.serve.http.fields import Id, Ids, Moment, Strict, Time, at_most, moment_of, with_examples
from recollect.serve.http.guard import BODY_BYTES
from recollect.serve.http.user_or_history import user_or_history, with_user, without_user
from recollect.serve.http.within import Within
from recollect.serve.requests import ExplanationRequest, HistoryRequest, RequestError, SourceName, UserRequest

MOST_EVENTS, MOST_ITEMS, MOST_HISTORY, MOST_THEN = 1000, 1000, 10_000, 1000
"""Events in a request, items in a list, item ids in a history, and in what a user might have next."""

MOST_EXPLAINED, MOST_EXPLAINING = 20, 20
"""Items that a request has explained, and events that are looked at for it."""

K = Annotated[int, Field(ge=1, le=MOST_ITEMS, description="How many items the list should have.")]


class EventIn(Strict):
    """One event of one user."""

    model_config = with_examples({"user": "42", "item": "661", "id": "order-1887"})

    user: Id
    item: Id
    """An item that the model does not know is stored as well, and counts once a model knows it."""
    time: Time | None = None
    """Seconds since 1970; now, if left out."""
    id: Id | None = None
    """Your own id of the event. With it, sending the event again changes nothing."""


class EventsIn(Strict):
    """Several events, in the order they happened."""

    model_config = with_examples({"events": [{"user": "42", "item": "661"}, {"user": "42", "item": "1210"}]})

    events: Annotated[list[EventIn], Field(min_length=1, max_length=MOST_EVENTS)]


def _one_or_many(body: object) -> str:
    return "many" if isinstance(body, EventsIn) or (isinstance(body, dict) and "events" in body) else "one"


OneOrMany = Annotated[
    Annotated[EventIn, Tag("one")] | Annotated[EventsIn, Tag("many")],
    Discriminator(_one_or_many),
]


class EventOut(Strict):
    """What became of an event."""

    id: str
    number: int
    """The number of the event in the journal."""
    outcome: Literal["new", "repeated", "conflict"]
    """`new`: it is durable now. `repeated`: it was already. `conflict`: the user has an event with this id and another
    item, and this one is not stored."""


class EventsOut(Strict):
    """One for each event, in their order. All that are not in conflict are durable."""

    events: list[EventOut]


_BOUNDED = f"As many ids as fit into a body of {BODY_BYTES:,} bytes; unknown ones are named in `unknown_items`."
Allow = Annotated[Ids | None, Field(description=f"Only these items are candidates; all, if left out. {_BOUNDED}")]
At = Annotated[
    Moment | None,
    Field(
        description="The time of asking, for models that use it: how long ago events were, the hour, the day of the "
        "week. Seconds since 1970, or an ISO date or time; without an offset it is one of the zone that the model's "
        "log was read in, else UTC. Now, if left out."
    ),
]
Deny = Annotated[Ids, Field(description=f"None of these items is a candidate. {_BOUNDED}")]


class RecommendationsIn(Strict):
    """How long a list should be, and what it may hold."""

    k: K = 10
    seen: Seen | None = None
    """Whether items of the history may be listed. If left out, as in the run of the model."""
    at: At = None
    allow: Allow = None
    deny: Deny = Field([])
    within: Within = Field([])

    def options(self, zone: str | None) -> dict[str, Any]:
        """The fields of a `ListRequest`. `zone`: that of an `at` without an offset."""
        allow = None if self.allow is None else frozenset(self.allow)
        deny, within = frozenset(self.deny), tuple(self.within)
        return {
            "k": self.k,
            "seen": self.seen,
            "at": moment(self.at, zone),
            "allow": allow,
            "deny": deny,
            "within": within,
        }


def moment(at: int | str | None, zone: str | None) -> int | None:
    """`moment_of` for the model in use. Raises RequestError."""
    try:
        return moment_of(at, zone)
    except ValueError as error:  # a day ahead in that zone, and not in UTC
        raise RequestError(f"at: {error}") from None


class UserRecommendationsIn(RecommendationsIn):
    """A list for a user."""

    model_config = with_examples({"user": "42", "k": 5}, {"user": "42", "then": ["661"], "deny": ["1210"]})

    user: Id
    then: at_most(MOST_THEN) = Field([])  # type: ignore[valid-type]
    """Items that the user might have next, oldest first. The list is as if they had them; nothing of it is kept."""

    @model_validator(mode="before")
    @classmethod
    def _has_a_user(cls, values: Any) -> Any:
        return with_user(values, cls.model_fields)

    def request(self, zone: str | None) -> UserRequest:
        return UserRequest(self.user, tuple(self.then), **self.options(zone))


class HistoryRecommendationsIn(RecommendationsIn):
    """A list after a history, without a user. Nothing is kept."""

    model_config = with_examples({"history": ["661", "1210"], "k": 5})

    history: at_most(MOST_HISTORY)  # type: ignore[valid-type]
    """Items, oldest first. They have no times, and count as if they had come just when the list is asked for."""

    @model_validator(mode="before")
    @classmethod
    def _has_no_user(cls, values: Any) -> Any:
        return without_user(values)

    def request(self, zone: str | None) -> HistoryRequest:
        return HistoryRequest(tuple(self.history), **self.options(zone))


UserOrHistory = Annotated[
    Annotated[UserRecommendationsIn, Tag("user")] | Annotated[HistoryRecommendationsIn, Tag("history")],
    Discriminator(user_or_history),
]
BODY_TAGS = ("one", "many", "user", "history")
"""Which of two forms a body has; the first part of the place of an error in it."""


class ExplanationsIn(Strict):
    """Which items to explain, and how many of the last events to look at."""

    items: Annotated[at_most(MOST_EXPLAINED), Field(min_length=1)]  # type: ignore[valid-type]
    """Items, of the list or any others."""
    last: Annotated[int, Field(strict=True, ge=1, le=MOST_EXPLAINING)] = 10
    """How many of the last events to leave out, one at a time."""
    at: At = None


class UserExplanationsIn(ExplanationsIn):
    """Why these items, for a user."""

    model_config = with_examples({"user": "42", "items": ["661"]})

    user: Id
    then: at_most(MOST_THEN) = Field([])  # type: ignore[valid-type]
    """Items that the user might have next, as for a list; they are events like the others here."""

    @model_validator(mode="before")
    @classmethod
    def _has_a_user(cls, values: Any) -> Any:
        return with_user(values, cls.model_fields)

    def request(self, zone: str | None) -> ExplanationRequest:
        return ExplanationRequest(self.user, tuple(self.then), tuple(self.items), self.last, moment(self.at, zone))


class HistoryExplanationsIn(ExplanationsIn):
    """Why these items, after a history without a user. Nothing is kept."""

    model_config = with_examples({"history": ["661", "1210"], "items": ["1210"], "last": 5})

    history: at_most(MOST_HISTORY)  # type: ignore[valid-type]
    """Items, oldest first."""

    @model_validator(mode="before")
    @classmethod
    def _has_no_user(cls, values: Any) -> Any:
        return without_user(values)

    def request(self, zone: str | None) -> ExplanationRequest:
        return ExplanationRequest(None, tuple(self.history), tuple(self.items), self.last, moment(self.at, zone))


ExplainUserOrHistory = Annotated[
    Annotated[UserExplanationsIn, Tag("user")] | Annotated[HistoryExplanationsIn, Tag("history")],
    Discriminator(user_or_history),
]


class ItemOut(Strict):
    """An item of a list."""

    rank: int
    item: str
    title: str
    logit: float
    """The score of the model."""
    probability: float | None
    """The share among all items, before any was excluded or hidden; null where the model has no probabilities."""


class RecommendationsOut(Strict):
    """A ranked list, and what it was computed from."""

    model: str
    digest: str
    """Identifies the model, as `recollect train` prints it."""
    source: SourceName
    """`memory`: the events of a user. `history`: the items of the request. `newcomer`: the model knows none
    of the events, if there are any, and lists what it lists for somebody of whom nothing is known."""
    events: int
    """How many events were given for the list, those of items that the model does not know included."""
    seen: Seen
    """Whether items of the history could be listed."""
    candidates: int
    """How many items `allow`, `deny` and `within` left, before seen ones were hidden."""
    at: int | None
    """The time of asking that the model was told, in seconds since 1970; null where it uses none."""
    long_term_weight: float | None
    """The share of long-term memory, 0 to 1; null for models without one, and for newcomers."""
    long_weight: Annotated[float | None, Field(deprecated="Renamed to long_term_weight.")]
    """Renamed to `long_term_weight`."""
    unknown: list[str]
    """Ids of the request's `history` or `then` that the model does not know; they were skipped."""
    unknown_items: list[str]
    """Ids of the request's `allow` and `deny` that the model does not know; they changed nothing."""
    items: list[ItemOut]


class EffectOut(Strict):
    """What one event did to the logit of an item."""

    position: int
    """The place of the event in the whole history, from 1, oldest first."""
    item: str
    title: str
    logit: float
    """The logit with the event minus that without it: above zero, the event speaks for the item; below, against."""


class ExplanationOut(Strict):
    """Why an item has its place."""

    item: str
    title: str
    logit: float
    """What the whole history gives it, as in a list."""
    effects: list[EffectOut]
    """Of the last events, oldest first. Events that the model does not know are left out. Effects do not add up to the
    logit, since events interact."""


class ExplanationsOut(Strict):
    """Which of the last events speak for the items, and which against."""

    model: str
    digest: str
    """Identifies the model, as `recollect train` prints it."""
    source: SourceName
    """As of a list."""
    events: int
    """How many events there are, those that the model does not know included."""
    unknown: list[str]
    """Ids of the request's `history` or `then` that the model does not know; they were skipped."""
    unknown_items: list[str]
    """Ids of the request's `items` that the model does not know; they have no explanation."""
    items: list[ExplanationOut]


class SimilarItemOut(Strict):
    """An item that is like another."""

    rank: int
    item: str
    title: str
    similarity: float


class SimilarItemsOut(Strict):
    """Items like one item, the most similar first."""

    model: str
    digest: str
    """Identifies the model, as `recollect train` prints it."""
    item: str
    title: str
    measure: str
    """What the similarity is, in words."""
    items: list[SimilarItemOut]


class HistoryEventOut(Strict):
    """An event of a user."""

    item: str
    title: str | None
    """Null where the model does not know the item."""
    time: int
    """Seconds since 1970."""


class UsersOut(Strict):
    """Ids of users, in the order of their bytes."""

    users: list[str]


class UserOut(Strict):
    """What is stored of a user."""

    user: str
    events: int
    memory_bytes: int
    """The size of the user's memory, which does not depend on the number of events."""
    history: list[HistoryEventOut]
    """The newest events, oldest of them first."""


class ForgottenOut(Strict):
    """The user's events are void now."""

    user: str
    compacted: bool
    """Whether they are gone from the files as well."""


class FoundItemOut(Strict):
    """An item that the model knows."""

    item: str
    title: str
    events: int | None
    """How often it occurs in the data that the model was trained on."""


class ItemsOut(Strict):
    """The items that were found, best match first."""

    items: list[FoundItemOut]


class ModelOut(Strict):
    """The model in use."""

    model: str
    digest: str
    """Identifies the model, as `recollect train` prints it."""
    items: int
    """How many items it knows."""
    seen: Seen
    """Whether items of the history may be listed where a request does not say."""
    probabilities: bool
    """Whether lists have probabilities."""
    memory_bytes: int
    """The size of a user's memory."""
    columns: list[str]
    """Columns of its table of items, for `within`; empty where it was kept without one."""


class ErrorOut(Strict):
    """What was wrong, and what to do."""

    error: str
