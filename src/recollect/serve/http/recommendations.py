"""`/recommendations`: ranked lists, for a user or after a history."""

from __future__ import annotations

from fastapi import APIRouter

from recollect.recommend import Seen
from recollect.serve.http import schemas
from recollect.serve.http.errors import error_responses
from recollect.serve.http.keys import Keys
from recollect.serve.http.metrics import Metrics
from recollect.serve.requests import HistoryRequest, Response
from recollect.serve.service import Service


def routes(service: Service, metrics: Metrics, keys: Keys) -> APIRouter:
    router = APIRouter(dependencies=keys.reading, responses=error_responses(400, 401, 408, 413, 422, 503))

    @router.get("/recommendations")
    async def recommend_for(user: schemas.Id, k: schemas.K = 10, seen: Seen = "hidden") -> schemas.RecommendationsOut:
        """The next items for a user."""
        return await respond(schemas.UserRecommendationsIn(user=user, k=k, seen=seen))

    @router.post("/recommendations")
    async def recommend_to(body: schemas.UserOrHistory) -> schemas.RecommendationsOut:
        """The next items for a user, or after a history without a user."""
        return await respond(body)

    async def respond(
        body: schemas.UserRecommendationsIn | schemas.HistoryRecommendationsIn,
    ) -> schemas.RecommendationsOut:
        request = body.request()
        if isinstance(request, HistoryRequest):
            response = await service.recommend_after(request)
        else:
            response = await service.recommend(request)
        metrics.count_list(response.source)
        return recommendations_out(response)

    return router


def recommendations_out(response: Response) -> schemas.RecommendationsOut:
    items = [
        schemas.ItemOut(
            rank=one.rank, item=str(one.item), title=one.title, logit=one.logit, probability=one.probability
        )
        for one in response.items
    ]
    return schemas.RecommendationsOut(
        model=response.model,
        digest=response.digest,
        source=response.source,
        events=response.events,
        long_term_weight=response.long_term_weight,
        long_weight=response.long_term_weight,
        unknown=list(response.unknown),
        items=items,
    )
