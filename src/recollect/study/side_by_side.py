"""Several trained runs measured again, side by side: on targets or under a seen-filter that need not be their own.

Runs that differ in nothing but their seed are one row; others are told apart by their model or, where that is the
same, by their folder (that of all the seeds, where a row has several).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recollect.artifact import load
from recollect.config import ConfigError
from recollect.data.log import EventLog
from recollect.data.seen import Seen
from recollect.data.splits import SplitName
from recollect.evaluate.metrics import measure
from recollect.evaluate.protocol import History
from recollect.study.read_again import remarks_on_reading
from recollect.study.scoring import Part, data_of, note_scoring, remark_on_baskets, remark_on_data, score
from recollect.study.settings import RunSettings, settings_in
from recollect.study.tables import Measured, Table, tabulate


def side_by_side(
    folders: Sequence[Path],
    *,
    source: str | None = None,
    reading: Mapping[str, Any] | None = None,
    protocol: SplitName | None = None,
    seen: Seen | None = None,
    history: History | None = None,
    on: Part = "test",
    against: Path | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Table:
    """Rank the targets with each run in turn -> their table; a scoring of test is noted in the run's folder.

    `source`, `reading`, `protocol`, `seen` and `history` as in `data_of` and `score`, which say what is refused. `note`
    is told what a reader of the table should know. `against`: one of the folders, whose row the others are compared
    with; the best where None.
    """
    settings = {folder: settings_in(folder) for folder in dict.fromkeys(folders)}
    if against is not None and against not in settings:
        raise ConfigError(f"{against}: none of the runs that are compared; they are {', '.join(map(str, settings))}")
    names = _names(settings)
    logs: dict[str, EventLog] = {}
    done = []
    said: dict[str, None] = {}  # of runs asked alike, once
    for folder, own in settings.items():
        trained = load(folder)
        as_read = own.data.model_dump_json()
        if as_read not in logs:
            logs[as_read] = data_of(trained, source, reading)
            for remark in remarks_on_reading(trained, logs[as_read], source):
                note(remark)
        log = logs[as_read]
        for remark in remark_on_data(trained, log):
            note(remark)
        ledger = score(trained, log, protocol=protocol, seen=seen, history=history, on=on, run=names[folder])
        for remark in remark_on_baskets(log, ledger, on):
            said.setdefault(remark)
        done.append(Measured(ledger, trained.card, type(trained.model).seeded))
    for remark in said:
        note(remark)
    # Runs that cannot be compared are refused here: nobody has seen a figure of test then, so none is noted.
    table = tabulate(done, on, None, {}, None if against is None else names[against])
    if on == "test":
        for folder, one in zip(settings, done, strict=True):
            note_scoring(folder, one.ledger, measure(one.ledger))
    return table


def _names(settings: dict[Path, RunSettings]) -> dict[Path, str]:
    """What each run is called in the table."""
    alike: dict[str, list[Path]] = defaultdict(list)
    for folder, one in settings.items():
        alike[_but_for_the_seed(one)].append(folder)
    groups = []
    for folders in alike.values():
        seeds = [settings[folder].train.seed for folder in folders]
        # Trainings that start from the same weights share most of their luck: as seeds of one run they would hide it.
        apart = len(set(seeds)) < len(seeds) or settings[folders[0]].train.start_from is not None
        groups += [[folder] for folder in folders] if apart else [folders]
    places = [_place(group) for group in groups]
    choices = (
        [settings[group[0]].model_name for group in groups],
        [place.name for place in places],
        [str(place) for place in places],
        [str(group[0]) for group in groups],
    )
    chosen = next(names for names in choices if len(set(names)) == len(names))
    return {folder: name for group, name in zip(groups, chosen, strict=True) for folder in group}


def _place(group: Sequence[Path]) -> Path:
    """The folder of a run, or that which holds all the seeds of one."""
    parents = {folder.parent for folder in group}
    return parents.pop() if len(group) > 1 and len(parents) == 1 else group[0]


def _but_for_the_seed(settings: RunSettings) -> str:
    return settings.model_copy(update={"train": settings.train.model_copy(update={"seed": 0})}).model_dump_json()
