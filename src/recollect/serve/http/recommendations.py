"""`/recommendations`: ranked lists, for a user or after a history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from recollect.data.seen import Seen
from recollect.recommend import Recommendation
from recollect.serve.http import schemas
from recollect.serve.http.errors import error_responses
from recollect.serve.http.fields import UserId
from recollect.serve.http.json_route import JsonRoute
from recollect.serve.http.keys import Keys
from recollect.serve.http.metrics import Metrics
from recollect.serve.http.query import KnownQuery
from recollect.serve.http.within import WithinInQuery, conditions
from recollect.serve.requests import HistoryRequest, Response, UserRequest
from recollect.serve.service import Service

UserInQuery = Annotated[UserId, Query(description="The user's id.")]
SeenInQuery = Annotated[
    Seen | None,
    Query(description="Whether items of the history may be listed. If left out, as in the run of the model."),
]


def routes(service: Service, metrics: Metrics, keys: Keys) -> APIRouter:
    known = Depends(KnownQuery(schemas.UserRecommendationsIn, schemas.HistoryRecommendationsIn))
    router = APIRouter(
        route_class=JsonRoute,
        dependencies=[*keys.reading, known],
        responses=error_responses(400, 401, 408, 413, 415, 422, 503),
    )

    @router.get("/recommendations")
    async def recommend_for(
        user: UserInQuery, within: WithinInQuery, k: schemas.K = 10, seen: SeenInQuery = None, at: schemas.At = None
    ) -> schemas.RecommendationsOut:
        """The next items for a user. `POST` takes more: `then`, `allow`, `deny`, or a history without a user."""
        when = schemas.moment(at, service.time_zone)
        return await respond(UserRequest(user, k=k, seen=seen, at=when, within=conditions(within)))

    @router.post("/recommendations")
    async def recommend_to(body: schemas.UserOrHistory) -> schemas.RecommendationsOut:
        """The next items for a user, or after a history without a user."""
        return await respond(body.request(service.time_zone))

    async def respond(request: UserRequest | HistoryRequest) -> schemas.RecommendationsOut:
        if isinstance(request, HistoryRequest):
            response = await service.recommend_after(request)
        else:
            response = await service.recommend(request)
        metrics.count_list(response.source)
        return _out(response)

    return router


def _out(response: Response) -> schemas.RecommendationsOut:
    return schemas.RecommendationsOut(
        model=response.model,
        digest=response.digest,
        source=response.source,
        events=response.events,
        seen=response.seen,
        candidates=response.candidates,
        at=response.at,
        long_term_weight=response.long_term_weight,
        long_weight=response.long_term_weight,
        unknown=list(response.unknown),
        unknown_items=list(response.unknown_items),
        items=[_item(one) for one in response.items],
    )


def _item(one: Recommendation) -> schemas.ItemOut:
    return schemas.ItemOut(
        rank=one.rank, item=str(one.item), title=one.title, logit=one.logit, probability=one.probability
    )
