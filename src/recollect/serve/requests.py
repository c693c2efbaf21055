"""What the engine is asked for and what it returns: requests for ranked lists, and responses."""

from __future__ import annotations

import dataclasses
from typing import Literal

from recollect.answers.explain import Explanation
from recollect.data.seen import Seen
from recollect.recommend import Recommendation

SourceName = Literal["memory", "history", "newcomer"]
"""What a list is computed from: the memory of a user, or a history in the request. `newcomer`: the model knows none of
the events, if there are any, and lists what it lists for somebody of whom nothing is known."""


class RequestError(ValueError):
    """A request names what the model in use does not have. The message says what, and what there is instead."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """How long a list should be and what it may hold: only items in `allow` (None: all), none in `deny`, and only those
    whose column has the value, for each (column, value) in `within`. As in `data.candidates.allowed_mask`.

    `seen`: whether items of the history may be listed; None: as the model was trained and evaluated. `at`: the time of
    asking, in seconds; None: the present. Only models that use the time of asking look at it.
    """

    k: int = 10
    seen: Seen | None = None
    at: int | None = None
    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    within: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class UserRequest(ListRequest):
    """A list for a user, as if they had the items `then` next, oldest first. Nothing of `then` is kept."""

    user: str
    then: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class HistoryRequest(ListRequest):
    """A list after these items, oldest first, without a user."""

    history: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """A ranked list, and what it was computed from."""

    items: tuple[Recommendation, ...]
    source: SourceName
    events: int
    """How many events it was computed from, those with items that the model does not know included."""
    long_term_weight: float | None
    """The share of long-term memory, 0 to 1. None where the model has none, or knows no event."""
    model: str
    """The name of the model."""
    digest: str
    """The digest of the model."""
    seen: Seen
    """Whether items of the history could be listed."""
    candidates: int
    """How many items the request allowed, before seen ones were hidden."""
    at: int | None = None
    """The time of asking that the model was told, in seconds; None where it does not use one."""
    unknown: tuple[str, ...] = ()
    """Items of the request's `history` or `then` that the model does not know; they were skipped."""
    unknown_items: tuple[str, ...] = ()
    """Items of the request's `allow` and `deny` that the model does not know, sorted; they changed nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class ExplanationRequest:
    """Which of the `last` events speak for these items. The events are those of the user and then `then`; without a
    user (None), `then` is the whole history.
    """

    user: str | None
    then: tuple[str, ...]
    items: tuple[str, ...]
    last: int = 10
    at: int | None = None
    """The time of asking, as of a list."""


@dataclasses.dataclass(frozen=True, slots=True)
class ExplanationResponse:
    """One explanation for each item of the request that the model knows, in their order."""

    items: tuple[Explanation, ...]
    source: SourceName
    events: int
    """How many events there are, those with items that the model does not know included."""
    model: str
    """The name of the model."""
    digest: str
    """The digest of the model."""
    unknown: tuple[str, ...] = ()
    """Items of `then` that the model does not know; they were skipped."""
    unknown_items: tuple[str, ...] = ()
    """Items of the request that the model does not know."""


@dataclasses.dataclass(frozen=True, slots=True)
class SimilarRequest:
    """The k items most like one, among those within these conditions (as of a `ListRequest`)."""

    item: str
    k: int = 10
    within: tuple[tuple[str, str], ...] = ()
