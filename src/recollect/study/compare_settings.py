"""What a comparison is made with, as one value: what all models share, and what one of them has of its own.

As a file: `[data]`, `[split]`, `[train]` and `[evaluate]` for all, `[models.<name>.model]` and `[models.<name>.train]`
for one. Each run then has settings as of `recollect train`.

A name is that of a model, or any other for a **variant** of the model that `[models.<name>.model] name` says: what the
file has of that model holds for its variants too, and what it has of a variant is laid over it. So one model can be
compared with itself under other settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from recollect.config import ConfigError, Settings, decode, plain
from recollect.evaluate.settings import EvaluateSettings
from recollect.registry import model_class
from recollect.registry import names as registered
from recollect.study.settings import (
    DataSettings,
    RunSettings,
    SplitSettings,
    layered,
    over,
    settings_from,
)
from recollect.train.settings import TrainSettings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,99}")


class OwnSettings(Settings):
    """[models.<name>]: what one model has of its own."""

    model: dict[str, Any] = Field(default_factory=dict)
    """Fields of the model (`recollect models NAME` lists them); `name` says of which, where it is a variant."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Fields of [train], laid over those that all models share."""


class CompareSettings(Settings):
    """Everything about a comparison but which models, how many seeds, and where."""

    data: DataSettings
    split: SplitSettings = SplitSettings()
    train: TrainSettings = TrainSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    models: dict[str, OwnSettings] = Field(default_factory=dict)
    """Name of a model or of a variant -> what it has of its own."""

    def model_of(self, name: str) -> str:
        """The model that a name stands for: the one of that name, or the one it is a variant of."""
        return str(self.models[name].model.get("name", name)) if name in self.models else name

    def run_of(self, name: str, seed: int) -> RunSettings:
        """The settings of one run of a model or of a variant."""
        shared = {part: plain(getattr(self, part)) for part in ("data", "split", "evaluate")}
        model, train = {"name": self.model_of(name)}, plain(self.train)
        for own in (self.models[one] for one in dict.fromkeys((self.model_of(name), name)) if one in self.models):
            model, train = over(model, own.model), over(train, own.train)
        return settings_from({**shared, "model": model, "train": over(train, {"seed": seed})})


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
    own = decode(OwnSettings, values, where=where)
    model = str(own.model.get("name", name))
    if model != name and name in registered():
        raise ConfigError(f"{where}.model.name: {name} is a model itself; a variant of {model} needs a name of its own")
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{where}: a variant is named in letters, digits, _, + and -, beginning with a letter or a digit, as its "
            "folder is named so too"
        )
    try:
        kind = model_class(model)
    except ConfigError as error:
        of = ".model.name" if "name" in own.model else ""
        hint = "" if of else f", or say of which model this is a variant: models.{name}.model.name"
        raise ConfigError(f"{where}{of}: {error}{hint}") from None
    fields = {field: value for field, value in own.model.items() if field != "name"}
    decode(kind.Config, fields, where=f"{where}.model")
    decode(TrainSettings, over(plain(settings.train), own.train), where=f"{where}.train")
    if "seed" in own.train:
        raise ConfigError(f"{where}.train.seed: all models are trained with the same seeds, counted from train.seed")
    return own


def compose_comparison(
    file: Path | None, given: Mapping[str, Mapping[str, Any]], sets: Iterable[str] = ()
) -> CompareSettings:
    """A comparison's settings from a file, options over it, and `--set` over both."""
    return layered(comparison_from, file, given, sets, alone=comparison_from)
