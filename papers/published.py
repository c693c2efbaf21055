"""What the files of papers do with their figures and settings: check the arithmetic, print a file of settings."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from recollect.config import decode, plain, to_toml
from recollect.evaluate.arithmetic import contradictions
from recollect.registry import model_class
from recollect.train.older import differences
from recollect.train.settings import TrainSettings

Settings = Mapping[str, Mapping[str, Mapping[str, object]]]
"""model -> `model` and `train` -> setting -> value."""


Figures = Mapping[tuple[str, str], Mapping[str, float]]
"""(data set, method) -> metric -> figure."""


def main(rows: Figures, models: Settings, train: Mapping[str, object], preset: str | None = None) -> None:
    """What a paper's file does when it is run: check its figures, or print its settings if asked for `settings`.

    `preset`: its own model, of which `preset` prints the settings alone, and `difference` where they are not ours.
    """
    if sys.argv[1:] == ["settings"]:
        print_settings(models, train, seen="allowed")
    elif preset is not None and sys.argv[1:] == ["preset"]:
        print_preset(preset, models[preset]["model"], train, seen="allowed")
    elif preset is not None and sys.argv[1:] == ["difference"]:
        print_difference(preset, models[preset]["model"], train)
    else:
        print_check(rows)


def print_check(rows: Figures) -> None:
    """Each row with what makes it impossible, and how many are."""
    impossible = 0
    for (data, method), row in rows.items():
        print(f"{data:16} {method:12} " + "  ".join(f"{metric} {value:.4f}" for metric, value in row.items()))
        found = contradictions(row)
        impossible += bool(found)
        for line in found:
            print(f"{'':30}impossible: {line}")
    print(f"\n{impossible} of {len(rows)} columns cannot come from one ranking with one relevant item a target.")


def print_settings(models: Settings, train: Mapping[str, object], *, seen: str) -> None:
    """A file for `recollect compare --config`."""
    own = {name: dict(settings) for name, settings in models.items() if settings}
    print(f"# recollect compare --config THIS --models {','.join(models)} --data SOURCE --out DIR")
    print(to_toml({"train": dict(train), "evaluate": {"seen": seen}, "models": own}))


def print_preset(name: str, model: Mapping[str, object], train: Mapping[str, object], *, seen: str) -> None:
    """A file for `recollect train --config`."""
    print(f"# recollect train {name} --config THIS --data SOURCE --out DIR")
    print(to_toml({"model": {"name": name, **model}, "train": dict(train), "evaluate": {"seen": seen}}))


def print_difference(name: str, model: Mapping[str, object], train: Mapping[str, object]) -> None:
    """Every setting in which a paper's model and its training differ from the defaults, one a line."""
    kind = model_class(name).Config
    print(f"{'setting':32} {'paper':12} default")
    for section, ours, theirs in (
        ("model", kind(), decode(kind, model, where="model")),
        ("train", TrainSettings(), decode(TrainSettings, train, where="train")),
    ):
        for path, default, paper in differences(plain(ours), plain(theirs)):
            print(f"{section + '.' + path:32} {paper!s:12} {default}")
