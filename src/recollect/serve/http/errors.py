"""How every failure is answered: one line that says what was wrong and what to do, and nothing of the code."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from recollect.data.log import DataError
from recollect.serve.batcher import BusyError
from recollect.serve.http import wire
from recollect.serve.stores.contract import StoreError

_log = logging.getLogger(__name__)

_MEANINGS = {
    400: "Not for this server, or no JSON",
    401: "No key, or a wrong one",
    404: "Nobody with this id",
    408: "The body came too slowly",
    413: "The body is too large",
    422: "A value is not as it should be",
    503: "Not now; try again",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI is told of the errors that a route can answer with."""
    return {status: {"model": wire.Problem, "description": _MEANINGS[status]} for status in statuses}


def say_errors(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Have an application of these routers answer its errors as `wire.Problem`."""

    @app.exception_handler(400)  # those that come from the framework by number
    @app.exception_handler(404)
    @app.exception_handler(405)
    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        if error.status_code == 405:
            headers["allow"] = ", ".join(sorted(_methods(routers, request.url.path)))
        return _problem(error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        if isinstance(error.body, bytes | str) and "json" not in request.headers.get("content-type", ""):
            return _problem(422, "a JSON body is expected; send the header Content-Type: application/json with it")
        first = error.errors()[0]
        place = [str(part) for part in first["loc"][1:]]
        if error.body is not None and place[:1] in (["one"], ["many"], ["user"], ["history"]):
            place = place[1:]  # which of two forms the body has
        where = ".".join(place)[:200]
        why = str(first["msg"]).removeprefix("Value error, ")
        return _problem(422, f"{where}: {why}" if where else why)

    @app.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> Response:
        return _problem(503, str(error), {"Retry-After": "1"})

    @app.exception_handler(StoreError)
    async def stuck(_: Request, error: StoreError) -> Response:
        _log.error("%s", error)
        return _problem(503, "the store cannot do this now; the server's log says why", {"Retry-After": "5"})

    @app.exception_handler(DataError)
    async def unusable(_: Request, error: DataError) -> Response:
        _log.error("%s", error)
        return _problem(503, "the model cannot answer; the server's log says why")


def _problem(status: int, why: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": why}, status, headers)


def _methods(routers: Sequence[APIRouter], path: str) -> set[str]:
    """All methods of a path: the framework by itself tells those of one function only."""
    routes = (route for router in routers for route in router.routes if isinstance(route, APIRoute))
    return {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
