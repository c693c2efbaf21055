"""The engine: whatever happened before, a user's list is that of `recommend` on the same history."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from recollect import registry
from recollect.artifact import Artifact
from recollect.contracts import Events, State
from recollect.data.log import DataError
from recollect.recommend import Recommendation, recommend
from recollect.serve import engine as module
from recollect.serve.engine import Deferred, Engine
from recollect.serve.requests import HistoryRequest, UserRequest
from recollect.serve.stores.contract import IncomingEvent, SavedMemory, Store, StoreError
from recollect.serve.stores.embedded import EmbeddedStore
from recollect.serve.stores.volatile import VolatileStore

from ..conformance.material import SIZE, START
from .material import ITEMS, TOLD, artifact

NOW = START + 10_000_000
CLOSE = 1e-3
"""How far a logit of a memory that was advanced bit by bit may be from that of the history read at once."""


def engine(name: str = "xlstm-lsr", store: Store | None = None, **options: object) -> Engine:
    return Engine(artifact(name), store or VolatileStore(), clock=lambda: NOW, **options)  # type: ignore[arg-type]


def offline(
    model: Artifact, history: Sequence[tuple[str, int]], k: int = 10, seen: str = "hidden"
) -> list[Recommendation]:
    at = [NOW] if model.model.request_time else None
    items, times = [item for item, _ in history], [time for _, time in history]
    (answer,) = recommend(
        model.model,
        model.items,
        [items],
        times=[times],
        titles=model.titles,
        k=k,
        seen=seen,
        at=at,  # type: ignore[arg-type]
    )
    return list(answer)


def alike(mine: Sequence[Recommendation], theirs: Sequence[Recommendation], close: float = CLOSE) -> None:
    """The same lists up to items whose logits are so close that either order is right."""
    assert [one.rank for one in mine] == [one.rank for one in theirs]
    for one, other in zip(mine, theirs, strict=True):
        assert one.logit == pytest.approx(other.logit, abs=close)
        assert (one.probability is None) == (other.probability is None)
        if one.probability is not None:
            assert one.probability == pytest.approx(other.probability, rel=5 * close)
        if one.item != other.item:
            twins = [another for another in theirs if another.item == one.item]
            assert (twins[0].logit if twins else theirs[-1].logit) == pytest.approx(one.logit, abs=2 * close)


def some(count: int, user: str, first: int = 0, seed: int = 0) -> list[IncomingEvent]:
    codes = np.random.default_rng(seed).integers(1, SIZE, count)
    return [
        IncomingEvent(user, str(ITEMS.ids[code - 1]), START + 60 * (first + n), f"id-{first + n}")
        for n, code in enumerate(codes)
    ]


@pytest.mark.parametrize("name", [*registry.names(), TOLD])
def test_a_list_is_that_of_the_whole_history(name: str) -> None:
    one = engine(name)
    for user, count in (("ann", 1), ("bob", 30), ("cleo", 7)):
        for begin in range(0, count, 4):  # some at once, some one after the other
            one.add(some(min(4, count - begin), user, begin, seed=begin))
            one.advance([user, user])
    one.add(some(3, "bob", 30, seed=9))
    one.add([IncomingEvent("cleo", "never heard of", START + 9999, "x")])
    for seen in ("hidden", "allowed"):
        requests = [UserRequest(user, k=k, seen=seen) for user in ("cleo", "ann", "bob", "cleo") for k in (3, 100)]  # type: ignore[arg-type]
        for request, answer in zip(requests, one.recommend(requests), strict=True):
            history = one.store.history(request.user)
            alike(answer.items, offline(one.artifact, history.events, request.k, seen))
            assert answer.source == "memory" and answer.events == history.summary.events  # type: ignore[union-attr]


@pytest.mark.parametrize("name", [*registry.names(), TOLD])
def test_a_newcomer_gets_the_list_of_recommend_and_is_told_so(name: str) -> None:
    """Whoever has no event that the model knows is one, whatever is stored and however it is asked."""
    one = engine(name)
    one.add([IncomingEvent("eve", f"unheard of {n % 3}", START + n) for n in range(40)])
    one.add([IncomingEvent("dan", "unheard of 1", START)])
    one.add(some(5, "ann"))
    for _ in range(2):  # read from the store, and from the memory in this process
        requests = [UserRequest(user, k=100) for user in ("nobody", "ann", "eve", "dan")]
        for request, answer in zip(requests, one.recommend(requests), strict=True):
            history = one.store.history(request.user).events
            alike(answer.items, offline(one.artifact, history, 100))
            if request.user != "ann":
                assert (answer.source, answer.events) == ("newcomer", len(history)) and answer.long_term_weight is None
                alike(answer.items, offline(one.artifact, [], 100))
        (unknown,) = one.recommend_after([HistoryRequest(("unheard of 1",), k=100)])
        assert unknown.source == "newcomer" and unknown.unknown == ("unheard of 1",)
        alike(unknown.items, offline(one.artifact, [], 100))
    (then,) = one.recommend([UserRequest("eve", then=("item-03",))])
    assert then.source == "history"
    one.add([IncomingEvent("eve", "item-03", START - 7)])  # the oldest of all, far behind the newest events
    (late,) = one.recommend([UserRequest("eve")])
    assert late.source == "memory" and late.events == 41
    one.forget("eve")
    one.add([IncomingEvent("eve", "unheard of 1", START)])
    assert one.recommend([UserRequest("eve")])[0].source == "newcomer"


class Service(RuleBasedStateMachine):
    """Events, requests, restarts, swaps and losses in any order; every list is the offline one."""

    names = ("xlstm-lsr", "gru4rec", "sasrec", "markov", TOLD)

    @initialize(name=st.sampled_from(names))
    def start(self, name: str) -> None:
        self.artifacts = {one: artifact(one, digest=f"{one:12}"[:12].strip()) for one in self.names}
        self.store = VolatileStore()
        self.begin(name)

    def begin(self, name: str) -> None:
        # Room for three users only, so that memories come and go.
        room = 3 * self.artifacts[name].model.fresh(1).bytes_per_user
        self.engine = Engine(self.artifacts[name], self.store, cache_bytes=room, clock=lambda: NOW)

    @rule(
        user=st.sampled_from("abcde"),
        codes=st.lists(st.integers(1, SIZE), min_size=1, max_size=5),
        time=st.none() | st.integers(START, START + 100),
        number=st.none() | st.integers(0, 30),
    )
    def add(self, user: str, codes: list[int], time: int | None, number: int | None) -> None:
        ids = [None if number is None else f"{number}-{place}" for place in range(len(codes))]
        items = [f"item-{code:02}" for code in codes]  # the largest is not in the catalogue
        self.engine.add([IncomingEvent(user, item, time, own) for item, own in zip(items, ids, strict=True)])

    @rule(users=st.lists(st.sampled_from("abcdef"), max_size=6))
    def advance(self, users: list[str]) -> None:
        self.engine.advance(users)

    @rule(limit=st.integers(0, 4))
    def save(self, limit: int) -> None:
        self.engine.save(limit)

    @rule(user=st.sampled_from("abcde"))
    def forget(self, user: str) -> None:
        self.engine.forget(user)

    @rule(name=st.sampled_from(names))
    def swap(self, name: str) -> None:
        self.engine.swap(self.artifacts[name])

    @rule(name=st.sampled_from(names))
    def restart(self, name: str) -> None:
        self.begin(name)

    @rule()
    def rebuild(self) -> None:
        assert list(self.engine.rebuild())[-1:] in ([], [len(self.store.users())])

    @rule()
    def evict(self) -> None:
        self.store.evict(NOW + 1)

    @invariant()
    def lists_are_those_of_the_histories(self) -> None:
        if not hasattr(self, "engine"):
            return
        everyone = "edcba"
        for user, answer in zip(
            everyone, self.engine.recommend([UserRequest(user, k=5) for user in everyone]), strict=True
        ):
            history = self.store.history(user)
            known = any(self.engine.ranker.knows(item) for item, _ in history.events)
            assert answer.source == ("memory" if known else "newcomer")
            alike(answer.items, offline(self.engine.artifact, history.events, 5))


TestService = Service.TestCase
TestService.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)


def test_memories_survive_in_a_folder_and_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedStore(tmp_path) as store:
        one = engine(store=store)
        one.add(some(50, "ann"))
        one.recommend([UserRequest("ann")])
        assert one.save() == 1 and one.save() == 0
    with EmbeddedStore(tmp_path) as store:
        two = engine(store=store)
        two.add(some(2, "ann", 50))
        read: list[int] = []
        advance = two.artifact.model.advance
        monkeypatch.setattr(
            two.artifact.model,
            "advance",
            lambda state, events: read.append(int(events.lengths.sum())) or advance(state, events),
        )
        (answer,) = two.recommend([UserRequest("ann")])
        assert read == [2]
        alike(answer.items, offline(two.artifact, store.history("ann").events))
        two.recommend([UserRequest("ann")])
        assert read[1:] == [52]  # the whole, by the oracle


def test_half_precision_takes_half_and_keeps_the_lists() -> None:
    store = VolatileStore()
    whole, half = engine(store=store), engine(store=store, half=True)
    assert half.bytes_per_user < 0.56 * whole.bytes_per_user
    half.add(some(300, "ann"))
    half.recommend([UserRequest("ann")])
    half.save()
    again = engine(store=store, half=True)
    again._active.cache.drop("ann")
    (answer,) = again.recommend([UserRequest("ann", k=5)])
    alike(answer.items, offline(again.artifact, store.history("ann").events, 5), close=0.02)
    (memory,) = store.load_memories(["ann"])
    assert memory is not None and len(memory.data) == half.bytes_per_user
    # The other precision's memories are of another size, and are made again.
    (answer,) = whole.recommend([UserRequest("ann", k=5)])
    alike(answer.items, offline(whole.artifact, store.history("ann").events, 5))


def test_only_allowed_items_are_candidates_and_denied_ones_are_none() -> None:
    one = engine()
    one.add(some(10, "ann"))
    everything = offline(one.artifact, one.store.history("ann").events, 100)
    order = [row.item for row in everything]
    allow, deny = frozenset([*order[3::4], "never heard of"]), frozenset(order[:7])
    asked = [
        UserRequest("ann", k=5, allow=allow),
        UserRequest("ann", k=5, deny=deny),
        UserRequest("ann", k=100, allow=allow, deny=deny),
        UserRequest("ann", k=5, allow=frozenset()),
        UserRequest("nobody", k=2, allow=allow),
    ]
    lists = [[row.item for row in answer.items] for answer in one.recommend(asked)]
    assert lists[0] == order[3::4][:5] and lists[1] == order[7:12] and lists[3] == []
    assert lists[2] == [item for item in order if item in allow - deny] and set(lists[4]) <= allow
    shares = {row.item: row.probability for row in everything}
    for row in one.recommend(asked[:1])[0].items:  # hiding others does not inflate what is left
        assert row.probability == pytest.approx(shares[row.item], rel=1e-4)


def test_a_history_of_nobody_is_answered_as_a_user_with_these_events_and_nothing_is_kept() -> None:
    one = engine()
    items = tuple(event.item for event in some(10, "ann"))
    one.add([IncomingEvent("ann", item, START) for item in items])
    requests = [{}, {"k": 3, "deny": frozenset(items)}, {"allow": frozenset(items), "seen": "allowed"}]
    answers = one.recommend_after([HistoryRequest((*items, "never heard of"), **request) for request in requests])  # type: ignore[arg-type]
    for request, answer in zip(requests, answers, strict=True):
        (told,) = one.recommend([UserRequest("ann", **request)])  # type: ignore[arg-type]
        alike(answer.items, told.items)
        assert answer.long_term_weight == pytest.approx(told.long_term_weight, abs=1e-4)
        assert answer.source == "history" and answer.events == 11 and answer.unknown == ("never heard of",)
    newcomer, nobody = one.recommend_after([HistoryRequest(())])[0], one.recommend([UserRequest("nobody")])[0]
    assert newcomer == nobody and newcomer.source == "newcomer"
    assert one.store.users() == ["ann"] and one.cached_users == 1


def test_seen_items_are_listed_as_in_the_run_where_a_request_does_not_say() -> None:
    store = VolatileStore()
    one = Engine(artifact("markov", seen="allowed"), store, clock=lambda: NOW)
    one.add(some(30, "ann"))
    history = tuple(item for item, _ in store.history("ann").events)

    def lists(seen: str | None = None) -> list[tuple[str, list[Recommendation]]]:
        responses = [
            *one.recommend([UserRequest("ann", k=100, seen=seen)]),  # type: ignore[arg-type]
            *one.recommend_after([HistoryRequest(history, k=100, seen=seen)]),  # type: ignore[arg-type]
        ]
        return [(response.seen, list(response.items)) for response in responses]

    wanted = {seen: offline(one.artifact, store.history("ann").events, 100, seen) for seen in ("allowed", "hidden")}
    assert len(wanted["allowed"]) > len(wanted["hidden"])
    for given in ("allowed", "hidden"):
        assert [seen for seen, _ in lists(given)] == [given] * 2
        for _, items in lists(given):
            alike(items, wanted[given])
    for run, meant in (("allowed", "allowed"), ("hidden", "hidden"), (None, "hidden")):
        one.swap(artifact("markov", digest=f"of {run}", seen=run))
        assert one.seen == meant and [seen for seen, _ in lists()] == [meant] * 2
        for _, items in lists():
            alike(items, wanted[meant])


@pytest.mark.parametrize("name", ["xlstm-lsr", "sasrec", "hstu", "markov", "popularity", TOLD])
def test_what_a_user_might_have_next_counts_as_if_they_had_it_and_is_not_kept(name: str) -> None:
    one = engine(name)
    one.add([*some(12, "ann"), *some(1, "bob", seed=4), IncomingEvent("late", "item-01", NOW + 50, "x")])
    thens = {"ann": ["item-05", "never heard of"], "bob": ["item-07"] * 3, "late": ["item-02"], "nobody": ["item-09"]}
    before = one.recommend([UserRequest(user) for user in thens])
    requests = [UserRequest(user, tuple(then), k=100) for user, then in thens.items()]
    requests += [UserRequest("ann", k=100), UserRequest("ann", ("item-09", "item-05"), k=100, seen="allowed")]
    for request, response in zip(requests, one.recommend(requests), strict=True):
        history = one.store.history(request.user).events
        at = max([NOW, *(time for _, time in history)])
        imagined = [*history, *((item, at) for item in request.then)]
        alike(response.items, offline(one.artifact, imagined, 100, request.seen or "hidden"))
        assert response.events == len(imagined)
        assert response.source == ("history" if request.user == "nobody" else "memory")
        assert response.unknown == tuple(item for item in request.then if item == "never heard of")
    assert one.recommend([UserRequest(user) for user in thens]) == before
    assert one.store.users() == ["ann", "bob", "late"] and one.store.events == 14


def test_how_many_items_were_candidates_is_told() -> None:
    one = engine("markov")
    one.add(some(5, "ann"))
    allow, deny = frozenset(["item-01", "item-02", "x"]), frozenset(["item-02", "item-03", "y"])
    requests = [
        UserRequest("ann"),
        UserRequest("ann", allow=allow),
        UserRequest("ann", deny=deny),
        UserRequest("ann", allow=allow, deny=deny),
        UserRequest("ann", allow=frozenset(["x"])),
    ]
    every = SIZE - 1
    assert [one.candidates for one in one.recommend(requests)] == [every, 2, every - 2, 1, 0]


def test_a_user_who_has_seen_nearly_everything_gets_what_is_left() -> None:
    one = engine()
    one.add([IncomingEvent("ann", str(item), START + n, f"{n}") for n, item in enumerate(ITEMS.ids[:-2])])
    (answer,) = one.recommend([UserRequest("ann", k=5)])
    assert {row.item for row in answer.items} == set(ITEMS.ids[-2:])


def test_the_weight_of_long_memory_is_told() -> None:
    one = engine()
    one.add(some(12, "ann"))
    answers = one.recommend([UserRequest("ann"), UserRequest("nobody")])
    assert (
        answers[0].long_term_weight is not None
        and 0 < answers[0].long_term_weight < 1
        and answers[1].long_term_weight is None
    )
    assert engine("gru4rec").recommend([UserRequest("nobody")])[0].long_term_weight is None


def test_scores_that_are_not_finite_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    one = engine()
    one.add(some(3, "ann"))
    broken = torch.full((1, SIZE), torch.nan)
    monkeypatch.setattr(one.artifact.model, "score", lambda state, at=None: broken)
    with pytest.raises(DataError, match="NaN or infinity"):
        one.recommend([UserRequest("ann")])


def test_many_users_are_advanced_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 7)
    one = engine("gru4rec")
    users = [f"user-{number}" for number in range(30)]
    one.add([event for number, user in enumerate(users) for event in some(number, user, seed=number)])
    answers = one.recommend([UserRequest(user, k=5) for user in users])
    for user, answer in zip(users[1:], answers[1:], strict=True):
        alike(answer.items, offline(one.artifact, one.store.history(user).events, 5))
    assert list(one.rebuild(7)) == [7, 14, 21, 28, 29]


def test_those_whose_memories_lack_too_much_can_be_left_for_later() -> None:
    one = engine("gru4rec")
    one.add([*some(3, "ann"), *some(50, "bob"), *some(18, "cleo"), *some(50, "dan")])
    asked = [UserRequest(user, k=5) for user in ("bob", "ann", "dan", "nobody", "cleo", "ann")]

    def lacking(limit: int) -> list[Deferred | None]:
        return [answer if isinstance(answer, Deferred) else None for answer in one.recommend_within(asked, limit)]

    assert lacking(20) == [Deferred.LONG_HISTORY, None, Deferred.LONG_HISTORY, None, Deferred.NEXT_BATCH, None]
    assert lacking(20) == [
        Deferred.LONG_HISTORY,
        None,
        Deferred.LONG_HISTORY,
        None,
        None,
        None,
    ]  # whoever was first is current now
    assert lacking(50) == [None, None, Deferred.NEXT_BATCH, None, None, None]
    assert one.recommend_within(asked, 50) == one.recommend(asked)


def test_nobody_waits_while_a_long_history_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    one = engine("gru4rec")
    begun, go, advance = threading.Event(), threading.Event(), one.artifact.model.advance

    def slow(state: State, events: Events) -> State:
        if events.items.shape[1] > 100:
            begun.set()
            assert go.wait(20)
        return advance(state, events)

    monkeypatch.setattr(one.artifact.model, "advance", slow)
    one.add([*some(200, "ann"), *some(5, "bob")])
    with ThreadPoolExecutor(1) as thread:
        long = thread.submit(one.recommend, [UserRequest("ann")])
        assert begun.wait(20)
        one.recommend([UserRequest("bob")])
        one.add([*some(201, "ann")[200:]])
        assert not long.done()
        go.set()
        assert long.result()[0].events == 200
    (answer,) = one.recommend([UserRequest("ann")])
    assert answer.events == 201
    alike(answer.items, offline(one.artifact, one.store.history("ann").events, 10))


def test_nobody_waits_while_memories_are_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    one = engine("gru4rec")
    begun, go, save = threading.Event(), threading.Event(), one.store.save_memories

    def slow(memories: Iterable[tuple[str, SavedMemory]]) -> None:
        begun.set()
        assert go.wait(20)
        save(memories)

    monkeypatch.setattr(one.store, "save_memories", slow)
    one.add([*some(5, "ann"), *some(5, "bob")])
    one.advance(["ann", "bob"])
    with ThreadPoolExecutor(1) as thread:
        saving = thread.submit(one.save)
        assert begun.wait(20)
        one.add(some(6, "ann")[5:])
        one.recommend([UserRequest("ann"), UserRequest("bob")])
        assert one.forget("bob") and not saving.done()
        go.set()
        assert saving.result() == 2 + 1  # ann has changed meanwhile
    ann, bob = one.store.load_memories(["ann", "bob"])
    assert ann is not None and ann.position.events == 6 and bob is None


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_user_forgotten_while_they_are_read_in_is_not_kept(monkeypatch: pytest.MonkeyPatch, comes_back: bool) -> None:
    one = engine("gru4rec")
    one.add([*some(20, "ann"), *some(3, "bob")])
    advance = one.artifact.model.advance

    def forgetting(state: State, events: Events) -> State:
        assert one.forget("ann")
        if comes_back:
            one.add([IncomingEvent("ann", "item-01", START)])
        monkeypatch.setattr(one.artifact.model, "advance", advance)
        return advance(state, events)

    monkeypatch.setattr(one.artifact.model, "advance", forgetting)
    one.recommend([UserRequest("ann"), UserRequest("bob")])
    assert one.cached_users == 1
    assert one.recommend([UserRequest("ann")])[0].events == comes_back


def test_a_full_disk_stops_no_answer(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    one = engine("gru4rec", cache_bytes=1)
    one.add([*some(5, "ann"), *some(5, "bob")])
    monkeypatch.setattr(one.store, "save_memories", full)
    for user in ("ann", "bob", "ann"):  # there is room for one
        (answer,) = one.recommend([UserRequest(user, k=5)])
        alike(answer.items, offline(one.artifact, one.store.history(user).events, 5))
    assert "the disk is full" in caplog.text


def test_a_model_with_less_room_may_come_between_two_users(monkeypatch: pytest.MonkeyPatch) -> None:
    one = engine("gru4rec")
    users = [f"user-{number}" for number in range(9)]
    one.add([event for number, user in enumerate(users) for event in some(5, user, seed=number)])
    look = one._current

    def swapping(*given: object) -> object:
        monkeypatch.setattr(one, "_current", look)
        one._cache_bytes = 3 * one.artifact.model.fresh(1).bytes_per_user
        one.swap(artifact("gru4rec", digest="another"))
        return look(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(one, "_current", swapping)
    for _ in range(2):
        answers = one.recommend([UserRequest(user, k=5) for user in users])
        for user, answer in zip(users, answers, strict=True):
            alike(answer.items, offline(one.artifact, one.store.history(user).events, 5))
    assert one.cached_users == 3


def test_a_memory_of_another_program_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    store = VolatileStore()
    one = engine("gru4rec", store)
    one.add(some(5, "ann"))
    one.recommend([UserRequest("ann")])
    one.save()
    store.save_memories([("ann", dataclasses.replace(store.load_memories(["ann"])[0], data=b"-" * one.bytes_per_user))])  # type: ignore[type-var]
    monkeypatch.setattr(module, "__version__", "another")
    (answer,) = engine("gru4rec", store).recommend([UserRequest("ann")])
    alike(answer.items, offline(one.artifact, store.history("ann").events, 10))


def test_a_memory_that_is_loaded_counts_as_used() -> None:
    store, now = VolatileStore(), [0.0]
    for day in range(4):
        now[0] = 1.5 * day * module.TOUCH_SECONDS
        one = Engine(artifact("gru4rec"), store, clock=lambda: now[0])
        one.evict(2 * module.TOUCH_SECONDS)
        if not day:
            one.add([IncomingEvent("ann", "item-01", 0), IncomingEvent("bob", "item-01", 0)])
            one.recommend([UserRequest("bob")])
        one.recommend([UserRequest("ann")])
        one.save()
        assert [saved is not None for saved in store.load_memories(["ann", "bob"])] == [True, day < 2]


def test_a_state_is_not_shared_between_questions() -> None:
    one = engine("gru4rec")
    one.add(some(5, "ann"))
    before = one.recommend([UserRequest("ann")])
    with torch.inference_mode():
        taken: State = one._active.cache.get(["ann"])
        for tensor in taken.values():
            tensor.zero_()
    assert one.recommend([UserRequest("ann")]) == before
    assert dataclasses.is_dataclass(before[0])
