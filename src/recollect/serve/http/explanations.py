"""`/explanations`: which of the last events speak for an item, and which against."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from recollect.answers.explain import Explanation
from recollect.serve.http import schemas
from recollect.serve.http.errors import error_responses
from recollect.serve.http.json_route import JsonRoute
from recollect.serve.http.keys import Keys
from recollect.serve.http.query import KnownQuery
from recollect.serve.service import Service


def routes(service: Service, keys: Keys) -> APIRouter:
    known = Depends(KnownQuery(schemas.UserExplanationsIn, schemas.HistoryExplanationsIn))
    router = APIRouter(
        route_class=JsonRoute,
        dependencies=[*keys.reading, known],
        responses=error_responses(400, 401, 408, 413, 415, 422, 503),
    )

    @router.post("/explanations")
    async def explain(body: schemas.ExplainUserOrHistory) -> schemas.ExplanationsOut:
        """Why items have their place, for a user or after a history: how their logits change when one of the last
        events is left out. It costs as much as reading the whole history.
        """
        response = await service.explain(body.request(service.time_zone))
        return schemas.ExplanationsOut(
            model=response.model,
            digest=response.digest,
            source=response.source,
            events=response.events,
            unknown=list(response.unknown),
            unknown_items=list(response.unknown_items),
            items=[_out(one) for one in response.items],
        )

    return router


def _out(one: Explanation) -> schemas.ExplanationOut:
    return schemas.ExplanationOut(
        item=str(one.item),
        title=one.title,
        logit=one.logit,
        effects=[
            schemas.EffectOut(position=effect.position, item=str(effect.item), title=effect.title, logit=effect.logit)
            for effect in one.effects
        ],
    )
