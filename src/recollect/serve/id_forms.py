"""Ids of requests in the form that the model's log has them: what a reader makes of an id in a file is made of it here.

A reader decides on whole columns. Over HTTP ids come one by one, so what is a matter of the column is taken from the
log of the model: where no id of it is a fraction such as 1.5, `17850.0` is 17850.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

from recollect.artifact import Artifact
from recollect.data.id_forms import FRACTIONS, have_fractions, unreadable, without_point_zero
from recollect.serve.requests import ExplanationRequest, HistoryRequest, ListRequest, SimilarRequest, UserRequest
from recollect.serve.stores.contract import IncomingEvent

_Request = TypeVar("_Request", bound=ListRequest)


@dataclasses.dataclass(frozen=True, slots=True)
class IdForms:
    """How the log of a model has ids.

    `user_fractions`, `item_fractions`: numbers such as 1.5 are among them, or that is not known; `keep_words`: NA, NULL
    and the like are ids too.
    """

    user_fractions: bool = True
    item_fractions: bool = True
    keep_words: bool = False

    @staticmethod
    def of(artifact: Artifact) -> IdForms:
        """The forms that the log of a model has, as far as was kept of it."""
        return IdForms(
            bool(artifact.card.get("data", {}).get(FRACTIONS, True)),
            have_fractions(artifact.items),
            bool(artifact.settings.get("data", {}).get("keep_missing_words", False)),
        )

    def user(self, text: str) -> str:
        return text if self.user_fractions else without_point_zero(text)

    def item(self, text: str) -> str:
        return text if self.item_fractions else without_point_zero(text)

    def refusal(self, text: str) -> str | None:
        """Why an event with this id could not be read back; None where it could."""
        return unreadable(text, keep_words=self.keep_words)

    def event(self, one: IncomingEvent) -> IncomingEvent:
        return dataclasses.replace(one, user=self.user(one.user), item=self.item(one.item))

    def request(self, one: _Request) -> _Request:
        """A request for a list."""
        allow = None if one.allow is None else frozenset(self._items(one.allow))
        one = dataclasses.replace(one, allow=allow, deny=frozenset(self._items(one.deny)))
        if isinstance(one, UserRequest):
            return dataclasses.replace(one, user=self.user(one.user), then=self._items(one.then))
        if isinstance(one, HistoryRequest):
            return dataclasses.replace(one, history=self._items(one.history))
        return one

    def explanation(self, one: ExplanationRequest) -> ExplanationRequest:
        user = None if one.user is None else self.user(one.user)
        return dataclasses.replace(one, user=user, then=self._items(one.then), items=self._items(one.items))

    def similar(self, one: SimilarRequest) -> SimilarRequest:
        return dataclasses.replace(one, item=self.item(one.item))

    def _items(self, texts: Sequence[str] | frozenset[str]) -> tuple[str, ...]:
        return tuple(map(self.item, texts))
