"""The clock: off it is nothing, and on it tells gaps, moments and the last time apart from padding and from nobody."""

from __future__ import annotations

import pytest
import torch

from recollect.contracts import Events, State
from recollect.nn.clock import GAP, NEVER, Clock, TimeSettings

CPU = torch.device("cpu")
TIMES = [[100, 160, 160], [50]]


def made(**switches: bool) -> Clock:
    torch.manual_seed(0)
    clock = Clock(8, TimeSettings(**switches))
    with torch.no_grad():
        for parameter in clock.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return clock


def read(clock: Clock, events: Events, state: State | None = None) -> tuple[Events, State]:
    torch.manual_seed(1)
    begin = clock.fresh(events.users, CPU) if state is None else state
    events, after, _ = clock.read(torch.randn(*events.items.shape, 8), events, begin)
    return events, after


def test_off_it_is_nothing() -> None:
    clock = made()
    events = Events.of([[1, 2, 3], [4]], TIMES)
    same, after = read(clock, events)
    assert same is events and not after and not clock.used and not list(clock.parameters())
    hidden = torch.randn(2, 8)
    assert clock.respond(hidden, after, torch.tensor([5, 5])) is hidden


def test_gaps_are_counted_from_the_event_before_also_of_an_earlier_part() -> None:
    clock = made(gaps=True)
    events, after = read(clock, Events.of([[1, 2, 3], [4]], TIMES))
    assert events.features[GAP].tolist() == [[0, 60, 0], [0, 0, 0]]
    assert after["last"].tolist() == [160, 50]
    events, after = read(clock, Events.of([[1], []], [[1000], []]), after)
    assert events.features[GAP].tolist() == [[840], [0]]
    assert after["last"].tolist() == [1000, 50]


def test_somebody_without_events_has_no_last_time() -> None:
    clock = made(stream=True, request=True)
    _, after = read(clock, Events.of([[], [4]], [[], [50]]))
    assert after["last"].tolist() == [NEVER, 50]
    answer = clock.respond(torch.zeros(2, 8), after, torch.tensor([1_700_000_000, 1_700_000_000]))
    assert answer.isfinite().all()


def test_without_times_nothing_elapses() -> None:
    clock = made(gaps=True, stream=True)
    events, after = read(clock, Events.of([[1, 2, 3], [4]]))
    assert not events.features[GAP].any() and after["last"].tolist() == [0, 0]


@pytest.mark.parametrize("switch", ["stream", "request"])
def test_the_moment_of_asking_is_felt_if_it_is_told(switch: str) -> None:
    events = Events.of([[1, 2, 3], [4]], TIMES)
    for told in (True, False):
        clock = made(stream=switch == "stream", request=told)
        _, after = read(clock, events)
        answers = [clock.respond(torch.ones(2, 8), after, torch.tensor([at, at])) for at in (500, 90_000)]
        assert torch.equal(*answers) is not told


def test_an_hour_and_a_weekday_of_the_same_gap_differ() -> None:
    clock = made(request=True)
    noon, night, monday = 1_704_110_400, 1_704_153_600, 1_704_110_400 + 7 * 86_400
    memory = {"last": torch.tensor([noon - 60, night - 60, monday - 60])}
    answers = clock.respond(torch.ones(3, 8), memory, torch.tensor([noon, night, monday]))
    assert not torch.equal(answers[0], answers[1]) and torch.equal(answers[0], answers[2])
