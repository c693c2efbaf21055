"""The state of the server: alive, ready, and its metrics. And the page, which is static files."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.responses import PlainTextResponse

from recollect.serve.http.errors import error_responses
from recollect.serve.http.keys import Keys
from recollect.serve.http.metrics import Metrics
from recollect.serve.http.query import KnownQuery
from recollect.serve.service import Service

PAGE = {
    "index.html": "text/html; charset=utf-8",
    "colours.css": "text/css; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "view.js": "text/javascript; charset=utf-8",
    "combobox.js": "text/javascript; charset=utf-8",
    "why.js": "text/javascript; charset=utf-8",
    "interface.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files of the page and their types. They need no key; the requests that the page makes do."""

_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


def routes(service: Service, metrics: Metrics, keys: Keys) -> APIRouter:
    router, known = APIRouter(), [Depends(KnownQuery())]

    @router.get("/healthz", dependencies=known, responses=error_responses(400, 422))
    async def alive() -> dict[str, str]:
        """The process is running."""
        return {"status": "alive"}

    @router.get("/readyz", dependencies=known, responses=error_responses(400, 422, 503))
    async def ready() -> dict[str, str]:
        """The store can be read, so lists are served. `writes` says whether events are `accepted`, or `refused`, as
        while the disk is full.
        """
        await asyncio.to_thread(service.engine.store.summary, "-")
        refusal = await asyncio.to_thread(service.refusal)
        writes = "accepted" if refusal is None else "refused"
        return {"status": "ready", "digest": service.engine.artifact.digest, "writes": writes}

    @router.get(
        "/metrics",
        dependencies=[*keys.reading, *known],
        response_class=Response,
        responses={**_TEXT, **error_responses(400, 401, 422)},
    )
    async def prometheus() -> Response:
        """Metrics for Prometheus."""
        return PlainTextResponse(await asyncio.to_thread(metrics.text))

    @router.get("/", include_in_schema=False)
    @router.get("/page/{name}", include_in_schema=False)
    async def page(name: str = "index.html") -> Response:
        if name not in PAGE:
            raise HTTPException(404, "there is no such file")
        return Response(files(__package__).joinpath("page", name).read_bytes(), media_type=PAGE[name])

    return router
