"""What training gives back: the model with the names of its items, which recommends, scores and keeps itself."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recollect import artifact
from recollect.answers.answering import Answering
from recollect.contracts import Network, Recommender
from recollect.data.histories import Split
from recollect.data.id_forms import FRACTIONS, have_fractions
from recollect.data.log import EventLog, Table, Vocabulary
from recollect.data.seen import Seen
from recollect.display import Display, Displayed
from recollect.train.learnt import learnt_by
from recollect.train.memory import human_bytes


@dataclasses.dataclass(frozen=True, repr=False)
class Trained(Answering, Displayed):
    """What `fit` gives back: the model in evaluation mode, and how it went."""

    name: str
    model: Recommender
    seconds: float
    peak_bytes: int
    history: list[dict[str, Any]]
    """One row an epoch: loss, targets, seconds, validation figures. Empty for counting models."""
    best_epoch: int
    """The epoch whose weights the model has; 0 where none was validated, and they are the last ones."""
    interrupted: bool = False
    """True where Ctrl-C ended training before its time."""
    split: Split = dataclasses.field(repr=False, kw_only=True)
    """What it was trained on; requests that name no log are answered from the histories of its log."""
    seen: Seen = dataclasses.field(default="hidden", kw_only=True)
    """How validation treated items that a user had, and lists treat them where a request leaves it open."""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False, kw_only=True)
    """Plain values of [model], [train] and [evaluate], as run.toml holds them."""

    @property
    def log(self) -> EventLog:
        return self.split.log

    @property
    def items(self) -> Vocabulary:
        return self.log.item_ids

    @functools.cached_property
    def titles(self) -> np.ndarray:
        """[vocabulary size] object: a name to show for every item code."""
        return self.log.titles()

    @property
    def item_table(self) -> Table | None:
        return self.log.item_table

    @property
    def request_time(self) -> bool:
        """Whether validation told the model the time of each request, if it uses that."""
        return bool(self.settings.get("evaluate", {}).get("request_time") == "used")

    @property
    def clock(self) -> bool:
        return self.log.clock

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Keep the model in a folder, for `load`, `recollect recommend` and `recollect serve`.

        Raises ArtifactError where something is there already or it cannot be written. The folder names no log, but how
        it was read: the commands are given one with --data, which is read alike.
        """
        about = {
            "model": self.name,
            "data": described(self.log),
            "best epoch": self.best_epoch,
            "seconds": round(self.seconds, 3),
            "history": self.history,
        }
        return artifact.save(
            folder,
            self.model,
            self.items,
            {**self.settings, **({"data": dict(self.log.reading)} if self.log.reading else {})},
            titles=self.titles if self.item_table is not None and "title" in self.item_table else None,
            item_table=self.item_table,
            record=learnt_by(self.split, self.settings.get("train", {}).get("start_from")),
            about=about,
            overwrite=overwrite,
        )

    def _display(self) -> Display:
        learnt = sum(one.numel() for one in self.model.parameters()) if isinstance(self.model, Network) else 0
        facts = [
            ("model", self.name),
            *([("parameters", f"{learnt:,}")] if learnt else []),
            ("seconds", f"{self.seconds:,.1f}"),
            ("peak memory", human_bytes(self.peak_bytes)),
            *([("epochs", f"{len(self.history)}, the best {self.best_epoch}")] if self.history else []),
            *([("interrupted", "before its time")] if self.interrupted else []),
        ]
        return Display("Trained", facts)


def described(log: EventLog) -> dict[str, Any]:
    """For a card: which log it was, and whether there are fractions among the ids of its users."""
    return {"name": log.name, "digest": log.digest, "clock": log.clock, FRACTIONS: have_fractions(log.user_ids)}
