"""What the files of papers do with their figures and settings: check the arithmetic, print a file of settings."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from recollect.config import to_toml
from recollect.evaluate.arithmetic import contradictions

Settings = Mapping[str, Mapping[str, Mapping[str, object]]]
"""model -> `model` and `train` -> setting -> value."""


Figures = Mapping[tuple[str, str], Mapping[str, float]]
"""(data set, method) -> metric -> figure."""


def main(rows: Figures, models: Settings, train: Mapping[str, object]) -> None:
    """What a paper's file does when it is run: check its figures, or print its settings if asked for `settings`."""
    if sys.argv[1:] == ["settings"]:
        print_settings(models, train, seen="allowed")
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
