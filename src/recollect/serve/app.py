"""The HTTP interface of the memory service: requests in, checked; answers out, without anything that is not theirs.

Reading and writing have keys of their own. An error says what was wrong and nothing of the code.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import time
from collections.abc import AsyncIterator, Sequence
from importlib.resources import files
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from recollect import __version__
from recollect.data.log import DataError
from recollect.recommend import Recommendation
from recollect.serve import wire
from recollect.serve.batcher import BusyError
from recollect.serve.engine import Asked
from recollect.serve.guard import Guard
from recollect.serve.meters import Meters, Timed
from recollect.serve.service import Service
from recollect.serve.store import Arrival, StoreError

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""The names under which a server without keys answers."""

PAGE = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files of the page, and what they are; no key is needed to see it, only to ask anything."""

UserInPath = Annotated[wire.Id, Path(description="The user's id.")]

_log = logging.getLogger(__name__)
_bearer = HTTPBearer(auto_error=False, description="A key for reading or for writing, where the server has keys.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI is told of errors."""
    what = {
        400: "Not for this server, or no JSON",
        401: "No key, or a wrong one",
        404: "Nobody with this id",
        408: "The body came too slowly",
        409: "An id belongs to another event",
        413: "The body is too large",
        415: "Not application/json",
        422: "A value is not as it should be",
        503: "Not now; try again",
    }
    return {status: {"model": wire.Problem, "description": what[status]} for status in statuses}


