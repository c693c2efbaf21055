"""The HTTP application: routes, keys, errors and metrics put together, and the guard around all."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from fastapi import FastAPI

from recollect.serve.http import docs, events, explanations, items, recommendations, status, users
from recollect.serve.http.errors import handle_errors
from recollect.serve.http.guard import Guard
from recollect.serve.http.keys import Keys
from recollect.serve.http.metrics import Metrics, Timing
from recollect.serve.service import Service
from recollect.version import __version__

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""The host names to which a server without keys responds."""


def create_app(
    service: Service, *, read_keys: Sequence[str] = (), write_keys: Sequence[str] = (), any_time: bool = False
) -> FastAPI:
    """The application over a service, which it starts and stops with itself.

    With keys (then both kinds are needed), reading needs a key of either kind and writing one of `write_keys`. Without
    keys, only requests for a name of this machine (`LOOPBACK`) are processed. `any_time`: also take events whose times
    no log would be believed to have, for a clock that is artificial.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="Recollect",
        version=__version__,
        summary="A memory of constant size for every user, and the next item from it.",
        lifespan=lifespan,
        redoc_url=None,
        docs_url=None,
        redirect_slashes=False,
    )
    metrics, keys = Metrics(service), Keys(read_keys, write_keys)
    routers = [
        events.routes(service, metrics, keys, any_time=any_time),
        recommendations.routes(service, metrics, keys),
        explanations.routes(service, keys),
        users.routes(service, keys),
        items.routes(service, keys),
        status.routes(service, metrics, keys),
        docs.routes(),
    ]
    for router in routers:
        app.include_router(router)
    handle_errors(app, routers)
    app.add_middleware(Timing, metrics=metrics)
    app.add_middleware(Guard, hosts=LOOPBACK if keys.none else None)
    return app
