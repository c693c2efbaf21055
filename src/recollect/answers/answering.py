"""What `Trained` and `Artifact` both do: recommend, compare, score, explain and hand out vectors by themselves.

Each method is the function of the same name with the model filled in; what it means and refuses is said there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from recollect.answers.explain import Explanations, explain
from recollect.answers.known import Known
from recollect.answers.lists import Recommendations, recommend_all
from recollect.answers.pairs import PairScores, score
from recollect.answers.similar import SimilarItems, similar
from recollect.answers.vectors import user_vectors, vectors
from recollect.data.candidates import Within
from recollect.data.frame import Frame
from recollect.data.seen import Seen
from recollect.recommend import Answer, recommend


class Answering:
    """For classes that are `Known`: a model, its items, and how it was trained to be asked."""

    def recommend(
        self: Known,
        histories: Sequence[Sequence[Any]],
        *,
        times: Sequence[Sequence[int]] | None = None,
        k: int = 10,
        seen: Seen | None = None,
        at: Sequence[int] | None = None,
        allow: Iterable[Any] | None = None,
        deny: Iterable[Any] | None = None,
        within: Within | None = None,
    ) -> list[Answer]:
        """Lists after histories of item ids, oldest first: `recollect.recommend`. `seen` None: as trained."""
        return recommend(
            self.model,
            self.items,
            histories,
            times=times if self.clock else None,
            titles=self.titles,
            k=k,
            seen=self.seen if seen is None else seen,
            at=at if self.clock else None,
            allow=allow,
            deny=deny,
            within=within,
            item_table=self.item_table,
        )

    def recommend_all(
        self: Known,
        log: Any = None,
        *,
        k: int = 10,
        seen: Seen | None = None,
        users: Iterable[Any] | None = None,
        at: int | None = None,
        allow: Iterable[Any] | None = None,
        deny: Iterable[Any] | None = None,
        within: Within | None = None,
    ) -> Recommendations:
        """Lists for every user of a log, as one table: `recollect.recommend_all`."""
        return recommend_all(self, log, k=k, seen=seen, users=users, at=at, allow=allow, deny=deny, within=within)

    def similar(
        self: Known,
        item: Any,
        k: int = 10,
        *,
        allow: Iterable[Any] | None = None,
        deny: Iterable[Any] | None = None,
        within: Within | None = None,
    ) -> SimilarItems:
        """The items most like one, by id or title: `recollect.similar`."""
        return similar(self, item, k, allow=allow, deny=deny, within=within)

    def score(self: Known, pairs: Any, log: Any = None, *, at: int | None = None) -> PairScores:
        """Logit, probability and rank of (user, item) pairs: `recollect.score`."""
        return score(self, pairs, log, at=at)

    def vectors(self: Known) -> Frame:
        """The vectors of the items, with their ids: `recollect.vectors`."""
        return vectors(self)

    def user_vectors(
        self: Known, log: Any = None, *, users: Iterable[Any] | None = None, at: int | None = None
    ) -> Frame:
        """The vectors of users after their whole histories: `recollect.user_vectors`."""
        return user_vectors(self, log, users=users, at=at)

    def explain(
        self: Known,
        history: Sequence[Any],
        *,
        times: Sequence[int] | None = None,
        items: Iterable[Any] | None = None,
        k: int = 10,
        last: int = 10,
        seen: Seen | None = None,
        allow: Iterable[Any] | None = None,
        deny: Iterable[Any] | None = None,
        within: Within | None = None,
        at: int | None = None,
    ) -> Explanations:
        """How each of the last events moved the logits of a list: `recollect.explain`."""
        return explain(
            self,
            history,
            times=times,
            items=items,
            k=k,
            last=last,
            seen=seen,
            allow=allow,
            deny=deny,
            within=within,
            at=at,
        )
