"""`/items`, `/similar` and `/model`: what the model in use knows."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from recollect.serve.http import schemas
from recollect.serve.http.errors import error_responses
from recollect.serve.http.fields import ItemId
from recollect.serve.http.keys import Keys
from recollect.serve.http.query import KnownQuery
from recollect.serve.http.within import WithinInQuery, conditions
from recollect.serve.requests import SimilarRequest
from recollect.serve.service import Service

Search = Annotated[
    str,
    Query(
        max_length=256,
        description="A part of a title, in any case, or an id. Empty: the most popular items.",
        examples=["star"],
    ),
]

ItemInQuery = Annotated[ItemId, Query(description="The item's id.")]

Limit = Annotated[int, Query(ge=1, le=100, description="How many items.")]


def routes(service: Service, keys: Keys) -> APIRouter:
    router = APIRouter(
        dependencies=[*keys.reading, Depends(KnownQuery())], responses=error_responses(400, 401, 422, 503)
    )

    @router.get("/items")
    async def find_items(search: Search = "", limit: Limit = 20) -> schemas.ItemsOut:
        """Items by title or id."""
        found = await asyncio.to_thread(lambda: service.engine.ranker.titles.find(search, limit))
        return schemas.ItemsOut(
            items=[schemas.FoundItemOut(item=one.item, title=one.title, events=one.events) for one in found]
        )

    @router.get("/similar")
    async def list_similar_items(
        item: ItemInQuery, within: WithinInQuery, k: schemas.K = 10
    ) -> schemas.SimilarItemsOut:
        """Items like one item, most similar first. Networks and factorisations compare the vectors of the items by
        their cosine, models that count by what they score by; the others cannot compare items (422).
        """
        artifact, found = await service.similar(SimilarRequest(item, k, conditions(within)))
        return schemas.SimilarItemsOut(
            model=artifact.name,
            digest=artifact.digest,
            item=str(found.item),
            title=found.title,
            measure=found.measure,
            items=[
                schemas.SimilarItemOut(rank=one.rank, item=str(one.item), title=one.title, similarity=one.similarity)
                for one in found
            ],
        )

    @router.get("/model")
    async def describe_model() -> schemas.ModelOut:
        """The model in use."""
        engine = service.engine
        artifact = engine.artifact
        table = await asyncio.to_thread(lambda: artifact.item_table)  # it is read when it is first needed
        return schemas.ModelOut(
            model=artifact.name,
            digest=artifact.digest,
            items=len(artifact.items),
            seen=engine.seen,
            probabilities=artifact.model.probabilistic,
            memory_bytes=engine.bytes_per_user,
            columns=[] if table is None else list(table.columns),
        )

    return router
