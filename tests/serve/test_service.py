"""The service in the background: memories follow a new model, and those that nobody uses are dropped."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from recollect.serve import service as service_module
from recollect.serve.engine import Engine
from recollect.serve.requests import UserRequest
from recollect.serve.service import Service
from recollect.serve.stores.contract import IncomingEvent, Receipt, StoreError
from recollect.serve.stores.volatile import VolatileStore

from ..conformance.material import START
from .material import artifact
from .test_engine import some

USERS = [f"user-{number}" for number in range(10)]


async def until(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


def served(work: Callable[[Service], Awaitable[None]], **options: float) -> None:
    async def run() -> None:
        service = Service(Engine(artifact("gru4rec"), VolatileStore()), **options)
        await service.start()
        await service.add([event for user in USERS for event in some(5, user)])
        await work(service)
        await service.stop()

    asyncio.run(run())


def current(service: Service) -> set[bool | None]:
    """Whether saved memories are of the model in use; None where there is none."""
    return {
        None if saved is None else saved.fingerprint == service.engine.fingerprint
        for saved in service.engine.store.load_memories(USERS)
    }


def test_a_new_model_answers_at_once_and_memories_follow() -> None:
    async def work(service: Service) -> None:
        await until(lambda: current(service) == {True})
        await service.swap(artifact("markov", digest="another"))
        assert (await service.recommend(UserRequest("user-3"))).digest == "another"
        await service.swap(artifact("markov", digest="a third"))  # while the other is being followed
        await until(lambda: current(service) == {True})

    served(work, save_seconds=0.01)


def test_memories_that_nobody_uses_are_dropped() -> None:
    async def work(service: Service) -> None:
        await until(lambda: current(service) == {True})
        await until(lambda: current(service) == {None})
        assert len((await service.recommend(UserRequest("user-3"))).items) == 10

    served(work, save_seconds=0.01, keep_seconds=0.5, evict_seconds=0.05)


def test_what_has_changed_is_saved_at_the_end() -> None:
    kept: list[Service] = []

    async def work(service: Service) -> None:
        await until(lambda: service.behind == 0)
        kept.append(service)

    served(work, save_seconds=1000)
    assert current(kept[0]) == {True}


def test_an_event_without_an_id_is_given_one_before_it_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(service: Service) -> None:
        add, failed = service.engine.add, list[int]()

        def failing(incoming: list[IncomingEvent]) -> object:
            receipts = add(incoming)
            if not failed:
                failed.append(len(incoming))
                raise RuntimeError("after the events were taken in")
            return receipts

        monkeypatch.setattr(service, "_events", type(service._events)(failing, batch_size=100, queue_size=100))
        service._events.start()
        receipts = await service.add([IncomingEvent("ann", f"item-0{n}") for n in range(1, 4)])
        assert [one.outcome for one in receipts] == ["repeated"] * 3 and failed == [3]
        assert len(service.engine.store.history("ann").events) == 3

    served(work)


def test_who_lacks_many_events_is_answered_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "READ_IN_BATCH", 20)
    store = VolatileStore()
    store.append([*some(21, "far"), *(one for number in range(5) for one in some(15, f"near-{number}"))], 0)

    async def run() -> None:
        service = Service(Engine(artifact("gru4rec"), store))
        await service.start()
        asked = [UserRequest("far"), *(UserRequest(f"near-{number}") for number in range(5)), UserRequest("far", k=3)]
        answers = await asyncio.gather(*map(service.recommend, asked))
        lengths = [(one.events, len(one.items)) for one in answers]
        assert lengths == [(21, 10), *[(15, 10)] * 5, (21, 3)] and {one.source for one in answers} == {"memory"}
        await service.stop()

    asyncio.run(run())


def test_events_without_ids_are_not_doubled_by_a_store_that_fails_once() -> None:
    class Lost(VolatileStore):
        """The answer to the first call is lost, as with a connection that breaks."""

        calls = 0

        def append(self, incoming: Sequence[IncomingEvent], now: int) -> list[Receipt]:
            receipts = super().append(incoming, now)
            self.calls += 1
            if self.calls == 1:
                raise StoreError("the connection is lost")
            return receipts

    async def run() -> None:
        service = Service(Engine(artifact("gru4rec"), store := Lost()))
        await service.start()
        several = [
            service.add([IncomingEvent(user, "item-01", 5), IncomingEvent(user, "item-02", 6)])
            for user in ("ann", "bob")
        ]
        receipts = await asyncio.gather(*several)
        assert {one.outcome for some in receipts for one in some} == {"repeated"} and store.calls == 2
        assert store.history("ann").events == [("item-01", 5), ("item-02", 6)]
        await service.stop()

    asyncio.run(run())


def test_those_who_ask_for_a_compaction_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, begun, go = [0], threading.Event(), threading.Event()

    def compact() -> int:
        calls[0] += 1
        begun.set()
        assert go.wait(20)
        return 0

    store = VolatileStore()
    monkeypatch.setattr(store, "compact", compact)

    async def run() -> None:
        service = Service(Engine(artifact("gru4rec"), store))
        await service.start()
        first = asyncio.create_task(service.compact())
        await asyncio.to_thread(begun.wait)
        others = [asyncio.create_task(service.compact()) for _ in range(5)]
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(first, *others)
        await service.stop()

    asyncio.run(run())
    assert calls == [2]  # those who came while one was under way cannot know whether it saw what they forgot


def test_that_events_were_refused_counts_until_some_are_accepted_or_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(artifact("markov"), VolatileStore())
    broken = [True]

    def append(incoming: list[IncomingEvent], now: int) -> list[Receipt]:
        if broken[0]:
            raise StoreError("the disk of /some/place is on fire")
        return VolatileStore.append(engine.store, incoming, now)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.store, "append", append)
    one = IncomingEvent("ann", "item-01", START)

    async def watch() -> None:
        service = Service(engine)
        await service.start()
        assert service.refusal() is None
        for broken[0] in (True, False):
            with contextlib.suppress(StoreError):
                await service.add([one])
            assert service.refusal() == ("the disk of /some/place is on fire" if broken[0] else None)
        broken[0] = True
        with contextlib.suppress(StoreError):
            await service.add([one])
        monkeypatch.setattr(
            service_module, "REFUSED_SECONDS", 0.0
        )  # nothing came since, and the store knows of nothing
        assert service.refusal() is None
        monkeypatch.setattr(engine.store, "refusal", lambda: "it cannot write")
        assert service.refusal() == "it cannot write"
        await service.stop()

    asyncio.run(watch())
