"""The service's engine with a model on the device of the tests: lists, memories saved and read back, room that ends."""

from __future__ import annotations

import pytest

from recollect.artifact import Artifact
from recollect.contracts import Network
from recollect.serve.engine import Engine
from recollect.serve.requests import HistoryRequest, Response, UserRequest
from recollect.serve.stores.volatile import VolatileStore

from ..device import DEVICE, on_a_named_device
from ..serve.material import artifact
from ..serve.test_engine import NOW, alike, some

pytestmark = on_a_named_device
MODELS = ["xlstm-lsr", "mlstm4rec", "sasrec", "hstu", "gru4rec", "lru"]


def both(name: str) -> tuple[Artifact, Artifact]:
    """One model on the CPU and on the device."""
    there = artifact(name)
    assert isinstance(there.model, Network) and there.model.device.type == DEVICE.type
    here = type(there.model)(there.model.config, there.model.catalog)  # type: ignore[call-arg]
    here.restore({key: tensor.cpu() for key, tensor in there.model.tensors().items()})
    return artifact(name, model=here.eval()), there


def told(model: Artifact, *, half: bool, users: int = 5, cache_bytes: int | None = None) -> list[list[Response]]:
    """Answers before and after more events came, and after another engine read what this one saved."""
    store = VolatileStore()
    sizes = {} if cache_bytes is None else {"cache_bytes": cache_bytes}
    first = Engine(model, store, half=half, clock=lambda: NOW, **sizes)
    names = [f"user-{number}" for number in range(users)]
    requests = [UserRequest(user=name, k=8) for name in [*names, "nobody"]]
    first.add([event for number, name in enumerate(names) for event in some(3 + 7 * number, name, seed=number)])
    found = [first.recommend(requests)]
    first.save()
    first.add([event for number, name in enumerate(names[:3]) for event in some(2, name, first=90, seed=50 + number)])
    found.append(first.recommend(requests))
    first.save()
    found.append(Engine(model, store, half=half, clock=lambda: NOW, **sizes).recommend(requests))
    found.append(first.recommend_after([HistoryRequest(history=("item-03", "item-07", "item-03"), seen="allowed")]))
    return found


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("half", [False, True])
def test_lists_are_those_of_the_cpu(name: str, half: bool) -> None:
    here, there = both(name)
    for one, two in zip(told(here, half=half), told(there, half=half), strict=True):
        for mine, theirs in zip(two, one, strict=True):
            assert mine.source == theirs.source and mine.events == theirs.events
            alike(mine.items, theirs.items, close=2e-2 if half else 2e-3)
            if theirs.long_term_weight is not None:
                assert mine.long_term_weight == pytest.approx(theirs.long_term_weight, abs=1e-2)


def test_memories_that_have_to_make_room_come_back() -> None:
    here, there = both("mlstm4rec")
    size = Engine(there, VolatileStore(), clock=lambda: NOW).bytes_per_user
    few, many = told(there, half=False, users=9, cache_bytes=2 * size), told(here, half=False, users=9)
    for one, two in zip(few, many, strict=True):
        for mine, theirs in zip(one, two, strict=True):
            alike(mine.items, theirs.items, close=2e-3)
