"""`/recommendations`: what comes next, for a user or after a history."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from recollect.recommend import Recommendation
from recollect.serve.engine import Asked
from recollect.serve.http import wire
from recollect.serve.http.errors import problems
from recollect.serve.http.keys import Keys
from recollect.serve.http.meters import Meters
from recollect.serve.service import Service


def routes(service: Service, meters: Meters, keys: Keys) -> APIRouter:
    router = APIRouter(dependencies=keys.reading, responses=problems(400, 401, 408, 413, 422, 503))

    @router.get("/recommendations")
    async def recommend_for(user: wire.Id, k: wire.K = 10, seen: wire.Seen = "hidden") -> wire.ListOut:
        """The next items for a user."""
        return await for_user(wire.UserQuestion(user=user, k=k, seen=seen))

    @router.post("/recommendations")
    async def recommend_to(body: wire.Question) -> wire.ListOut:
        """The next items for a user, or after a history of nobody's."""
        return await (after_history(body) if isinstance(body, wire.HistoryQuestion) else for_user(body))

    async def for_user(question: wire.UserQuestion) -> wire.ListOut:
        allow = None if question.allow is None else frozenset(question.allow)
        asked = Asked(question.user, question.k, question.seen, allow, frozenset(question.deny))
        given = await service.recommend(asked)
        meters.list_given(given.source)
        return wire.ListOut(
            model=given.model,
            digest=given.digest,
            source=given.source,
            events=given.events,
            long_weight=given.long_weight,
            unknown=[],
            items=rows(given.items),
        )

    async def after_history(question: wire.HistoryQuestion) -> wire.ListOut:
        artifact = service.engine.artifact
        given = await service.recommend_after(question.history, question.k, question.seen)
        meters.list_given("history")
        return wire.ListOut(
            model=artifact.name,
            digest=artifact.digest,
            source="history",
            events=len(question.history),
            long_weight=None,
            unknown=[str(one) for one in given.unknown],
            items=rows(given.items),
        )

    return router


def rows(items: Sequence[Recommendation]) -> list[wire.ItemOut]:
    """A list as it is answered."""
    return [
        wire.ItemOut(rank=one.rank, item=str(one.item), title=one.title, logit=one.logit, probability=one.probability)
        for one in items
    ]
