"""Batching: everyone gets their own answer, those who come together share a call, and nobody spoils another's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.serve.batcher import Batcher, BusyError


class Doubling:
    """Doubles numbers, refuses negative ones, and remembers its calls. Holds the first call until it is let go."""

    def __init__(self, hold: bool = False) -> None:
        self.calls: list[list[int]] = []
        self.go = threading.Event()
        self.begun = threading.Event()
        if not hold:
            self.go.set()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        self.begun.set()
        self.go.wait(10)
        if min(numbers) < 0:
            raise ValueError(f"negative: {min(numbers)}")
        return [2 * number for number in numbers]


@given(
    requests=st.lists(st.lists(st.integers(-3, 1000), min_size=1, max_size=5), min_size=1, max_size=20),
    batch_size=st.integers(1, 8),
)
def test_everyone_gets_their_own_answer(requests: list[list[int]], batch_size: int) -> None:
    work = Doubling()

    async def run() -> list[object]:
        batcher = Batcher(work, batch_size=batch_size, queue_size=1000)
        batcher.start()
        answers = await asyncio.gather(*(batcher.submit(*one) for one in requests), return_exceptions=True)
        await batcher.stop()
        return answers

    for asked, got in zip(requests, asyncio.run(run()), strict=True):
        if min(asked) < 0:
            assert isinstance(got, ValueError)
        else:
            assert got == [2 * number for number in asked]
    assert max(map(len, work.calls)) <= batch_size


def test_those_who_come_while_it_works_share_the_next_call() -> None:
    work = Doubling(hold=True)

    async def run() -> None:
        batcher = Batcher(work, batch_size=10, queue_size=1000)
        batcher.start()
        asked = [asyncio.create_task(batcher.submit(0))]
        await asyncio.to_thread(work.begun.wait)
        asked += [asyncio.create_task(batcher.submit(number)) for number in range(1, 15)]
        await asyncio.sleep(0)
        assert len(batcher) == 14
        work.go.set()
        assert await asyncio.gather(*asked) == [[2 * number] for number in range(15)]
        await batcher.stop()

    asyncio.run(run())
    assert work.calls == [[0], list(range(1, 11)), list(range(11, 15))]


def test_more_than_can_wait_is_refused_at_once() -> None:
    work = Doubling(hold=True)

    async def run() -> None:
        batcher = Batcher(work, batch_size=1, queue_size=3)
        batcher.start()
        first = asyncio.create_task(batcher.submit(0))
        await asyncio.to_thread(work.begun.wait)
        others = asyncio.create_task(batcher.submit(1, 2, 3))
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="3 requests are waiting"):
            await batcher.submit(4)
        work.go.set()
        assert await first == [0] and await others == [2, 4, 6]
        await batcher.stop()

    asyncio.run(run())


def test_stopping_answers_what_waits() -> None:
    work = Doubling(hold=True)

    async def run() -> None:
        batcher = Batcher(work, batch_size=2, queue_size=100)
        batcher.start()
        asked = [asyncio.create_task(batcher.submit(number)) for number in range(7)]
        await asyncio.to_thread(work.begun.wait)
        threading.Timer(0.05, work.go.set).start()
        await batcher.stop()
        assert await asyncio.gather(*asked) == [[2 * number] for number in range(7)]
        with pytest.raises(BusyError, match="stopping"):
            await batcher.submit(8)

    asyncio.run(run())
    assert sorted(number for call in work.calls for number in call) == list(range(7))


def test_whoever_has_gone_is_no_trouble() -> None:
    work = Doubling(hold=True)

    async def run() -> None:
        batcher = Batcher(work, batch_size=5, queue_size=100)
        batcher.start()
        gone = asyncio.create_task(batcher.submit(1))
        await asyncio.to_thread(work.begun.wait)
        late = asyncio.create_task(batcher.submit(2))
        await asyncio.sleep(0)
        for task in (gone, late):
            task.cancel()
        work.go.set()
        assert await batcher.submit(3) == [6]
        await batcher.stop()

    asyncio.run(run())


def test_an_error_that_is_everyones_is_not_asked_for_again() -> None:
    calls: list[int] = []

    def broken(numbers: Sequence[int]) -> list[int]:
        calls.append(len(numbers))
        raise OSError("away")

    async def run() -> None:
        batcher = Batcher(broken, batch_size=10, queue_size=100, shared_errors=(OSError,))
        batcher.start()
        with pytest.raises(OSError, match="away"):
            await batcher.submit(*range(10))
        await batcher.stop()

    asyncio.run(run())
    assert calls == [10]
