"""`/users`: who has events, what they are, and how they are forgotten."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query

from recollect.artifact import Artifact
from recollect.serve.http import wire
from recollect.serve.http.errors import problems
from recollect.serve.http.keys import Keys
from recollect.serve.service import Service

UserInPath = Annotated[wire.Id, Path(description="The user's id.")]
Prefix = Annotated[str, Query(max_length=256)]


def routes(service: Service, keys: Keys) -> APIRouter:
    router = APIRouter(responses=problems(401, 422, 503))

    @router.get("/users", dependencies=keys.reading, responses=problems(400))
    async def list_users(
        prefix: Prefix = "", after: Prefix = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> wire.UsersOut:
        """Ids of users that begin with `prefix`, those after `after`."""
        return wire.UsersOut(users=await asyncio.to_thread(service.engine.store.users, after, limit, prefix))

    @router.get("/users/{user:path}", dependencies=keys.reading, responses=problems(404))
    async def describe_user(
        user: UserInPath, limit: Annotated[int, Query(ge=0, le=wire.MOST_HISTORY)] = 100
    ) -> wire.UserOut:
        """How many events a user has, and the newest of them."""
        engine = service.engine
        profile = await asyncio.to_thread(engine.store.profile, user)
        if profile is None:
            raise HTTPException(404, "nobody with this id has events")
        newest = await asyncio.to_thread(engine.store.newest, user, limit)
        past = [wire.PastOut(item=item, title=_title(engine.artifact, item), time=when) for item, when in newest]
        return wire.UserOut(user=user, events=profile.count, memory_bytes=engine.bytes_per_user, history=past)

    @router.delete("/users/{user:path}", dependencies=keys.writing, responses=problems(404))
    async def forget_user(user: UserInPath, compact: bool = False) -> wire.Forgotten:
        """Forget a user: journal, memory and seen items. With `compact`, all who were forgotten are gone from the files
        when this answers, whether there was anything left to forget or not.
        """
        known = await service.forget(user)
        if compact:
            await service.compact()
        elif not known:
            raise HTTPException(404, "nobody with this id has events")
        return wire.Forgotten(user=user, compacted=compact)

    return router


def _title(artifact: Artifact, item: str) -> str | None:
    code = artifact.items.find(item)
    return None if code is None else str(artifact.titles[code])
