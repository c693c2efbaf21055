"""A small simulated log and settings that train on it in a second, for the tests of whole runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recollect.data.log import EventLog
from recollect.data.simulate.generator import SimulateConfig, simulate
from recollect.study.settings import RunSettings, settings_from

WORLD = SimulateConfig(users=40, items=30, topics=3, mean_events=12)


def small_log() -> EventLog:
    return simulate(WORLD).log


def small_settings(name: str = "xlstm-lsr", **train: Any) -> RunSettings:
    fields = {"width": 8, "blocks": 1, "recent": 4} if name == "xlstm-lsr" else {}
    return settings_from(
        {
            "data": {"source": "simulated"},
            "model": {"name": name, **fields},
            "train": {"epochs": 2, "batches": {"tokens": 128}, **train},
            "evaluate": {"seen": "allowed"},
        }
    )


def write_csv(log: EventLog, path: Path) -> Path:
    """The log as a file that anybody could have."""
    users, items = log.user_ids.decode(log.users), log.item_ids.decode(log.items)
    rows = [f"{user},{item},{time}" for user, item, time in zip(users, items, log.times.tolist(), strict=True)]
    path.write_text("\n".join(["user,item,time", *rows]) + "\n")
    return path
