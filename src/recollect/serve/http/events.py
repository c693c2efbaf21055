"""`POST /events`: events are taken in."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Depends, HTTPException, Response

from recollect.serve.http import schemas
from recollect.serve.http.errors import error_responses
from recollect.serve.http.fields import SECONDS, SHOWN, refused_as
from recollect.serve.http.json_route import JsonRoute
from recollect.serve.http.keys import Keys
from recollect.serve.http.metrics import Metrics
from recollect.serve.http.query import KnownQuery
from recollect.serve.id_forms import IdForms
from recollect.serve.service import Service
from recollect.serve.stores.contract import IncomingEvent


def routes(service: Service, metrics: Metrics, keys: Keys, *, any_time: bool = False) -> APIRouter:
    """`any_time`: also take times that no log would be believed to have."""
    router = APIRouter(
        route_class=JsonRoute, dependencies=[*keys.writing, Depends(KnownQuery(schemas.EventIn, schemas.EventsIn))]
    )

    @router.post(
        "/events", responses={**error_responses(400, 401, 408, 413, 415, 422, 503), 409: {"model": schemas.EventsOut}}
    )
    async def add_events(body: schemas.OneOrMany, response: Response) -> schemas.EventsOut:
        """Take in one event or several. They are durable when the response comes."""
        events = body.events if isinstance(body, schemas.EventsIn) else [body]
        _expect_readable(events, service.ids, many=isinstance(body, schemas.EventsIn))
        if not any_time:
            _expect_times([event.time for event in events], many=isinstance(body, schemas.EventsIn))
        receipts = await service.add([IncomingEvent(one.user, one.item, one.time, one.id) for one in events])
        find = service.engine.artifact.items.find
        metrics.count_events(
            (receipt.outcome, find(event.item) is not None) for receipt, event in zip(receipts, events, strict=True)
        )
        if any(receipt.outcome == "conflict" for receipt in receipts):
            response.status_code = 409
        return schemas.EventsOut(
            events=[schemas.EventOut(id=one.id, number=one.number, outcome=one.outcome) for one in receipts]
        )

    return router


def _expect_readable(events: Sequence[schemas.EventIn], ids: IdForms, *, many: bool) -> None:
    """Refuse (422) ids with which a reader of logs would leave an event out, or refuse the log."""
    for position, event in enumerate(events):
        for field, text in (("user", event.user), ("item", event.item)):
            if why := ids.refusal(text):
                where = f"events.{position}.{field}" if many else field
                raise HTTPException(422, f"{where}: {text[:SHOWN]!r} {why}; send the id itself, or no event")


def _expect_times(times: Sequence[int | None], *, many: bool) -> None:
    """Refuse (422) what `refused_as` names: an export has to be read."""
    for position, one in enumerate(times):
        if one is None:
            continue
        field = f"events.{position}.time" if many else "time"
        if why := refused_as(one):
            raise HTTPException(
                422,
                f"{field}: {one} was sent, which is {why}; {SECONDS} are expected, or leave it out for now (times of a "
                "clock that is artificial are taken by recollect serve --any-time)",
            )
