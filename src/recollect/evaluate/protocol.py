"""How a figure was measured, as a value that prints itself: two figures compare only where these lines agree.

Each switch here has been seen to move a score by more than models differ (docs/guide, the traps of measuring).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from recollect.data.seen import Seen

RequestTime = Literal["used", "unused"]
History = int | Literal["whole"]
"""How many of the last events before a target a model may know of."""

CHOSEN = ("seeds", "history", "started_from")
"""Where the protocols of models that are compared may differ; the line says it of each."""

FRESH = "fresh weights"


def beginning(settings: Mapping[str, Any]) -> str:
    """`Protocol.started_from` of a run with these settings, as run.toml holds them."""
    folder = settings.get("train", {}).get("start_from")
    return "" if folder is None else "/".join(Path(folder).parts[-2:])


@dataclasses.dataclass(frozen=True, slots=True)
class Protocol:
    """The switches of one measurement. `users`, `targets` and `seeds` are counted from the ledger's rows."""

    data: str
    """Name of the log."""
    digest: str
    """Twelve hex digits of the log's content and order."""
    split: str
    """How the log was cut and which part is ranked: `loo, test`."""
    ties: str
    """What orders a user's events of one time: file, file-reversed (each from its last row up), id, random."""
    seen: Seen
    """Whether items of the user's own history can be answers."""
    request_time: RequestTime
    """Whether the model looked at the time of the target event."""
    candidates: str = "all"
    """`all N items`, or how many were drawn and how."""
    history: str = "whole"
    """`whole`, or `last L`: how much of a user's past the model was told, or can hold."""
    users: int = 0
    targets: int = 0
    seeds: tuple[int, ...] = ()
    selection: str = ""
    """Which events of the source the log holds, in words; empty: all of them. The digest tells two such logs apart."""
    started_from: str = ""
    """The run whose weights training began with, by the end of its path (`runs/first`); empty: fresh weights."""

    @property
    def questions(self) -> int:
        """The name of `targets` before; goes with version 0.2."""
        return self.targets

    def line(self) -> str:
        """The one line that is printed with every figure."""
        seeds = ", ".join(map(str, self.seeds)) or "none"
        return " | ".join(
            (
                f"{self.data} [{', '.join(part for part in (self.digest, self.selection) if part)}]",
                f"split {self.split or 'not stated'}",
                f"ties {self.ties}",
                f"seen {self.seen}",
                f"request time {self.request_time}",
                f"candidates {self.candidates}",
                f"history {self.history}",
                f"{self.users:,} users" + (f", {self.targets:,} targets" if self.targets != self.users else ""),
                f"seed{'' if len(self.seeds) == 1 else 's'} {seeds}",
                *([f"started from {self.started_from}"] if self.started_from else []),
            )
        )

    __str__ = line

    def differences(self, other: Protocol, *, ignore: tuple[str, ...] = CHOSEN) -> list[str]:
        """What keeps figures of the two from being compared, in words; by default not what a model may choose."""
        said_by_digest = "selection"
        names = [one.name for one in dataclasses.fields(self) if one.name not in (*ignore, said_by_digest)]
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in names)
        return [f"{name}: {mine!r} and {theirs!r}" for name, mine, theirs in pairs if mine != theirs]

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Protocol:
        """The reverse of `dataclasses.asdict` after a trip through JSON, which has no tuples."""
        given = {"targets" if name == "questions" else name: value for name, value in values.items()}  # before 0.2
        return cls(**{**given, "seeds": tuple(given["seeds"])})
