"""Training settings: strict names and ranges, nested ones too."""

from __future__ import annotations

import pytest

from recollect.config import ConfigError, decode, plain
from recollect.train.settings import TrainSettings


@pytest.mark.parametrize("values, message", [
    ({"epoch": 3}, r"train\.epoch: unknown setting; did you mean 'epochs'"),
    ({"batches": {"token": 3}}, r"train\.batches\.token: unknown setting; did you mean 'tokens'"),
    ({"epochs": 0}, r"train\.epochs"),
    ({"learning_rate": -1}, r"train\.learning_rate"),
    ({"precision": "16"}, r"train\.precision"),
    ({"batches": {"segment": 1}}, r"train\.batches\.segment"),
    ({"loss": {"kind": "hinge"}}, r"train\.loss\.kind"),
])  # fmt: skip
def test_wrong_settings_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        decode(TrainSettings, values, where="train")


def test_they_survive_a_round_trip() -> None:
    settings = TrainSettings(minutes=3.5, batches={"history": 200})  # type: ignore[arg-type]
    assert decode(TrainSettings, plain(settings), where="train") == settings


@pytest.mark.parametrize("given", [32, "32"])
def test_a_precision_of_32_may_be_a_number(given: object) -> None:
    assert decode(TrainSettings, {"precision": given}, where="train").precision == "32"
