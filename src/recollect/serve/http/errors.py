"""Error responses: one line that says what was wrong and what to do, and nothing about the code."""

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
from recollect.serve.http import schemas
from recollect.serve.http.guard import BODY_BYTES
from recollect.serve.requests import RequestError
from recollect.serve.stores.contract import StoreError

_UNPARSED = "There was an error parsing the body"
"""What the framework says of a body that is no text in UTF-8, or is nested too deeply."""
NO_JSON = "the body is no JSON: it cannot be read as text in UTF-8, or is nested too deeply"

_NO_OBJECT = ("missing", "dict_type", "model_type", "model_attributes_type")
"""What the framework calls bodies that are empty, or another value than an object."""

_log = logging.getLogger(__name__)

_MEANINGS = {
    400: "A host name that this server does not respond to",
    401: "No key, or a wrong one",
    404: "No user with this id",
    408: "The body took too long to arrive",
    415: "The body is compressed",
    413: f"The body is larger than {BODY_BYTES:,} bytes",
    422: "The body is no valid JSON, or a value is not valid",
    503: "Too busy, or the store does not work; try again",
}


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route can respond with, for OpenAPI."""
    return {status: {"model": schemas.ErrorOut, "description": _MEANINGS[status]} for status in statuses}


def handle_errors(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Have an application of these routers respond to errors with a `schemas.ErrorOut`."""

    @app.exception_handler(400)  # errors that the framework raises by number
    @app.exception_handler(404)
    @app.exception_handler(405)
    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        if error.status_code == 405:
            headers["allow"] = ", ".join(sorted(_methods(routers, request.url.path)))
        if error.detail == _UNPARSED:  # the framework tells it from other bodies that are no JSON: 400, not 422
            return _response(422, NO_JSON, headers)
        return _response(error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        if isinstance(error.body, bytes | str) and "json" not in request.headers.get("content-type", ""):
            return _response(422, "a JSON body is expected; send the header Content-Type: application/json with it")
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            why = first.get("ctx", {}).get("error", "it cannot be read")
            return _response(422, f"the body is no JSON (JSON decode error at character {first['loc'][-1]}: {why})")
        of_body, path = first["loc"][0] == "body", [str(part) for part in first["loc"][1:]]
        if of_body and path and path[0] in schemas.BODY_TAGS:
            path = path[1:]
        if of_body and not path and first["type"] in _NO_OBJECT:
            return _response(422, "a JSON object is expected as the body")
        where = ".".join(path)[:200]
        what = str(first["msg"]).removeprefix("Value error, ")
        return _response(422, f"{where}: {what}" if where else what)

    @app.exception_handler(RequestError)
    async def not_there(_: Request, error: RequestError) -> Response:
        return _response(422, str(error))

    @app.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> Response:
        return _response(503, str(error), {"Retry-After": "1"})

    @app.exception_handler(StoreError)
    async def store_error(_: Request, error: StoreError) -> Response:
        _log.error("%s", error)
        return _response(503, "the store cannot do this now; the server's log says why", {"Retry-After": "5"})

    @app.exception_handler(DataError)
    async def model_error(_: Request, error: DataError) -> Response:
        _log.error("%s", error)
        return _response(503, "the model cannot score; the server's log says why")


def _response(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)


def _methods(routers: Sequence[APIRouter], path: str) -> set[str]:
    """All methods of a path; the framework by itself names only those of one function."""
    routes = (route for router in routers for route in router.routes if isinstance(route, APIRoute))
    return {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
