"""What a comparison is made with, as one value: what all models share, and what one of them has of its own.

As a file: `[data]`, `[split]`, `[train]` and `[evaluate]` for all, `[models.<name>.model]` and `[models.<name>.train]`
for one. Each run then has settings as of `recollect train`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from recollect.config import ConfigError, Settings, decode, plain
from recollect.registry import model_class
from recollect.study.settings import (
    DataSettings,
    EvaluateSettings,
    RunSettings,
    SplitSettings,
    layered,
    over,
    settings_from,
)
from recollect.train.settings import TrainSettings


class OwnSettings(Settings):
    """[models.<name>]: what one model has of its own."""

    model: dict[str, Any] = Field(default_factory=dict)
    """Fields of the model (`recollect models NAME` lists them)."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Fields of [train], laid over those that all models share."""


class CompareSettings(Settings):
    """Everything about a comparison but which models, how many seeds, and where."""

    data: DataSettings
    split: SplitSettings = SplitSettings()
    train: TrainSettings = TrainSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    models: dict[str, OwnSettings] = Field(default_factory=dict)
    """Model name -> what it has of its own."""

    def run_of(self, name: str, seed: int) -> RunSettings:
        """The settings of one run."""
        own = self.models.get(name, OwnSettings())
        shared = {part: plain(getattr(self, part)) for part in ("data", "split", "evaluate")}
        train = over(over(plain(self.train), own.train), {"seed": seed})
        return settings_from({**shared, "model": {**own.model, "name": name}, "train": train})


def comparison_from(values: Mapping[str, Any]) -> CompareSettings:
    """Check plain values, those of each model against the model itself. Raises ConfigError."""
    if "model" in values:
        raise ConfigError("model: what belongs to one model stands under its name, as models.NAME.model.width")
    settings = decode(CompareSettings, {**values, "models": {}}, where="")
    if settings.split.protocol == "none":
        raise ConfigError("split.protocol=none holds nothing out, so there is nothing to compare; take loo or temporal")
    theirs = values.get("models", {})
    if not isinstance(theirs, Mapping):
        raise ConfigError(f"models: a section of settings is expected, not {theirs!r}")
    return settings.model_copy(update={"models": {name: _own(settings, name, theirs[name]) for name in theirs}})


def _own(settings: CompareSettings, name: str, values: Any) -> OwnSettings:
    """What one model has of its own, checked as it will be used."""
    where = f"models.{name}"
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: a section of settings is expected, not {values!r}")
    try:
        kind = model_class(name)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    own = decode(OwnSettings, values, where=where)
    decode(kind.Config, own.model, where=f"{where}.model")
    decode(TrainSettings, over(plain(settings.train), own.train), where=f"{where}.train")
    if "seed" in own.train:
        raise ConfigError(f"{where}.train.seed: all models are trained with the same seeds, counted from train.seed")
    return own


def compose_comparison(
    file: Path | None, given: Mapping[str, Mapping[str, Any]], sets: Iterable[str] = ()
) -> CompareSettings:
    """A comparison's settings from a file, options over it, and `--set` over both."""
    return layered(comparison_from, file, given, sets, alone=comparison_from)
