"""Everything about a run as one value: what run.toml holds, what `--set` changes, what an artifact keeps.

The model's own fields are checked by the model's `Config`, so a misspelt key anywhere is an error with its nearest
right name, and the file that is written names every setting, the defaults too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from recollect.config import ConfigError, Settings, apply_sets, decode, did_you_mean, plain, read_toml
from recollect.data.filters import FilterConfig
from recollect.data.log import Ties
from recollect.data.roles import OnBad
from recollect.data.seen import Seen
from recollect.data.splits import SplitName, Target
from recollect.evaluate.protocol import RequestTime
from recollect.registry import model_class
from recollect.train.settings import TrainSettings

Checked = TypeVar("Checked")


class DataSettings(Settings):
    """Which log, and how it is read."""

    source: str = Field(min_length=1)
    """A file, glob, folder, or the name of a log (`simulated`, or a folder in the data folder)."""
    user: str | None = None
    """The column of users; unset: guessed from well-known names."""
    item: str | None = None
    """The column of items; unset: guessed."""
    time: str | None = None
    """The column of times; unset: guessed; none: the order of the rows."""
    data_dir: str | None = None
    """Where logs are looked up by name; unset: the folder that RECOLLECT_DATA names, else `data`."""
    separator: str | None = None
    """What stands between columns; unset: guessed."""
    on_bad: OnBad = "stop"
    """What a row that cannot be read does: stop with its place, or be left out and counted."""
    ties: Ties = "file"
    """What orders a user's events of one time: file order, the item id, or a seeded draw."""
    filters: FilterConfig = FilterConfig()
    """Which events are kept."""


class SplitSettings(Settings):
    """How the log is cut into training, validation and test."""

    protocol: SplitName = "loo"
    """loo: each user's last event is test, the one before validation; temporal: one clock for everybody."""
    validation: float = Field(0.8, gt=0, lt=1)
    """temporal: the share of events before the validation period."""
    test: float = Field(0.9, gt=0, lt=1)
    """temporal: the share of events before the test period."""
    target: Target = "last"
    """temporal: which of a user's events in a period are asked for: first, last or all."""


class EvaluateSettings(Settings):
    """How answers are ranked."""

    seen: Seen = "hidden"
    """Whether items of the user's own history can be answers; allowed is for data with repeats."""
    request_time: RequestTime = "unused"
    """Whether a model that can use the time of the asked event is told it."""


class RunSettings(Settings):
    """One run: [data], [split], [model], [train] and [evaluate] of run.toml."""

    data: DataSettings
    split: SplitSettings = SplitSettings()
    model: dict[str, Any]
    """`name` and the model's own fields (`recollect models NAME` lists them)."""
    train: TrainSettings = TrainSettings()
    evaluate: EvaluateSettings = EvaluateSettings()

    @property
    def model_name(self) -> str:
        return str(self.model["name"])

    @property
    def model_fields_given(self) -> dict[str, Any]:
        """The model's own fields, without its name."""
        return {key: value for key, value in self.model.items() if key != "name"}


def settings_from(values: Mapping[str, Any]) -> RunSettings:
    """Check plain values, the model's fields too, and fill in every default. Raises ConfigError."""
    sections = list(RunSettings.model_fields)
    for section, inside in values.items():
        if section not in sections:
            first = f".{next(iter(inside))}" if isinstance(inside, Mapping) and inside else ""
            raise ConfigError(f"{section}{first}: there is no section {section!r}{did_you_mean(section, sections)}")
        if not isinstance(inside, Mapping):
            raise ConfigError(f"{section}: a section of settings is expected, not {inside!r}")
    model = dict(values.get("model", {}))
    name = model.pop("name", None)
    if not isinstance(name, str) or not name:
        raise ConfigError("model.name: no model is named; recollect models lists them")
    config = decode(model_class(name).Config, model, where="model")
    return decode(RunSettings, {**values, "model": {"name": name, **plain(config)}}, where="")


def compose(
    file: Path | None,
    given: Mapping[str, Mapping[str, Any]],
    sets: Iterable[str] = (),
    *,
    name: str | None = None,
) -> RunSettings:
    """A run's settings from a file, options over it, and `--set` over both. `name`: the model."""

    def alone(values: Mapping[str, Any]) -> None:
        settings_from(over({"model": {"name": name or "popularity"}}, values))
        theirs = values.get("model", {}).get("name", name)
        if name is not None and theirs != name:
            raise ConfigError(f"its model is {theirs!r}, but {name!r} was asked for; leave one of them out")

    return layered(settings_from, file, {**given, "model": {"name": name}}, sets, alone=alone)


def layered(
    check: Callable[[Mapping[str, Any]], Checked],
    file: Path | None,
    given: Mapping[str, Mapping[str, Any]],
    sets: Iterable[str],
    *,
    alone: Callable[[Mapping[str, Any]], object],
) -> Checked:
    """Lay options over a settings file, and `--set` over both -> what `check` makes of it.

    `given`: section -> field -> value, as the command line names them; None means: not said. `alone` checks what the
    file says. Raises ConfigError, which says what it stems from: the file, `--set`, or that no data is named.
    """
    nowhere = {"data": {"source": "-"}}  # so that the rest is checked first: a wrong name is the more likely mistake
    values: dict[str, Any] = read_toml(file) if file is not None else {}
    if file is not None:
        try:
            alone(over(nowhere, values))
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
    for section, fields in given.items():
        said = {field: value for field, value in fields.items() if value is not None}
        values = over(values, {section: said} if said else {})
    sets = list(sets)
    values = apply_sets(values, sets)
    asked = given.get("model", {}).get("name")
    if asked is not None and values["model"]["name"] != asked:
        raise ConfigError(f"--set model.name: {asked!r} was asked for; leave one of them out")
    try:
        result = check(over(nowhere, values))
    except ConfigError as error:
        named = str(error).partition(":")[0]
        paths = [text.partition("=")[0].strip() for text in sets]
        if any(f"{path}.".startswith(f"{named}.") or f"{named}.".startswith(f"{path}.") for path in paths):
            raise ConfigError(f"--set {error}") from None
        raise
    if "source" not in values.get("data", {}):
        raise ConfigError("no data: give --data SOURCE (a file, glob, folder, or a name such as simulated)")
    return result


def settings_in(folder: Path) -> RunSettings:
    """The settings of a run's folder. Raises ConfigError."""
    try:
        return settings_from(read_toml(folder / "run.toml"))
    except ConfigError as error:
        raise ConfigError(f"{folder}: {error}") from None


def to_plain(settings: RunSettings) -> dict[str, Any]:
    """What run.toml holds."""
    return plain(settings)


def over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values laid over others."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = over(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result
