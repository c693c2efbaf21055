"""Which runs a comparison is made of, what there is of them already, and whether that is what is asked for now.

A run is its folder, `<out>/<name>/seed-<n>`; nothing else is kept of what has been done, so there is nothing that
could disagree with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recollect.artifact import SETTINGS, is_artifact, read_card
from recollect.config import ConfigError, decode, plain, read_toml
from recollect.contracts import Network
from recollect.data.log import EventLog
from recollect.evaluate.settings import EvaluateSettings
from recollect.registry import model_class
from recollect.study.compare_settings import CompareSettings
from recollect.study.run import VALIDATION, placed
from recollect.study.scoring import TEST, Part
from recollect.study.settings import RunSettings, SplitSettings, settings_in, to_plain
from recollect.train.checkpoint import identity_of
from recollect.train.fit import CHECKPOINT

SHOWN = 3
"""How many settings that differ are named."""


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """One run: a model or a variant of one and a seed, and the folder it has or will have."""

    name: str
    """What it is called in the comparison: the model's name, or that of the variant."""
    settings: RunSettings
    folder: Path
    seeded: bool
    """False for a model that draws no random numbers, which is run once."""

    @property
    def seed(self) -> int:
        return self.settings.train.seed

    @property
    def label(self) -> str:
        return f"{self.name}, seed {self.seed}"

    @property
    def output(self) -> Path:
        """What is printed by a run that shares the terminal with others.

        It lies beside the folder, which has to be empty when a run begins and is replaced when it ends.
        """
        return self.folder.with_name(f"{self.folder.name}.log")

    def ledger(self, on: Part) -> Path:
        return self.folder / (TEST if on == "test" else VALIDATION)

    def done(self, on: Part) -> bool:
        """It has its weights and the ranks that are asked for."""
        return is_artifact(self.folder) and self.ledger(on).is_file()


def loadable(settings: CompareSettings, names: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Those whose model's code can be loaded here, and why the others cannot. Raises ConfigError for an unknown
    name."""
    found, lost = list[str](), dict[str, str]()
    for name in names:
        try:
            model_class(settings.model_of(name))
            found.append(name)
        except ImportError as error:
            lost[name] = " ".join(str(error).split())
    return found, lost


def plan(settings: CompareSettings, names: Sequence[str], seeds: int, out: Path) -> list[Job]:
    """Every model and variant with every seed, one seed after the other, so that all have a figure early.

    A model that draws no random numbers (`seeded` is False) comes once. Raises ConfigError for an unknown model.
    """
    first = settings.train.seed
    seeded = {name: model_class(settings.model_of(name)).seeded for name in names}
    return [
        Job(name, placed(settings.run_of(name, seed)), out / name / f"seed-{seed}", seeded[name])
        for seed in range(first, first + seeds)
        for name in names
        if seeded[name] or seed == first
    ]


def refuse_others(jobs: Sequence[Job], log: EventLog) -> None:
    """Raise ConfigError where a folder holds a run of another log or with other settings than its job.

    So it is where beside them lie runs of other models, on another log or asked otherwise (split, [evaluate]).
    """
    for job in jobs:
        if not (job.folder / SETTINGS).is_file():
            continue
        digest = _digest_of(job.folder)
        there, wanted = _used(settings_in(job.folder)), _used(job.settings)
        if digest is not None:  # then it names the log, wherever that lies now
            there.pop("data")
            wanted.pop("data")
            if digest != log.digest:
                raise ConfigError(f"{job.folder}: made on a log of digest {digest}, not {log.digest}; {_ANOTHER_PLACE}")
        if different := list(_differences(there, wanted)):
            more = f" and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
            raise ConfigError(
                f"{job.folder}: made with other settings: {'; '.join(different[:SHOWN])}{more}; {_ANOTHER_PLACE}"
            )
    ours = {job.folder for job in jobs}
    for out in {job.folder.parent.parent for job in jobs}:
        for folder in sorted(path.parent for path in out.glob(f"*/seed-*/{SETTINGS}")):
            if folder not in ours:
                _refuse_another_comparison(folder, jobs[0].settings, log)


def _used(settings: RunSettings) -> dict[str, Any]:
    """The settings as plain values, without those of training that are about weights where the model has none."""
    values = to_plain(settings)
    if not issubclass(model_class(settings.model_name), Network):
        values["train"] = {"seed": values["train"]["seed"]}
    return values


def _refuse_another_comparison(folder: Path, wanted: RunSettings, log: EventLog) -> None:
    digest = _digest_of(folder)
    if digest not in (None, log.digest):
        raise ConfigError(f"{folder}: made on a log of digest {digest}, not {log.digest}; {_ANOTHER_PLACE}")
    try:
        values = read_toml(folder / SETTINGS)
        there = {
            "split": plain(decode(SplitSettings, values.get("split", {}), where="split")),
            "evaluate": plain(decode(EvaluateSettings, values.get("evaluate", {}), where="evaluate")),
        }
    except ConfigError as error:
        raise ConfigError(f"{folder}: {error}; {_ANOTHER_PLACE}") from None
    if different := list(_differences(there, {part: plain(getattr(wanted, part)) for part in there})):
        raise ConfigError(f"{folder}: a run of another comparison: {'; '.join(different)}; {_ANOTHER_PLACE}")


_ANOTHER_PLACE = "choose another --out, or remove that folder if it may go"


def _digest_of(folder: Path) -> str | None:
    """The digest of the log that a run was made on; None where it has not begun to train."""
    if is_artifact(folder):
        return str(read_card(folder)["data"]["digest"])
    found = identity_of(folder / CHECKPOINT).get("data")
    return None if found is None else str(found)


def _differences(there: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key in sorted({*there, *now}):
        old, new = there.get(key, "unset"), now.get(key, "unset")
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(old, new, f"{path}{key}.")
        elif old != new:
            yield f"{path}{key} is {old} there, {new} now"
