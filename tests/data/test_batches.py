"""Batch plans: every event a target exactly once an epoch, within the budget, segments in order, the same by seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.batches import (
    GRAIN,
    BatchSettings,
    Step,
    build,
    plan_carried,
    plan_prefixes,
    plan_windows,
    token_budget,
)
from recollect.data.histories import Ragged

LENGTHS = st.lists(st.one_of(st.integers(0, 12), st.integers(0, 120)), min_size=1, max_size=25)
SETTINGS = st.builds(
    BatchSettings,
    tokens=st.integers(1, 200),
    segment=st.integers(2, 40),
    interleave=st.integers(1, 4),
    history=st.none(),
)


def numbered(lengths: list[int]) -> Ragged:
    """Histories in which every event has an item code of its own."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    codes = np.arange(1, offsets[-1] + 1)
    return Ragged(codes, codes * 10, offsets)


def targets_of(histories: Ragged, steps: list[Step]) -> Counter[int]:
    found: Counter[int] = Counter()
    for step in steps:
        events, targets, _ = build(histories, step)
        assert not (targets & ~events.mask).any(), "a padded cell is a target"
        found.update(events.items[targets].tolist())
    return found


def once_each(histories: Ragged) -> Counter[int]:
    return Counter(histories.items.tolist())


@given(LENGTHS, SETTINGS, st.integers(0, 9), st.integers(0, 9))
def test_carried_every_event_is_a_target_once(
    lengths: list[int], settings: BatchSettings, seed: int, epoch: int
) -> None:
    histories = numbered(lengths)
    steps = plan_carried(np.array(lengths), settings, seed, epoch)
    assert targets_of(histories, steps) == once_each(histories)


@given(LENGTHS, SETTINGS, st.integers(1, 30), st.integers(0, 9), st.integers(0, 9))
def test_windows_every_event_is_a_target_once(
    lengths: list[int], settings: BatchSettings, window: int, seed: int, epoch: int
) -> None:
    histories = numbered(lengths)
    steps = plan_windows(np.array(lengths), window, settings, seed, epoch)
    assert targets_of(histories, steps) == once_each(histories)
    assert all(step.opens and step.closes for step in steps)


@given(LENGTHS, SETTINGS, st.integers(1, 30), st.integers(1, 5), st.integers(0, 9))
def test_a_prefix_ends_in_its_only_target_and_begins_a_window_before(
    lengths: list[int], settings: BatchSettings, window: int, prefixes: int, seed: int
) -> None:
    histories = numbered(lengths)
    settings = settings.model_copy(update={"prefixes": prefixes})
    found: Counter[int] = Counter()
    for step in plan_prefixes(np.array(lengths), window, settings, seed, 0):
        events, targets, _ = build(histories, step)
        assert (targets.sum(1) == 1).all() and events.items.shape[1] <= window + 1
        for row, codes, own in zip(step.rows, events.items, targets, strict=True):
            target, start = int(codes[own]), int(histories.offsets[row])
            begin = max(start, target - 1 - window)
            assert codes[: int(own.nonzero()) + 1].tolist() == histories.items[begin:target].tolist()
            found[target] += 1
    owners = Counter(int(np.searchsorted(histories.offsets, code - 1, "right")) for code in found)
    assert set(found.values()) <= {1}
    assert all(1 <= count <= prefixes for count in owners.values())
    assert len(owners) == sum(length > 0 for length in lengths)


@given(LENGTHS, SETTINGS, st.integers(1, 20), st.one_of(st.none(), st.integers(2, 30)), st.integers(0, 9))
def test_with_a_context_every_event_is_a_target_once_with_no_more_before_it(
    lengths: list[int], settings: BatchSettings, context: int, history: int | None, epoch: int
) -> None:
    """A memory holds what its group has read since it was opened: never more than `context` events before a target."""
    histories, rows = numbered(lengths), np.array(lengths)
    plain = settings.model_copy(update={"history": history})
    cut = plain.model_copy(update={"context": context})
    steps = plan_carried(rows, cut, 0, epoch)
    assert targets_of(histories, steps) == targets_of(histories, plan_carried(rows, plain, 0, epoch))
    opened: dict[int, np.ndarray] = {}
    for step in steps:
        if step.opens:
            opened[step.group] = step.first
        _, targets, _ = build(histories, step)
        row, cell = targets.nonzero(as_tuple=True)
        held = step.first[row] + cell.numpy() - opened[step.group][row]
        assert (held <= context).all()
        assert len(step.rows) == 1 or len(step.rows) * step.width <= settings.tokens
    for step in (*plan_windows(rows, 30, cut, 0, epoch), *plan_prefixes(rows, 30, cut, 0, epoch)):
        assert step.width <= context + 1


