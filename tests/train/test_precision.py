"""Oracle: bf16 is taken where it is asked for, or where the machine has it and multiplies faster in it."""

import pytest
import torch

from recollect.train import precision
from recollect.train.precision import bf16_speed, precision_of, prepares_products
from recollect.train.settings import TrainSettings


@pytest.mark.parametrize(("asked", "taken"), [("32", "32-true"), ("bf16", "bf16-mixed")])
def test_what_is_asked_for_is_taken(asked: str, taken: str) -> None:
    settings = TrainSettings(precision=asked, accelerator="cpu")
    assert precision_of(settings) == taken
    assert prepares_products(settings) == (asked == "bf16")


@pytest.mark.parametrize(
    ("native", "speed", "taken"),
    [(False, 9.0, "32-true"), (True, 0.5, "32-true"), (True, 1.1, "32-true"), (True, 1.9, "bf16-mixed")],
)
def test_auto_wants_products_that_exist_and_are_faster(
    monkeypatch: pytest.MonkeyPatch, native: bool, speed: float, taken: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    monkeypatch.setattr(precision, "bf16_speed", lambda: speed)
    assert precision_of(TrainSettings(accelerator="cpu")) == taken


def test_the_speed_is_measured_once_and_is_a_ratio() -> None:
    assert 0.001 < bf16_speed() < 100
    assert bf16_speed() == bf16_speed()
