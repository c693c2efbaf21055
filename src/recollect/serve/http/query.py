"""Query parameters that are unknown, or given twice where one is taken, are refused: ignored ones would change a
response unnoticed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import get_origin

from fastapi import HTTPException, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from recollect.config import did_you_mean


class KnownQuery:
    """What a route depends on to have unknown query parameters refused. `bodies`: the JSON bodies that the same path
    takes; their fields are said to belong there.
    """

    def __init__(self, *bodies: type[BaseModel]) -> None:
        self._in_body = {name for body in bodies for name in body.model_fields}

    async def __call__(self, request: Request) -> None:
        route = request.scope["route"]
        assert isinstance(route, APIRoute)
        several = dict(_names(route.dependant))
        known = sorted(several)
        for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
            shown = name[:64]
            if name not in known:
                if name in self._in_body:
                    hint = f"; send it in the JSON body of POST {route.path}"
                else:
                    hint = did_you_mean(shown, known) or "; there is none here"
                raise HTTPException(422, f"unknown query parameter {shown!r}{hint}")
            if count > 1 and not several[name]:
                raise HTTPException(422, f"query parameter {shown!r} is given {count} times; give it once")


def _names(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """The name of each parameter, and whether it may come again."""
    for field in dependant.query_params:
        yield field.alias, get_origin(field.field_info.annotation) is list
    yield from _all(_names(one) for one in dependant.dependencies)


def _all(several: Iterable[Iterator[tuple[str, bool]]]) -> Iterator[tuple[str, bool]]:
    for one in several:
        yield from one