def test_a_context_is_used_to_its_end() -> None:
    """Pieces begin anywhere, and the last target of each has as many events before it as may be."""
    held: list[int] = []
    for epoch in range(30):
        steps = plan_carried(np.array([100]), BatchSettings(tokens=1, segment=4, context=9), 0, epoch)
        opened = {step.group: int(step.first[0]) for step in steps if step.opens}
        held += [int(step.last[0]) - 1 - opened[step.group] for step in steps if step.closes]
        assert sum(len(step.rows) * step.width for step in steps) < 2 * 100
    assert max(held) == 9 and sum(one == 9 for one in held) > 200


def test_prefixes_end_everywhere_and_anew_each_epoch() -> None:
    plans = [plan_prefixes(np.array([20]), 5, BatchSettings(prefixes=3), 0, epoch) for epoch in range(60)]
    ends = [tuple(sorted(int(last) for step in plan for last in step.last)) for plan in plans]
    assert {end for some in ends for end in some} == set(range(1, 21)) and len(set(ends)) > 30
    late = plan_prefixes(np.array([20]), 5, BatchSettings(prefixes=50, history=4), 0, 0)
    assert sorted(int(last) for step in late for last in step.last) == [17, 18, 19, 20]


@given(LENGTHS, SETTINGS, st.integers(0, 9))
def test_carried_segments_come_in_order_and_hand_over_the_same_rows(
    lengths: list[int], settings: BatchSettings, seed: int
) -> None:
    """What the loop relies on: a group opens once, goes on where it stopped, closes once; few wait at a time."""
    open_: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    closed: set[int] = set()
    for step in plan_carried(np.array(lengths), settings, seed, 0):
        assert step.group not in closed and step.opens == (step.group not in open_)
        assert 1 <= step.width <= settings.segment
        if not step.opens:
            rows, place = open_[step.group]
            assert np.array_equal(rows, step.rows) and np.array_equal(place, step.first)
        open_[step.group] = step.rows, step.first + step.width
        if step.closes:
            closed.add(step.group)
            del open_[step.group]
        assert len(open_) <= settings.interleave
    assert not open_


@given(LENGTHS, SETTINGS, st.integers(1, 30), st.integers(0, 9))
def test_the_token_budget_is_kept_unless_one_row_alone_exceeds_it(
    lengths: list[int], settings: BatchSettings, window: int, seed: int
) -> None:
    """Cells that are read: of a window's piece the last event is a target only."""
    for step in plan_carried(np.array(lengths), settings, seed, 0):
        assert len(step.rows) == 1 or len(step.rows) * step.width <= settings.tokens
    for step in plan_windows(np.array(lengths), window, settings, seed, 0):
        assert step.width <= window + 1
        assert len(step.rows) == 1 or len(step.rows) * max(1, step.width - 1) <= settings.tokens


def test_a_batch_is_full_where_there_are_users_enough() -> None:
    steps = plan_carried(np.full(1000, 2 * GRAIN), BatchSettings(tokens=100 * GRAIN), 0, 0)
    assert [len(step.rows) for step in steps] == [50] * 20


@given(LENGTHS, st.integers(2, 15), st.integers(2, 40), st.integers(1, 30))
def test_history_keeps_the_last_events_and_their_first_is_context(
    lengths: list[int], history: int, segment: int, window: int
) -> None:
    histories, settings = numbered(lengths), BatchSettings(tokens=64, segment=segment, history=history)
    for plan, kept in (
        (plan_carried(np.array(lengths), settings, 0, 0), history),
        (plan_windows(np.array(lengths), window, settings, 0, 0), min(history, window + 1)),
    ):
        wanted: Counter[int] = Counter()
        for codes in histories:
            wanted.update(codes[-kept:].tolist() if len(codes) <= kept else codes[-kept + 1 :].tolist())
        assert targets_of(histories, plan) == wanted


