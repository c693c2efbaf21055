"""Requests that are waiting at the same time are processed together: one disk sync, one step of the model for all.

No request waits for others to come: those that come while a batch is processed form the next one. A thread does the
work, so that the event loop stays free.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

_Request = TypeVar("_Request")
_Result = TypeVar("_Result")


class BusyError(RuntimeError):
    """Too many requests are waiting; try again in a moment."""


class Batcher(Generic[_Request, _Result]):
    """Gathers requests into calls of `process`, which takes several and returns one result for each, in their order.

    `batch_size`: requests in one call at most. `queue_size`: requests that may wait; beyond that, and once it is
    stopped, `submit` raises BusyError. Where a call with several requests raises, each is processed alone, so that one
    bad request does not fail the others; except for errors of the types `shared_errors`, which would only be repeated.
    Lives in one event loop, from `start` to `stop`.
    """

    def __init__(
        self,
        process: Callable[[Sequence[_Request]], Sequence[_Result]],
        *,
        batch_size: int,
        queue_size: int,
        shared_errors: tuple[type[Exception], ...] = (),
    ) -> None:
        self._process, self._shared_errors = process, shared_errors
        self._batch_size, self._queue_size = batch_size, queue_size
        self._queue: deque[tuple[_Request, asyncio.Future[_Result]]] = deque()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1)
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def __len__(self) -> int:
        """Requests that are waiting."""
        return len(self._queue)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Process what is waiting, then end."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def submit(self, *requests: _Request) -> list[_Result]:
        """The results, once all are there; or the first error."""
        if self._stopping:
            raise BusyError("the service is stopping")
        if len(self._queue) + len(requests) > self._queue_size:
            raise BusyError(f"{len(self._queue)} requests are waiting already; try again in a moment")
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[_Result]] = [loop.create_future() for _ in requests]
        self._queue.extend(zip(requests, futures, strict=True))
        self._wake.set()
        return list(await asyncio.gather(*futures))

    async def _run(self) -> None:
        while not self._stopping or self._queue:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._run_batch()

    async def _run_batch(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(self._batch_size, len(self._queue)))]
        requests = [request for request, _ in batch]
        for (_, future), result in zip(batch, await self._in_thread(requests), strict=True):
            if future.done():  # the client has disconnected
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def _in_thread(self, requests: Sequence[_Request]) -> Sequence[_Result | BaseException]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._results, requests)

    def _results(self, requests: Sequence[_Request]) -> Sequence[_Result | BaseException]:
        try:
            return self._process(requests)
        except Exception as error:
            if len(requests) == 1 or isinstance(error, self._shared_errors):
                return [error] * len(requests)
            return [self._results([one])[0] for one in requests]
