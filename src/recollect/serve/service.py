"""The engine for an asynchronous server: calls that do not block the event loop, and work in the background.

Events are acknowledged when they are durable. The memories of their users are advanced right after, while no request is
waiting, so that the next request costs one scoring. Memories that changed are saved from time to time.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from recollect.answers.similar import SimilarItems, similar
from recollect.artifact import Artifact
from recollect.config import ConfigError
from recollect.data.log import DataError, Table
from recollect.serve.batcher import Batcher
from recollect.serve.coverage import Coverage, coverage
from recollect.serve.engine import Deferred, Engine
from recollect.serve.explaining import explain_items
from recollect.serve.id_forms import IdForms
from recollect.serve.requests import (
    ExplanationRequest,
    ExplanationResponse,
    HistoryRequest,
    RequestError,
    Response,
    SimilarRequest,
    UserRequest,
)
from recollect.serve.stores.contract import IncomingEvent, Receipt, StoreError

SAVE_SECONDS = 5.0
"""How often memories that changed are saved. After a kill, those of so many seconds are made again."""

STEP = 32
"""Users advanced, saved or rebuilt in one step of the background work, at most."""

STEP_SECONDS = 0.008
"""How long such a step should take, since requests share the processor with it. A longer one is made smaller."""

EVICT_SECONDS = 600.0
"""How often saved memories that were not used for long are deleted."""

EVENTS_IN_BATCH, REQUESTS_IN_BATCH = 4096, 64

READ_IN_BATCH = 1024
"""Events that are read into memories in one batch of requests. A user who needs more waits in a queue of their own."""

LONG_IN_BATCH = 8
"""Requests in one batch of that queue."""

REFUSED_SECONDS = 60.0
"""How long it counts that the last events were refused, if none come any more; the store is asked then."""

QUEUE_SIZE = 20_000
"""Events, or requests, that may wait."""

ANSWERS_QUEUE_SIZE = 200
"""Requests for explanations, or for similar items, that may wait: each is work of its own, done one after the other."""

_log = logging.getLogger(__name__)
_Request = TypeVar("_Request")
_Result = TypeVar("_Result")


class StrangerError(RuntimeError):
    """A model that knows none of the events in the store was to be used. The message says what it knows."""


class Service:
    """Lives in one event loop, from `start` to `stop`.

    `keep_seconds`: saved memories that were not used for longer are deleted, and made again when they are needed; None
    keeps all.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        save_seconds: float = SAVE_SECONDS,
        keep_seconds: float | None = None,
        evict_seconds: float = EVICT_SECONDS,
    ) -> None:
        self.engine = engine
        self.coverage = coverage(engine.store, engine.artifact.items.find)
        """What the model in use knew of the events in the store when it came into use."""
        self.reload_failed = False
        """Whether the last `reload` left the model as it was."""
        self._save_seconds, self._keep_seconds, self._evict_seconds = save_seconds, keep_seconds, evict_seconds
        recommend = functools.partial(engine.recommend_within, limit=READ_IN_BATCH)
        self._events: Batcher[IncomingEvent, Receipt] = self._batcher(self._add, EVENTS_IN_BATCH)
        self._users: Batcher[UserRequest, Response | Deferred] = self._batcher(recommend)
        self._long_users: Batcher[UserRequest, Response] = self._batcher(engine.recommend, LONG_IN_BATCH)
        self._imagined: Batcher[UserRequest, Response | Deferred] = self._batcher(recommend, LONG_IN_BATCH)
        self._histories: Batcher[HistoryRequest, Response] = self._batcher(engine.recommend_after)
        self._explanations: Batcher[ExplanationRequest, ExplanationResponse] = self._batcher(
            self._explain, 1, ANSWERS_QUEUE_SIZE
        )
        self._similar: Batcher[SimilarRequest, tuple[Artifact, SimilarItems]] = self._batcher(
            self._compare, 1, ANSWERS_QUEUE_SIZE
        )
        self._compactions: Batcher[None, None] = self._batcher(self._compact)
        self._batchers: tuple[Batcher[Any, Any], ...] = (
            self._events,
            self._users,
            self._long_users,
            self._imagined,
            self._histories,
            self._explanations,
            self._similar,
            self._compactions,
        )
        self._refused: tuple[str, float] | None = None  # why and when events were refused, if the last ones were
        self._behind: dict[str, None] = {}  # users whose memories lack events; an ordered set
        self._new_events = asyncio.Event()
        self._background: list[asyncio.Task[None]] = []
        self._rebuilding: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for batcher in self._batchers:
            batcher.start()
        self._background = [asyncio.create_task(work) for work in (self._advance(), self._save(), self._evict())]

    async def stop(self) -> None:
        """Process what is waiting and save what changed. The store stays open."""
        for batcher in self._batchers:
            await batcher.stop()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        with contextlib.suppress(StoreError):  # memories can be made again
            await asyncio.to_thread(self.engine.save)

    @property
    def waiting(self) -> int:
        """Requests that are waiting."""
        return sum(map(len, self._batchers))

    @property
    def behind(self) -> int:
        """Users whose memories are yet to be advanced."""
        return len(self._behind)

    @property
    def ids(self) -> IdForms:
        """The forms of ids of the model in use; those of requests are brought to them."""
        return self.engine.ranker.ids

    @property
    def time_zone(self) -> str | None:
        """The zone of times without an offset in requests: that in which the model's log was read; None: UTC."""
        zone = self.engine.artifact.settings.get("data", {}).get("time_zone")
        return None if zone is None else str(zone)

    def refusal(self) -> str | None:
        """Why events are refused now, as far as is known; None where they are accepted. It may ask the store: not to be
        called in the event loop. Raises StoreError where that cannot be reached.
        """
        if self._refused is not None and time.monotonic() - self._refused[1] < REFUSED_SECONDS:
            return self._refused[0]
        return self.engine.store.refusal()

    async def add(self, incoming: Sequence[IncomingEvent]) -> list[Receipt]:
        """As `Engine.add`. Raises BusyError where too many are waiting."""
        # Ids are given here, before anything is written, so that a write which failed half way can be repeated.
        ids = self.ids
        named = [
            ids.event(one if one.id is not None else dataclasses.replace(one, id=uuid.uuid4().hex)) for one in incoming
        ]
        receipts = await self._events.submit(*named)
        self._behind.update(dict.fromkeys(one.user for one in named))
        self._new_events.set()
        return receipts

    async def recommend(self, request: UserRequest) -> Response:
        """As `Engine.recommend`. Raises BusyError where too many are waiting."""
        request = self.ids.request(request)
        queue = self._imagined if request.then else self._users  # reading `then` costs time that others need not wait
        (response,) = await queue.submit(request)
        while response is Deferred.NEXT_BATCH:
            (response,) = await queue.submit(request)
        if isinstance(response, Response):
            return response
        (response,) = await self._long_users.submit(request)
        return response

    async def recommend_after(self, request: HistoryRequest) -> Response:
        """As `Engine.recommend_after`. Raises BusyError where too many are waiting."""
        (response,) = await self._histories.submit(self.ids.request(request))
        return response

    async def explain(self, request: ExplanationRequest) -> ExplanationResponse:
        """As `explain_items`. Raises BusyError where too many are waiting."""
        (response,) = await self._explanations.submit(self.ids.explanation(request))
        return response

    async def similar(self, request: SimilarRequest) -> tuple[Artifact, SimilarItems]:
        """The model in use, and `recollect.similar` of it. Raises BusyError where too many are waiting, RequestError
        where the model does not know the item or cannot compare.
        """
        (response,) = await self._similar.submit(self.ids.similar(request))
        return response

    async def forget(self, user: str) -> bool:
        """As `Engine.forget`."""
        user = self.ids.user(user)
        self._behind.pop(user, None)
        return await asyncio.to_thread(self.engine.forget, user)

    async def compact(self) -> None:
        """Remove what was forgotten from the files. Calls that come while one is running share the next."""
        await self._compactions.submit(None)

    async def swap(self, artifact: Artifact) -> Coverage:
        """Use another model from the next batch on, and rebuild all memories in the background -> what it knows of the
        events in the store.

        Raises StrangerError where it knows none of them; then the model stays that is in use. Columns of items that it
        lacks, where the model before had them, are a warning in the log: lists and scores need none.
        """
        known = await asyncio.to_thread(coverage, self.engine.store, artifact.items.find)
        if known.none:
            raise StrangerError(f"{artifact.folder}: {known}; it was trained on another catalogue")
        lost = await asyncio.to_thread(_columns_lost, self.engine.artifact, artifact)
        await asyncio.to_thread(self.engine.swap, artifact)
        if lost:
            _log.warning(
                "%s [%s] has no %s of items, which the model before had: %s; train it with a table of items (--items)",
                artifact.folder,
                artifact.digest,
                ", ".join(lost),
                _effect(lost),
            )
        self.coverage = known
        if self._rebuilding is not None:
            self._rebuilding.cancel()
            self._background.remove(self._rebuilding)
        self._rebuilding = asyncio.create_task(self._rebuild())
        self._background.append(self._rebuilding)
        return known

    async def reload(self, load: Callable[[], Artifact]) -> Artifact:
        """As `swap`, with what `load` gives -> the model. Where that raises, `reload_failed` is True."""
        self.reload_failed = True
        artifact = await asyncio.to_thread(load)
        await self.swap(artifact)
        self.reload_failed = False
        return artifact

    def _batcher(
        self,
        process: Callable[[Sequence[_Request]], Sequence[_Result]],
        batch_size: int = REQUESTS_IN_BATCH,
        queue_size: int = QUEUE_SIZE,
    ) -> Batcher[_Request, _Result]:
        return Batcher(process, batch_size=batch_size, queue_size=queue_size, shared_errors=(StoreError,))

    def _add(self, incoming: Sequence[IncomingEvent]) -> list[Receipt]:
        try:
            try:
                receipts = self.engine.add(incoming)
            except StoreError:
                # They may have been stored nevertheless. A client that gave no ids cannot send them again without
                # doubling.
                receipts = self.engine.add(incoming)
        except StoreError as error:
            self._refused = str(error), time.monotonic()
            raise
        self._refused = None
        return receipts

    def _explain(self, requests: Sequence[ExplanationRequest]) -> list[ExplanationResponse]:
        engine = self.engine
        return [explain_items(engine.ranker, engine.store, one, engine.now) for one in requests]

    def _compare(self, requests: Sequence[SimilarRequest]) -> list[tuple[Artifact, SimilarItems]]:
        artifact, found = self.engine.artifact, []
        for one in requests:
            if artifact.items.find(one.item) is None:  # titles are for people
                raise RequestError(f"item: the model does not know {one.item[:64]!r}; GET /items?search= finds items")
            try:
                found.append((artifact, similar(artifact, one.item, one.k, within=one.within)))
            except (ConfigError, DataError) as error:
                raise RequestError(str(error)) from None
        return found

    def _compact(self, requests: Sequence[None]) -> Sequence[None]:
        self.engine.store.compact()
        return requests

    async def _advance(self) -> None:
        size = STEP
        while True:
            await self._new_events.wait()
            self._new_events.clear()
            while self._behind:
                await self._until_idle()
                users = [user for user, _ in zip(self._behind, range(size), strict=False)]
                for user in users:
                    del self._behind[user]
                begun = time.perf_counter()
                try:
                    await asyncio.to_thread(self.engine.advance, users)
                except Exception:
                    _log.exception("memories could not be advanced; they will be when they are needed")
                size = _next_size(len(users), time.perf_counter() - begun)

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(self._save_seconds)
            try:
                left = self.engine.unsaved  # what changes meanwhile is saved in the next round
                while left > 0 and (done := await asyncio.to_thread(self.engine.save, min(STEP, left))):
                    left -= done
            except Exception:
                _log.exception("memories could not be saved; they can be made again")

    async def _evict(self) -> None:
        while self._keep_seconds is not None:
            await asyncio.sleep(self._evict_seconds)
            try:
                await asyncio.to_thread(self.engine.evict, self._keep_seconds)
            except Exception:
                _log.exception("unused memories could not be deleted")

    async def _rebuild(self) -> None:
        size, after = 1, ""
        try:
            while users := await asyncio.to_thread(self.engine.store.users, after, size):
                await self._until_idle()
                begun = time.perf_counter()
                await asyncio.to_thread(self.engine.advance, users)
                size, after = _next_size(len(users), time.perf_counter() - begun), users[-1]
        except Exception:
            _log.exception("memories could not all be rebuilt; the others will be when they are needed")

    async def _until_idle(self) -> None:
        """Wait until no request for a user is waiting."""
        while len(self._users):
            await asyncio.sleep(0.001)


def _columns_lost(before: Artifact, after: Artifact) -> list[str]:
    """Columns that describe the items of one model and not those of the next. Raises ArtifactError."""
    left = after.item_table
    return [name for name in (before.item_table or Table({})).columns if left is None or name not in left]


def _effect(lost: Sequence[str]) -> str:
    ids = ["ids are shown for titles"] if "title" in lost else []
    return " and ".join([*ids, "`within` by them is refused"])


def _next_size(size: int, seconds: float) -> int:
    """How many users the next step should have, after a step of `size` users took so long."""
    return max(1, min(2 * size, int(size * STEP_SECONDS / seconds), STEP))