def create_app(service: Service, *, read_keys: Sequence[str] = (), write_keys: Sequence[str] = ()) -> FastAPI:
    """The application over a service, which it starts and stops with itself.

    With `read_keys`, reading needs one of them or of the write keys; with `write_keys`, writing needs one of them.
    Without any key only requests for a name of this machine (`LOOPBACK`) are answered.
    """

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="Recollect",
        version=__version__,
        summary="A memory of constant size for every user, and the next item from it.",
        lifespan=life,
        redoc_url=None,
        docs_url=None,
        redirect_slashes=False,
    )
    meters = Meters(service)
    keyless = not read_keys and not write_keys

    def guarded(accepted: Sequence[str]) -> list[Any]:
        """What a route depends on, so that only those with one of these keys may use it."""
        keys = [key.encode() for key in accepted]

        def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
            offered = b"" if given is None else given.credentials.encode()
            if not any(hmac.compare_digest(offered, key) for key in keys):
                raise HTTPException(401, "this needs a key: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})

        return [Depends(check)] if keys else []

    reading = guarded([*read_keys, *write_keys] if read_keys else [])
    writing = guarded(write_keys)

    @app.post(
        "/events",
        dependencies=writing,
        response_model=wire.EventsOut,
        responses={**problems(400, 401, 408, 413, 422, 503), 409: {"model": wire.EventsOut}},
    )
    async def add_events(body: wire.OneOrMany, response: Response) -> wire.EventsOut:
        """Take in one event or many. What is answered is durable."""
        events = body.events if isinstance(body, wire.EventsIn) else [body]
        latest = int(time.time()) + wire.FUTURE_SECONDS
        for place, event in enumerate(events):
            if event.time is not None and event.time > latest:
                raise HTTPException(422, f"event {place}: time {event.time} lies in the future; seconds are expected")
        receipts = await service.add([Arrival(one.user, one.item, one.time, one.id) for one in events])
        find = service.engine.artifact.items.find
        meters.events(
            (receipt.outcome, find(event.item) is not None) for receipt, event in zip(receipts, events, strict=True)
        )
        if any(receipt.outcome == "conflict" for receipt in receipts):
            response.status_code = 409
        return wire.EventsOut(
            events=[wire.EventOut(id=one.id, number=one.number, outcome=one.outcome) for one in receipts]
        )

    @app.get(
        "/recommendations",
        dependencies=reading,
        response_model=wire.ListOut,
        responses=problems(400, 401, 408, 413, 422, 503),
    )
    async def recommend_for(user: wire.Id, k: wire.K = 10, seen: wire.Seen = "hidden") -> wire.ListOut:
        """The next items for a user."""
        return await answer(wire.UserQuestion(user=user, k=k, seen=seen))

    @app.post(
        "/recommendations",
        dependencies=reading,
        response_model=wire.ListOut,
        responses=problems(400, 401, 408, 413, 422, 503),
    )
    async def recommend_to(body: wire.Question) -> wire.ListOut:
        """The next items for a user, or after a history of nobody's."""
        return await answer(body)

    async def answer(question: wire.UserQuestion | wire.HistoryQuestion) -> wire.ListOut:
        artifact = service.engine.artifact
        if isinstance(question, wire.HistoryQuestion):
            found = await service.recommend_after(question.history, question.k, question.seen)
            meters.list_given("history")
            return wire.ListOut(
                model=artifact.name,
                digest=artifact.digest,
                source="history",
                events=len(question.history),
                long_weight=None,
                unknown=[str(one) for one in found.unknown],
                items=rows(found.items),
            )
        allow = None if question.allow is None else frozenset(question.allow)
        asked = Asked(question.user, question.k, question.seen, allow, frozenset(question.deny))
        given = await service.recommend(asked)
        meters.list_given(given.source)
        return wire.ListOut(
            model=artifact.name,
            digest=given.digest,
            source=given.source,
            events=given.events,
            long_weight=given.long_weight,
            unknown=[],
            items=rows(given.items),
        )

    @app.get("/users", dependencies=reading, response_model=wire.UsersOut, responses=problems(400, 401, 422, 503))
    async def list_users(
        prefix: Annotated[str, Query(max_length=256)] = "",
        after: Annotated[str, Query(max_length=256)] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> wire.UsersOut:
        """Ids of users that begin with `prefix`, those after `after`."""
        return wire.UsersOut(users=await asyncio.to_thread(service.engine.store.users, after, limit, prefix))

    @app.get(
        "/users/{user:path}", dependencies=reading, response_model=wire.UserOut, responses=problems(401, 404, 422, 503)
    )
    async def describe_user(
        user: UserInPath, limit: Annotated[int, Query(ge=0, le=wire.MOST_HISTORY)] = 100
    ) -> wire.UserOut:
        """How many events a user has, and the newest of them."""
        engine = service.engine
        profile = await asyncio.to_thread(engine.store.profile, user)
        if profile is None:
            raise HTTPException(404, "nobody with this id has events")
        newest = await asyncio.to_thread(engine.store.newest, user, limit)
        artifact = engine.artifact
        past = [
            wire.PastOut(
                item=item,
                title=None if (code := artifact.items.find(item)) is None else artifact.titles[code],
                time=when,
            )
            for item, when in newest
        ]
        return wire.UserOut(user=user, events=profile.count, memory_bytes=engine.bytes_per_user, history=past)

    @app.delete(
        "/users/{user:path}",
        dependencies=writing,
        response_model=wire.Forgotten,
        responses=problems(401, 404, 422, 503),
    )
    async def forget_user(user: UserInPath, compact: bool = False) -> wire.Forgotten:
        """Forget a user: journal, memory and seen items. With `compact` they are gone from the files at once."""
        if not await service.forget(user):
            raise HTTPException(404, "nobody with this id has events")
        if compact:
            await asyncio.to_thread(service.engine.store.compact)
        return wire.Forgotten(user=user, compacted=compact)

    @app.get("/", include_in_schema=False)
    @app.get("/page/{name}", include_in_schema=False)
    async def page(name: str = "index.html") -> Response:
        if name not in PAGE:
            raise HTTPException(404, "there is no such file")
        return Response(files(__package__).joinpath("page", name).read_bytes(), media_type=PAGE[name])

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        """The process is there."""
        return {"status": "alive"}

    @app.get("/readyz", responses=problems(503))
    async def ready() -> dict[str, str]:
        """Events are taken and lists are given."""
        await asyncio.to_thread(service.engine.store.profile, "-")
        return {"status": "ready", "digest": service.engine.artifact.digest}

    text: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}

    @app.get("/metrics", dependencies=reading, response_class=Response, responses={**text, **problems(401)})
    async def metrics() -> Response:
        """For Prometheus."""
        return PlainTextResponse(meters.text())

    _say_errors(app)
    app.add_middleware(Timed, meters=meters)
    app.add_middleware(Guard, hosts=LOOPBACK if keyless else None)
    return app


def rows(items: Sequence[Recommendation]) -> list[wire.ItemOut]:
    """A list as it is answered."""
    return [
        wire.ItemOut(rank=one.rank, item=str(one.item), title=one.title, logit=one.logit, probability=one.probability)
        for one in items
    ]


def _say_errors(app: FastAPI) -> None:
    def problem(status: int, why: str, headers: dict[str, str] | None = None) -> JSONResponse:
        return JSONResponse({"error": why}, status, headers)

    @app.exception_handler(400)  # those that come from the framework by number
    @app.exception_handler(404)
    @app.exception_handler(405)
    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == 405:  # all methods of the path: the framework tells those of one function
            fitting = (route for route in app.routes if isinstance(route, APIRoute))
            path = request.url.path
            methods = {method for route in fitting if route.path_regex.match(path) for method in route.methods or ()}
            headers["allow"] = ", ".join(sorted(methods))
        return problem(error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        # The form that a body has stands first, for none of its fields.
        place = [str(part) for part in first["loc"][1:]]
        if error.body is not None and place[:1] in (["one"], ["many"], ["user"], ["history"]):
            place = place[1:]
        where = ".".join(place)[:200]
        return problem(422, f"{where}: {first['msg']}" if where else str(first["msg"]))

    @app.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> Response:
        return problem(503, str(error), {"Retry-After": "1"})

    @app.exception_handler(StoreError)
    async def stuck(_: Request, error: StoreError) -> Response:
        _log.error("%s", error)
        return problem(503, "the store cannot do this now; the server's log says why", {"Retry-After": "5"})

    @app.exception_handler(DataError)
    async def unusable(_: Request, error: DataError) -> Response:
        _log.error("%s", error)
        return problem(503, "the model cannot answer; the server's log says why")
