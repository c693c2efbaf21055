"""`POST /events`: what happened comes in here."""

from __future__ import annotations

import time

from fastapi import APIRouter, HTTPException, Response

from recollect.serve.http import wire
from recollect.serve.http.errors import problems
from recollect.serve.http.keys import Keys
from recollect.serve.http.meters import Meters
from recollect.serve.service import Service
from recollect.serve.stores.contract import Arrival


def routes(service: Service, meters: Meters, keys: Keys) -> APIRouter:
    router = APIRouter(dependencies=keys.writing)

    @router.post("/events", responses={**problems(400, 401, 408, 413, 422, 503), 409: {"model": wire.EventsOut}})
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

    return router
