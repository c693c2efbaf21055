"""`/recommendations`: what comes next, for a user or after a history."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from recollect.data.seen import Seen
from recollect.recommend import Recommendation
from recollect.serve.http import wire
from recollect.serve.http.errors import problems
from recollect.serve.http.keys import Keys
from recollect.serve.http.meters import Meters
from recollect.serve.ranker import Answer, Asked, AskedAfter
from recollect.serve.service import Service


def routes(service: Service, meters: Meters, keys: Keys) -> APIRouter:
    router = APIRouter(dependencies=keys.reading, responses=problems(400, 401, 408, 413, 422, 503))

    @router.get("/recommendations")
    async def recommend_for(user: wire.Id, k: wire.K = 10, seen: Seen = "hidden") -> wire.ListOut:
        """The next items for a user."""
        return await for_user(wire.UserQuestion(user=user, k=k, seen=seen))

    @router.post("/recommendations")
    async def recommend_to(body: wire.Question) -> wire.ListOut:
        """The next items for a user, or after a history of nobody's."""
        return await (after_history(body) if isinstance(body, wire.HistoryQuestion) else for_user(body))

    async def for_user(question: wire.UserQuestion) -> wire.ListOut:
        allow, deny = among(question)
        asked = Asked(question.user, k=question.k, seen=question.seen, allow=allow, deny=deny)
        return listed(await service.recommend(asked))

    async def after_history(question: wire.HistoryQuestion) -> wire.ListOut:
        allow, deny = among(question)
        asked = AskedAfter(tuple(question.history), k=question.k, seen=question.seen, allow=allow, deny=deny)
        return listed(await service.recommend_after(asked))

    def listed(answer: Answer) -> wire.ListOut:
        meters.list_given(answer.source)
        return wire.ListOut(
            model=answer.model,
            digest=answer.digest,
            source=answer.source,
            events=answer.events,
            long_weight=answer.long_weight,
            unknown=list(answer.unknown),
            items=rows(answer.items),
        )

    return router


def among(question: wire.Wish) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Which items may be answers (None: all), and which may not."""
    return None if question.allow is None else frozenset(question.allow), frozenset(question.deny)


def rows(items: Sequence[Recommendation]) -> list[wire.ItemOut]:
    """A list as it is answered."""
    return [
        wire.ItemOut(rank=one.rank, item=str(one.item), title=one.title, logit=one.logit, probability=one.probability)
        for one in items
    ]
