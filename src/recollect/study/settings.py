"""Everything about a run as one value: what run.toml holds, what `--set` changes, what an artifact keeps.

The model's own fields are checked by the model's `Config`, so a misspelt key anywhere is an error with its nearest
right name, and the file that is written names every setting, the defaults too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field

from recollect.artifact import SETTINGS, is_artifact, read_card, verify
from recollect.config import ConfigError, Settings, apply_sets, decode, did_you_mean, plain, read_toml
from recollect.data.filters import FilterConfig
from recollect.data.reading import Reading
from recollect.data.splits import Target
from recollect.evaluate.settings import EvaluateSettings
from recollect.registry import model_class
from recollect.train.settings import INIT_ITEMS, TrainSettings

Checked = TypeVar("Checked")

DATE_ORDER = "date order"
"""Of [data] in a card: whether day or month comes first in the dates of the run's log, where they left a choice."""


class DataSettings(Reading):
    """Which log, and how it is read."""

    source: str = Field(min_length=1)
    """A file, glob, folder, or the name of a log (`simulated`, or a folder in the data folder)."""
    data_dir: str | None = None
    """Where logs are looked up by name; unset: the folder that RECOLLECT_DATA names, else `data`."""
    filters: FilterConfig = FilterConfig()
    """Which events are kept."""


class SplitSettings(Settings):
    """How the log is cut into training, validation and test."""

    protocol: Literal["loo", "temporal", "none"] = "loo"
    """loo: each user's last event is test, the one before validation; temporal: one clock for everybody; none: every
    event trains, for a model that is used and not measured (`recollect refit`)."""
    events: int = Field(1, ge=1)
    """loo: so many last events of each user are test, and as many before them validation; more than one for a log of
    few users with long histories."""
    validation: float = Field(0.8, gt=0, lt=1)
    """temporal: the share of events before the validation period."""
    test: float = Field(0.9, gt=0, lt=1)
    """temporal: the share of events before the test period."""
    target: Target = "last"
    """temporal: which of a user's events in a period are targets: first, last or all."""
    refit_of: str | None = None
    """none: the run whose settings and number of epochs these are."""


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
    kind = model_class(name)
    train = values.get("train", {})
    if INIT_ITEMS in model and INIT_ITEMS not in kind.Config.model_fields:
        train = {**train, INIT_ITEMS: model.pop(INIT_ITEMS)}
    config = decode(kind.Config, model, where="model")
    return decode(RunSettings, {**values, "model": {"name": name, **plain(config)}, "train": train}, where="")


def compose(
    file: Path | None,
    given: Mapping[str, Mapping[str, Any]],
    sets: Iterable[str] = (),
    *,
    name: str | None = None,
    start_from: Path | None = None,
) -> RunSettings:
    """A run's settings from a file, options over it, and `--set` over both. `name`: the model.

    `start_from`: a run whose weights training starts from, and whose settings hold where no file is given.
    """
    base: dict[str, Any] = {}
    if start_from is not None:
        given = {**given, "train": {**given.get("train", {}), "start_from": str(start_from)}}
        base = restarted(start_from, name) if file is None else {}

    def alone(values: Mapping[str, Any]) -> None:
        settings_from(over({"model": {"name": name or "popularity"}}, values))
        theirs = values.get("model", {}).get("name", name)
        if name is not None and theirs != name:
            raise ConfigError(f"its model is {theirs!r}, but {name!r} was asked for; leave one of them out")

    return layered(settings_from, file, {**given, "model": {"name": name}}, sets, alone=alone, base=base)


def times_as_read(said: str | None, card: Mapping[str, Any]) -> str | None:
    """How times are written in a log that is read as a run's was: as `said`, else in the order of that log's dates.

    One row past the 12th of a month decides for a whole log; the file of one week may have none.
    """
    return said or card.get("data", {}).get(DATE_ORDER)


def restarted(folder: Path, name: str | None) -> dict[str, Any]:
    """The settings of a run as those of one that starts from it. Raises ConfigError where another model is named.

    A refitted run hands on no split: it held nothing out, and what starts from it is to be measured.
    """
    if is_artifact(folder):
        verify(folder)
    values = to_plain(settings_in(folder))
    if name not in (None, values["model"]["name"]):
        raise ConfigError(f"{folder}: a {values['model']['name']}, whose weights are no start for {name}")
    if is_artifact(folder):
        values["data"]["time_format"] = times_as_read(values["data"].get("time_format"), read_card(folder))
    if values["split"]["protocol"] == "none":
        del values["split"]
        values["train"].pop("stop_after", None)
    return values


def layered(
    check: Callable[[Mapping[str, Any]], Checked],
    file: Path | None,
    given: Mapping[str, Mapping[str, Any]],
    sets: Iterable[str],
    *,
    alone: Callable[[Mapping[str, Any]], object],
    base: Mapping[str, Any] | None = None,
) -> Checked:
    """Lay options over a settings file, and `--set` over both -> what `check` makes of it.

    `given`: section -> field -> value, as the command line names them; None means: not said. `alone` checks what
    the file says. `base`: what holds where there is no file. Raises ConfigError, which says what it stems from: the
    file, `--set`, or that no data is named.
    """
    nowhere = {"data": {"source": "-"}}  # so that the rest is checked first: a wrong name is the more likely mistake
    values: dict[str, Any] = read_toml(file) if file is not None else dict(base or {})
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
    """The settings of a run's folder. Raises ConfigError, also for a model that was kept without a log, and
    ArtifactError where a trained model has other settings than were written."""
    if is_artifact(folder):
        verify(folder, [SETTINGS])
    try:
        values = read_toml(folder / "run.toml")
        if "source" not in values.get("data", {}):
            raise ConfigError(
                "kept from Python without its log and split, so it is no run to go on from; make one by recollect train"
            )
        return settings_from(values)
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