def test_the_first_cell_is_a_target_only_where_something_stands_before_it() -> None:
    histories = numbered([3, 9])
    (step,) = plan_carried(np.array([3, 9]), BatchSettings(history=5), 0, 0)
    events, targets, _ = build(histories, step)
    rows = {int(row): place for place, row in enumerate(step.rows)}
    assert events.lengths[[rows[0], rows[1]]].tolist() == [3, 5]
    events, targets = events.span(0, 5), targets[:, :5]
    assert events.items[rows[0]].tolist() == [1, 2, 3, 0, 0] and targets[rows[0]].tolist() == [True] * 3 + [False] * 2
    assert events.items[rows[1]].tolist() == [8, 9, 10, 11, 12] and targets[rows[1]].tolist() == [False] + [True] * 4
    assert events.times is not None and events.times[rows[1]].tolist() == [80, 90, 100, 110, 120]


def test_later_segments_begin_with_a_target_and_ended_rows_are_empty() -> None:
    histories = numbered([6, 7, 3])
    steps = plan_carried(np.array([6, 7, 3]), BatchSettings(segment=4), 0, 0)
    (second,) = (step for step in steps if not step.opens)
    events, targets, _ = build(histories, second)
    assert sorted(events.lengths.tolist()) == [0, 2, 3]
    assert targets.sum(1).tolist() == events.lengths.tolist()


def same(one: list[Step], two: list[Step]) -> bool:
    return len(one) == len(two) and all(
        a.group == b.group
        and a.width == b.width
        and np.array_equal(a.rows, b.rows)
        and np.array_equal(a.first, b.first)
        for a, b in zip(one, two, strict=True)
    )


@pytest.mark.parametrize("kind", ["carried", "windows"])
def test_a_plan_is_a_function_of_seed_and_epoch(kind: str) -> None:
    lengths = np.random.default_rng(0).integers(0, 60, 200)
    settings = BatchSettings(tokens=300, segment=16)

    def plan(seed: int, epoch: int) -> list[Step]:
        if kind == "carried":
            return plan_carried(lengths, settings, seed, epoch)
        return plan_windows(lengths, 20, settings, seed, epoch)

    assert same(plan(3, 5), plan(3, 5))
    assert not same(plan(3, 5), plan(3, 6)) and not same(plan(3, 5), plan(4, 5))
    assert not same(plan(3, 5), plan(5, 3))


def test_company_changes_between_epochs_and_rows_of_a_batch_are_of_similar_length() -> None:
    lengths = np.random.default_rng(1).integers(1, 500, 400)
    settings = BatchSettings(tokens=4000)
    companies = []
    for epoch in (0, 1):
        steps = plan_carried(lengths, settings, 0, epoch)
        cells = sum(len(step.rows) * step.width for step in steps)
        assert lengths.sum() / cells > 0.7, "more than three cells in ten are padding"
        companies.append({frozenset(step.rows.tolist()) for step in steps})
    assert len(companies[0] & companies[1]) < len(companies[0]) / 2


def test_the_place_of_an_event_in_its_window_varies_between_epochs() -> None:
    lengths = np.array([100])
    places = set()
    for epoch in range(40):
        for step in plan_windows(lengths, 10, BatchSettings(tokens=1), 0, epoch):
            if step.first[0] < 50 < step.first[0] + step.width:
                places.add(50 - int(step.first[0]))
    assert len(places) >= 8


@pytest.mark.parametrize(("users", "longest"), [(40, 60), (4_000, 12), (20_000, 12), (3_000, 400)])
def test_an_open_budget_gives_an_epoch_some_hundreds_of_steps_also_of_short_histories(users: int, longest: int) -> None:
    lengths = np.random.default_rng(0).integers(2, longest, users)
    budget, settings = token_budget(lengths, BatchSettings()), BatchSettings()
    assert 512 <= budget <= 4096
    steps = len(plan_windows(lengths, 50, settings, 0, 0))
    assert steps <= 400 or budget == 4096
    assert steps >= 100 or budget == 512
