"""A run that would take days is told so after its first steps, once, with the settings that shorten it."""

from __future__ import annotations

import pytest

from recollect.train.forecast import LONG, STEPS, Forecast, spell

from .material import run, settings
from .test_fit import Notes


def told(each: float, left: int, items: int = 1_000_000, longest: int = 100, **changes: object) -> list[str]:
    forecast = Forecast(settings(**changes), items, 512, longest)
    said = [forecast.step(each, left, 5_000) for _ in range(3 * STEPS)]
    return [line for line in said if line]


def test_days_are_told_once_with_what_shortens_them() -> None:
    (line,) = told(10.0, 100_000, epochs=20)
    assert "about 12 days" in line  # 10 s x 100,000 steps
    assert "10 s a step, 5,000 steps an epoch, 20 epochs, 1,000,000 items" in line
    assert "train.loss.kind=sampled" in line and "train.batches.tokens=2048" in line and "train.epochs" in line


def test_hours_are_not_told() -> None:
    assert told(1.0, int(LONG)) == [] and len(told(1.0, int(LONG) + 1)) == 1


def test_what_would_not_help_is_not_advised() -> None:
    (few,) = told(10.0, 100_000, items=3_000)
    (sampled,) = told(10.0, 100_000, loss={"kind": "sampled"})
    assert "sampled" not in few and "train.loss" not in sampled
    assert "history" not in few and "train.batches.history" in told(10.0, 100_000, longest=20_000)[0]


def test_a_limit_of_time_is_believed() -> None:
    assert told(10.0, 100_000, minutes=600) == [] and len(told(10.0, 100_000, minutes=6000)) == 1


def test_the_first_steps_are_no_measure_of_the_others() -> None:
    forecast = Forecast(settings(), 1000, 512, 100)
    forecast.seen = [0.9, 0.9]  # compiling
    assert [forecast.step(0.01, 200_000, 100) for _ in range(STEPS)] == [None] * STEPS


def test_one_endless_step_is_enough() -> None:
    assert Forecast(settings(), 1000, 512, 100).step(3_000.0, 1_000, 100) is not None


@pytest.mark.parametrize("hours, text", [(30, "30 hours"), (100, "4 days"), (24 * 5000, "5,000 days")])
def test_it_is_spelt(hours: float, text: str) -> None:
    assert spell(hours * 3600) == text


def test_the_loop_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Notes()
    monkeypatch.setattr("recollect.train.forecast.LONG", 0.0)
    monkeypatch.setattr("recollect.train.forecast.STEPS", 3)
    run("gru4rec", report=report)
    assert sum("this run takes about" in text for text in report.texts) == 1
