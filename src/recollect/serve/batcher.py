"""Requests that come together are answered together: one sync of the journal and one step of the model for all of them.

Nothing waits for company: whoever comes while a batch is under way is in the next. A thread does the work, so that the
server goes on listening.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

_Q = TypeVar("_Q")
_A = TypeVar("_A")


class BusyError(RuntimeError):
    """More is waiting than will be taken on; ask again in a moment."""


class Batcher(Generic[_Q, _A]):
    """Gathers questions into calls of `answer`, which gets several and gives one answer for each, in their order.

    `most`: questions in one call. `waiting`: questions that may wait; beyond, and once it is stopped, `ask` raises
    BusyError. Where a call with several questions raises, each is asked alone, so that one bad question spoils no
    other's answer; unless the error is one of `everyones`, which would come again. Lives in one event loop, from
    `start` to `stop`.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[_Q]], Sequence[_A]],
        *,
        most: int,
        waiting: int,
        everyones: tuple[type[Exception], ...] = (),
    ) -> None:
        self._answer, self._most, self._waiting, self._everyones = answer, most, waiting, everyones
        self._queue: deque[tuple[_Q, asyncio.Future[_A]]] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1)
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def __len__(self) -> int:
        """Questions that wait."""
        return len(self._queue)

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Answer what waits, then end."""
        self._stopping = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def ask(self, *questions: _Q) -> list[_A]:
        """The answers, when there are all; or the first of the errors."""
        if self._stopping:
            raise BusyError("the service is stopping")
        if len(self._queue) + len(questions) > self._waiting:
            raise BusyError(f"{len(self._queue)} requests are waiting already; try again in a moment")
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[_A]] = [loop.create_future() for _ in questions]
        self._queue.extend(zip(questions, answers, strict=True))
        self._arrived.set()
        return list(await asyncio.gather(*answers))

    async def _work(self) -> None:
        while not self._stopping or self._queue:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                await self._round()

    async def _round(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(self._most, len(self._queue)))]
        questions = [question for question, _ in batch]
        for (_, future), answer in zip(batch, await self._in_thread(questions), strict=True):
            if future.done():  # whoever asked has gone
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _in_thread(self, questions: Sequence[_Q]) -> Sequence[_A | BaseException]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._each, questions)

    def _each(self, questions: Sequence[_Q]) -> Sequence[_A | BaseException]:
        try:
            return self._answer(questions)
        except Exception as error:
            if len(questions) == 1 or isinstance(error, self._everyones):
                return [error] * len(questions)
            return [self._each([one])[0] for one in questions]
