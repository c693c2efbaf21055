"""A model of another catalogue is found out: when it is to be used, and by whoever looks at the metrics."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from recollect.artifact import Artifact, ArtifactError
from recollect.data.log import Vocabulary
from recollect.data.parquet import write_columns
from recollect.serve import coverage as module
from recollect.serve.coverage import Coverage, coverage
from recollect.serve.engine import Engine
from recollect.serve.http.metrics import Metrics
from recollect.serve.requests import UserRequest
from recollect.serve.service import Service, StrangerError
from recollect.serve.stores.contract import IncomingEvent
from recollect.serve.stores.embedded import EmbeddedStore

from ..conformance.material import START
from .material import ITEMS, artifact

KNOWN = {"a": 1, "b": 2}


def renamed(known: int, digest: str = "feedfeedfeed") -> Artifact:
    """A model of a catalogue that shares `known` ids with that of the tests."""
    ids = [one if place < known else f"other-{place:02}" for place, one in enumerate(ITEMS.ids.tolist())]
    return dataclasses.replace(
        artifact("markov", digest=digest), items=Vocabulary(np.array(ids, dtype=object), first=1)
    )


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    return EmbeddedStore(tmp_path / "store")


def fill(store: EmbeddedStore, users: int = 5) -> None:
    """Each user has one event with each of the first ten items."""
    events = [IncomingEvent(f"user-{u}", str(ITEMS.ids[n]), START + n, f"{n}") for u in range(users) for n in range(10)]
    store.append(events, START)


def test_events_and_items_are_counted(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert coverage(store, KNOWN.get) == Coverage(0, 0, 0, 0, 0)
    assert not coverage(store, KNOWN.get).none and not coverage(store, KNOWN.get).low
    rows = [("ann", "a"), ("ann", "x"), ("ann", "a"), ("bob", "y"), ("cleo", "b"), ("cleo", "x")]
    store.append([IncomingEvent(user, item, START + n) for n, (user, item) in enumerate(rows)], START)
    assert coverage(store, KNOWN.get) == Coverage(3, 6, 3, 4, 2)
    monkeypatch.setattr(module, "USERS", 2)
    monkeypatch.setattr(module, "NEWEST", 2)
    found = coverage(store, KNOWN.get)  # x and a of ann, y of bob
    assert found == Coverage(2, 3, 1, 3, 1) and found.low and not found.none
    assert "1 of the 3 items in the newest 3 events of 2 users" in str(found)
    store.close()


def metric(service: Service, name: str) -> float:
    (line,) = (one for one in Metrics(service).text().decode().splitlines() if one.startswith(f"recollect_{name} "))
    return float(line.split()[1])


@pytest.mark.parametrize(
    ("known", "used", "low"), [(37, True, False), (6, True, False), (4, True, True), (0, False, True)]
)
def test_a_model_that_knows_nothing_does_not_come_into_use(
    store: EmbeddedStore, known: int, used: bool, low: bool
) -> None:
    fill(store)
    engine = Engine(artifact("xlstm-lsr"), store)
    before = engine.recommend([UserRequest("user-1")])

    async def reload() -> Service:
        service = Service(engine)
        assert service.coverage.share == 1 and metric(service, "known_events_share") == 1
        await service.start()
        try:
            if used:
                await service.reload(lambda: renamed(known))
            else:
                with pytest.raises(StrangerError, match="knows 0 of the 10 items in the newest 50 events of 5 users"):
                    await service.reload(lambda: renamed(known))
        finally:
            await service.stop()
        return service

    service = asyncio.run(reload())
    assert metric(service, "reload_failed") == (not used)
    if used:
        assert service.coverage.known_events == 5 * min(10, known) and service.coverage.low == low
        assert engine.artifact.digest == "feedfeedfeed" and metric(service, "known_events_share") == min(10, known) / 10
    else:
        assert service.coverage.share == 1 and engine.recommend([UserRequest("user-1")]) == before
    store.close()


def test_a_reload_that_failed_is_seen_until_one_succeeds(store: EmbeddedStore) -> None:
    fill(store)

    def damaged() -> Artifact:
        raise ArtifactError("weights.safetensors: damaged")

    async def reload(service: Service, load: Callable[[], Artifact]) -> None:
        await service.start()
        try:
            await service.reload(load)
        finally:
            await service.stop()

    service = Service(Engine(artifact("xlstm-lsr"), store))
    assert metric(service, "reload_failed") == 0
    with pytest.raises(ArtifactError):
        asyncio.run(reload(service, damaged))
    assert metric(service, "reload_failed") == 1
    service = Service(service.engine)
    asyncio.run(reload(service, lambda: renamed(37)))
    assert metric(service, "reload_failed") == 0
    store.close()


def test_an_empty_store_takes_any_model(store: EmbeddedStore) -> None:
    async def swap() -> Coverage:
        service = Service(Engine(artifact("xlstm-lsr"), store))
        await service.start()
        found = await service.swap(renamed(0))
        await service.stop()
        return found

    assert asyncio.run(swap()) == Coverage(0, 0, 0, 0, 0)
    store.close()


def columns_as_bytes(place: Path, names: Iterable[str], rows: int) -> bytes:
    write_columns(place, {name: np.full(rows, f"a {name}", dtype=object) for name in names}, {})
    return place.read_bytes()


def test_columns_that_a_new_model_lacks_are_a_warning_and_it_is_taken(
    store: EmbeddedStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Lists need no titles, and an old model is worse than a list of ids: but whoever chooses `within` must know."""
    fill(store)
    bare = renamed(37)
    described, some = (
        dataclasses.replace(bare, table=columns_as_bytes(tmp_path / "table.parquet", names, len(bare.items)))
        for names in (("title", "genres", "year"), ("genres",))
    )

    async def reload(*models: Artifact) -> list[str]:
        caplog.clear()
        first, *others = models
        service = Service(Engine(first, store))
        await service.start()
        try:
            for one in others:
                assert await service.reload(lambda one=one: one) is one is service.engine.artifact  # type: ignore[misc]
        finally:
            await service.stop()
        return [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]

    (said,) = asyncio.run(reload(described, described, bare, bare, described))
    assert "has no title, genres, year of items, which the model before had: ids are shown for titles" in said
    assert "`within` by them is refused" in said and bare.digest in said
    (said,) = asyncio.run(reload(described, some))
    assert "has no title, year of items" in said
    assert asyncio.run(reload(bare, described)) == asyncio.run(reload(some, some)) == []
    store.close()
