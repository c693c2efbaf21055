"""How a source is read, as one value: which columns mean what, how a file is written, and what a row must be to count.

`recollect.read` takes these as keywords, the commands as options, run.toml as keys of [data]; all three mean the same.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from recollect.config import Settings
from recollect.data.log import Ties

OnBad = Literal["stop", "skip", "skip-files"]
"""What a row that cannot be read does: stop with its place, or be left out and counted. With `skip` a file of which no
row is left still stops; with `skip-files` it is left out as well."""

NO_TIME = "none"
"""Given as the time column, it says: use the order of the rows, even if there is a time."""

Candidates = Literal["log", "table"]
"""Which items there are: those of the events, or those of the item table as well."""


class Reading(Settings):
    """The options of reading. What is unset is decided by the source itself, and the decision is said."""

    user: str | None = None
    """The column of users, or several (`user_id,session_id`) that make the key together; unset: guessed by name."""
    item: str | None = None
    """The column of items, or several; unset: guessed by name."""
    time: str | None = None
    """The column of times, or several (`date,time`, `year,month,day`); unset: guessed; none: the order of the rows."""
    time_format: str | None = None
    """How times are written: `%d.%m.%Y %H:%M` (strftime), `day-first`, `month-first`, `year-first`, `dates`, `unix`,
    `unix-ms`, `unix-us`, `unix-ns`, `excel`; unset: decided by the column."""
    time_zone: str | None = None
    """In which zone times are that have no offset of their own (`Europe/Berlin`); unset: UTC."""
    values: tuple[str, ...] = ()
    """Further columns to keep."""
    where: str | None = None
    """Which rows are events, by their columns: `rating >= 4`, `event == 'buy' or price > 0`; unset: all."""
    kind: str | None = None
    """The column that says what kind of event each is (view, cart, buy)."""
    targets: tuple[str, ...] = ()
    """The kinds that are targets (`buy`); events of other kinds are context. Unset: all."""
    weights: dict[str, float] = Field(default_factory=dict)
    """How much a kind counts as a target of training, 0 for context only. Unset: 1 for `targets`, 0 for others."""
    items: str | None = None
    """A file that describes the items (titles, genres)."""
    users: str | None = None
    """A file that describes the users."""
    item_key: str | None = None
    """The column of the item file that holds the ids; unset: guessed by name."""
    item_title: str | None = None
    """The column of the item file that is shown as the title; unset: guessed by name."""
    user_key: str | None = None
    """The column of the user file that holds the ids; unset: guessed by name."""
    candidates: Candidates = "log"
    """Which items can be recommended: those with events, or those of the item table too."""
    format: str | None = None
    """The kind of file (`recollect data formats` lists them); unset: by its name and content."""
    encoding: str | None = None
    """The encoding of text (`cp1252`, `gbk`); unset: decided by the content."""
    separator: str | None = None
    """What stands between columns, control characters as `\\x01`; unset: decided by the first lines."""
    header: bool | None = None
    """Whether the first line names the columns; unset: decided by the first lines."""
    on_bad: OnBad = "stop"
    """What a row that cannot be read does: stop with its place, or be left out and counted (`skip`, or `skip-files`
    also where nothing is left of a file)."""
    ties: Ties = "file"
    """What orders events of one time: file order, each file from its last row up, item id, or a seeded draw."""
    keep_missing_words: bool = False
    """Take NA, NULL, None, nan, \\N and - as ids like any other instead of as nothing."""

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, value: str | None) -> str | None:
        from recollect.data.times.local import check_zone

        if value is not None:
            check_zone(value)
        return value

    @property
    def by_number(self) -> bool:
        """True if columns are named by their place (1, 2, ...), as for a file without a header line."""
        given = [
            name for role in (self.user, self.item, self.time) if role not in (None, NO_TIME) for name in _of(role)
        ]
        return bool(given) and all(name.isdigit() for name in given)

    @property
    def selection(self) -> str:
        """Which rows are events, and which of those are targets or weigh otherwise, in words; empty: all alike."""
        weights = ", ".join(f"{kind} {weight:g}" for kind, weight in self.weights.items())
        parts = [f"where {self.where}"] if self.where is not None else []
        parts += [f"targets {', '.join(self.targets)}"] if self.targets else []
        parts += [f"weights {weights}"] if weights else []
        return ", ".join(parts)

    def but(self, **changes: object) -> Reading:
        """The same options with some of them changed."""
        return self.model_copy(update=changes)


def _of(role: str | None) -> list[str]:
    return [] if role is None else [part.strip() for part in role.split(",")]
