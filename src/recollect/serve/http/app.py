"""The HTTP application of the memory service, put together: routes, keys, errors, figures, and the guard around all."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from fastapi import FastAPI

from recollect.serve.http import events, lists, status, users
from recollect.serve.http.errors import say_errors
from recollect.serve.http.guard import Guard
from recollect.serve.http.keys import Keys
from recollect.serve.http.meters import Meters, Timed
from recollect.serve.service import Service
from recollect.version import __version__

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""The names under which a server without keys answers."""


def create_app(service: Service, *, read_keys: Sequence[str] = (), write_keys: Sequence[str] = ()) -> FastAPI:
    """The application over a service, which it starts and stops with itself.

    With keys, which are needed of both kinds then, reading needs one of either and writing one of `write_keys`.
    Without, only requests for a name of this machine (`LOOPBACK`) are answered.
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
    meters, keys = Meters(service), Keys(read_keys, write_keys)
    routers = [
        events.routes(service, meters, keys),
        lists.routes(service, meters, keys),
        users.routes(service, keys),
        status.routes(service, meters, keys),
    ]
    for router in routers:
        app.include_router(router)
    say_errors(app, routers)
    app.add_middleware(Timed, meters=meters)
    app.add_middleware(Guard, hosts=LOOPBACK if keys.none else None)
    return app
