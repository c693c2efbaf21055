"""`/users`: who has events, what they are, and how they are forgotten."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query

from recollect.artifact import Artifact
from recollect.serve.http import schemas
from recollect.serve.http.errors import error_responses
from recollect.serve.http.keys import Keys
from recollect.serve.service import Service

UserInPath = Annotated[schemas.Id, Path(description="The user's id.")]
Prefix = Annotated[str, Query(max_length=256)]


def routes(service: Service, keys: Keys) -> APIRouter:
    router = APIRouter(responses=error_responses(401, 422, 503))

    @router.get("/users", dependencies=keys.reading, responses=error_responses(400))
    async def list_users(
        prefix: Prefix = "", after: Prefix = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> schemas.UsersOut:
        """Ids of users that begin with `prefix`, those after `after`."""
        return schemas.UsersOut(users=await asyncio.to_thread(service.engine.store.users, after, limit, prefix))

    @router.get("/users/{user:path}", dependencies=keys.reading, responses=error_responses(404))
    async def describe_user(
        user: UserInPath, limit: Annotated[int, Query(ge=0, le=schemas.MOST_HISTORY)] = 100
    ) -> schemas.UserOut:
        """How many events a user has, and the newest of them."""
        engine = service.engine
        summary = await asyncio.to_thread(engine.store.summary, user)
        if summary is None:
            raise HTTPException(404, "no user with this id has events")
        newest = await asyncio.to_thread(engine.store.recent_events, user, limit)
        history = [
            schemas.HistoryEventOut(item=item, title=_title(engine.artifact, item), time=when) for item, when in newest
        ]
        return schemas.UserOut(user=user, events=summary.events, memory_bytes=engine.bytes_per_user, history=history)

    @router.delete("/users/{user:path}", dependencies=keys.writing, responses=error_responses(404))
    async def forget_user(user: UserInPath, compact: bool = False) -> schemas.ForgottenOut:
        """Forget a user: events, memory and seen items. With `compact`, the events of all forgotten users are gone from
        the files when the response comes; then it is no error if this user has none.
        """
        existed = await service.forget(user)
        if compact:
            await service.compact()
        elif not existed:
            raise HTTPException(404, "no user with this id has events")
        return schemas.ForgottenOut(user=user, compacted=compact)

    return router


def _title(artifact: Artifact, item: str) -> str | None:
    code = artifact.items.find(item)
    return None if code is None else str(artifact.titles[code])
