"""`/users`: who has events, what they are, and how they are forgotten."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query

from recollect.artifact import Artifact
from recollect.serve.http import schemas
from recollect.serve.http.errors import error_responses
from recollect.serve.http.fields import UserId
from recollect.serve.http.keys import Keys
from recollect.serve.http.query import KnownQuery
from recollect.serve.service import Service
from recollect.serve.stores.contract import StoreError

_log = logging.getLogger(__name__)

UserInPath = Annotated[UserId, Path(description="The user's id.")]
Prefix = Annotated[str, Query(max_length=256, description="How the ids begin.", examples=["4"])]
After = Annotated[str, Query(max_length=256, description="Only ids after this one: the last of the list before.")]
Users = Annotated[int, Query(ge=1, le=1000, description="How many ids.")]
Events = Annotated[int, Query(ge=0, le=schemas.MOST_HISTORY, description="How many of the newest events.")]
Compact = Annotated[bool, Query(description="Also remove the events of all forgotten users from the files.")]


def routes(service: Service, keys: Keys) -> APIRouter:
    router = APIRouter(responses=error_responses(400, 401, 422, 503))
    reading, writing = ([*some, Depends(KnownQuery())] for some in (keys.reading, keys.writing))

    @router.get("/users", dependencies=reading)
    async def list_users(prefix: Prefix = "", after: After = "", limit: Users = 100) -> schemas.UsersOut:
        """Ids of users with events."""
        return schemas.UsersOut(users=await asyncio.to_thread(service.engine.store.users, after, limit, prefix))

    @router.get("/users/{user:path}", dependencies=reading, responses=error_responses(404))
    async def describe_user(user: UserInPath, limit: Events = 100) -> schemas.UserOut:
        """How many events a user has, and the newest of them."""
        engine, user = service.engine, service.ids.user(user)
        summary = await asyncio.to_thread(engine.store.summary, user)
        if summary is None:
            raise HTTPException(404, "no user with this id has events")
        newest = await asyncio.to_thread(engine.store.recent_events, user, limit)
        history = [
            schemas.HistoryEventOut(item=item, title=_title(engine.artifact, item), time=when) for item, when in newest
        ]
        return schemas.UserOut(user=user, events=summary.events, memory_bytes=engine.bytes_per_user, history=history)

    @router.delete("/users/{user:path}", dependencies=writing, responses=error_responses(404))
    async def forget_user(user: UserInPath, compact: Compact = False) -> schemas.ForgottenOut:
        """Forget a user: events, memory and seen items. With `compact`, the events of all forgotten users are gone from
        the files when the response comes; then it is no error if this user has none. A 503 that says so means that they
        are forgotten, and that the files could not be rewritten: send it again.
        """
        existed = await service.forget(user)
        if compact:
            try:
                await service.compact()
            except StoreError as error:
                _log.error("%s", error)
                detail = (
                    "events of forgotten users are void, but the files could not be rewritten; send it again (the "
                    "server's log says why)"
                )
                raise HTTPException(503, detail, {"Retry-After": "5"}) from None
        elif not existed:
            raise HTTPException(404, "no user with this id has events")
        return schemas.ForgottenOut(user=user, compacted=compact)

    return router


def _title(artifact: Artifact, item: str) -> str | None:
    code = artifact.items.find(item)
    return None if code is None else str(artifact.titles[code])
