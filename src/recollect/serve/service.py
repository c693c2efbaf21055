"""The engine as the server uses it: calls that wait without blocking, and memories kept current in the background.

Events are acknowledged when they are durable; the memories of their users are advanced right after, when no question
waits, so that the next answer costs one scoring. What has changed is saved from time to time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from recollect.artifact import Artifact
from recollect.serve.batcher import Batcher
from recollect.serve.engine import Engine, Unread
from recollect.serve.ranker import Answer, Asked, AskedAfter
from recollect.serve.stores.contract import Arrival, Receipt, StoreError

SAVE_SECONDS = 5.0
"""How often memories that have changed are saved; after a kill they are made again from as many seconds of events."""

STEP = 32
"""Users advanced, saved or made anew in the background at a time, at most."""

STEP_SECONDS = 0.008
"""How long a step in the background should take, which a question may run beside. Longer ones get fewer users."""

EVICT_SECONDS = 600.0
"""How often memories that were not used for long are dropped."""

MOST_EVENTS, MOST_QUESTIONS = 4096, 64
"""In one batch."""

READ_AT_ONCE = 1024
"""Events that a batch of questions may lack. A user who lacks more waits among their like, and nobody for them."""

MOST_LONG = 8
"""Of those, in one batch."""

WAITING = 20_000
"""Events, or questions, that may wait."""

_log = logging.getLogger(__name__)
_Q = TypeVar("_Q")
_A = TypeVar("_A")


class Service:
    """Lives in one event loop, from `start` to `stop`.

    `keep_seconds`: saved memories that were not used for longer are dropped, and made again when they are asked for;
    None keeps all.
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
        self._save_seconds, self._keep_seconds, self._evict_seconds = save_seconds, keep_seconds, evict_seconds
        at_once = functools.partial(engine.recommend_at_once, limit=READ_AT_ONCE)
        self._events: Batcher[Arrival, Receipt] = self._gathered(self._add, MOST_EVENTS)
        self._questions: Batcher[Asked, Answer | Unread] = self._gathered(at_once)
        self._long: Batcher[Asked, Answer] = self._gathered(engine.recommend, MOST_LONG)
        self._histories: Batcher[AskedAfter, Answer] = self._gathered(engine.recommend_after)
        self._compactions: Batcher[None, None] = self._gathered(self._compact)
        self._batchers: tuple[Batcher[Any, Any], ...] = (
            self._events,
            self._questions,
            self._long,
            self._histories,
            self._compactions,
        )
        self._behind: dict[str, None] = {}  # users, an ordered set
        self._grown = asyncio.Event()
        self._background: list[asyncio.Task[None]] = []
        self._rebuilding: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for batcher in self._batchers:
            batcher.start()
        self._background = [asyncio.create_task(work) for work in (self._advance(), self._save(), self._evict())]

    async def stop(self) -> None:
        """Answer what waits and save what has changed; the store stays open."""
        for batcher in self._batchers:
            await batcher.stop()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        with contextlib.suppress(StoreError):  # they can be made again
            await asyncio.to_thread(self.engine.save)

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return sum(map(len, self._batchers))

    @property
    def behind(self) -> int:
        """Users whose memories are yet to be advanced."""
        return len(self._behind)

    async def add(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """As `Engine.add`. Raises BusyError where too many wait."""
        # Their ids are given here, so that what failed half way can be tried again.
        named = [
            one if one.id is not None else Arrival(one.user, one.item, one.time, uuid.uuid4().hex) for one in arrivals
        ]
        receipts = await self._events.ask(*named)
        self._behind.update(dict.fromkeys(one.user for one in arrivals))
        self._grown.set()
        return receipts

    async def recommend(self, question: Asked) -> Answer:
        """As `Engine.recommend`. Raises BusyError where too many wait."""
        (answer,) = await self._questions.ask(question)
        while answer is Unread.NEXT:
            (answer,) = await self._questions.ask(question)
        if isinstance(answer, Answer):
            return answer
        (answer,) = await self._long.ask(question)
        return answer

    async def recommend_after(self, question: AskedAfter) -> Answer:
        """As `Engine.recommend_after`. Raises BusyError where too many wait."""
        (answer,) = await self._histories.ask(question)
        return answer

    async def forget(self, user: str) -> bool:
        """As `Engine.forget`."""
        self._behind.pop(user, None)
        return await asyncio.to_thread(self.engine.forget, user)

    async def compact(self) -> None:
        """Take what was forgotten out of the files. Those who ask while one is under way share the next."""
        await self._compactions.ask(None)

    async def swap(self, artifact: Artifact) -> None:
        """Answer with another model from the next batch on, and make everybody's memory anew in the background."""
        await asyncio.to_thread(self.engine.swap, artifact)
        if self._rebuilding is not None:
            self._rebuilding.cancel()
            self._background.remove(self._rebuilding)
        self._rebuilding = asyncio.create_task(self._rebuild())
        self._background.append(self._rebuilding)

    def _gathered(self, answer: Callable[[Sequence[_Q]], Sequence[_A]], most: int = MOST_QUESTIONS) -> Batcher[_Q, _A]:
        return Batcher(answer, most=most, waiting=WAITING, everyones=(StoreError,))

    def _add(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        try:
            return self.engine.add(arrivals)
        except StoreError:
            # They may be there all the same, and senders who gave no ids could not send them again without doubling.
            return self.engine.add(arrivals)

    def _compact(self, asked: Sequence[None]) -> Sequence[None]:
        self.engine.store.compact()
        return asked

    async def _advance(self) -> None:
        size = STEP
        while True:
            await self._grown.wait()
            self._grown.clear()
            while self._behind:
                await self._quiet()
                users = [user for user, _ in zip(self._behind, range(size), strict=False)]
                for user in users:
                    del self._behind[user]
                begun = time.perf_counter()
                try:
                    await asyncio.to_thread(self.engine.advance, users)
                except Exception:
                    _log.exception("memories could not be advanced; they will be when they are asked for")
                size = _next_size(len(users), time.perf_counter() - begun)

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(self._save_seconds)
            try:
                left = self.engine.unsaved  # who changes meanwhile is saved in the next round
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
                _log.exception("memories could not be dropped")

    async def _rebuild(self) -> None:
        size, after = 1, ""
        try:
            while users := await asyncio.to_thread(self.engine.store.users, after, size):
                await self._quiet()
                begun = time.perf_counter()
                await asyncio.to_thread(self.engine.advance, users)
                size, after = _next_size(len(users), time.perf_counter() - begun), users[-1]
        except Exception:
            _log.exception("memories could not all be made anew; the others will be when they are asked for")

    async def _quiet(self) -> None:
        """Until no question waits."""
        while len(self._questions):
            await asyncio.sleep(0.001)


def _next_size(size: int, seconds: float) -> int:
    """How many users the next step should have, after one of `size` users took so long."""
    return max(1, min(2 * size, int(size * STEP_SECONDS / seconds), STEP))
