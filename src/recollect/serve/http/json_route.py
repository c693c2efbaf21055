"""JSON bodies are read strictly: a key that is given twice in an object is refused; the last would win in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

from recollect.serve.http.fields import SHOWN


class JsonRoute(APIRoute):
    """A route whose JSON body is read so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        respond = super().get_route_handler()

        async def handler(request: Request) -> Response:
            return await respond(_Strict(request.scope, request.receive))

        return handler


class _Strict(Request):
    async def json(self) -> Any:
        """Raises JSONDecodeError, UnicodeDecodeError or RecursionError, HTTPException (422) for a key given twice."""
        return json.loads(await self.body(), object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen = set[str]()
    again = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    shown = again[:SHOWN].encode(errors="replace").decode()
    raise HTTPException(422, f"the key {shown!r} is given more than once in one object; give it once")
