"""What is in a log, in figures: the things that decide which protocol is honest and which model has a chance.

Ties and repeats are shown because results depend on them; what was dropped is shown because nothing goes silently.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from recollect.data import baskets
from recollect.data.log import Dropped, EventLog, moment


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """Counts, shares (0 to 1) and the span of a log. `ties`, duplicates and the span need a clock, else None."""

    name: str
    digest: str
    users: int
    items: int
    events: int
    length_min: int
    length_median: float
    length_mean: float
    length_p90: float
    length_max: int
    users_one_event: int
    users_from_200: int
    users_from_1000: int
    clock: bool
    tie_order: str
    ties: float | None
    """Share of events that share their time with another event of the same user."""
    tied_pairs: float | None
    """Share of neighbouring events of one user that have the same time."""
    repeats: float
    """Share of events whose item the same user had before."""
    duplicate_rows: int | None
    """Events that are the same in user, item and time as an earlier one."""
    last_together: float | None
    """Share of the users with two events or more whose last two have one time, as in a basket."""
    first: str | None
    last: str | None
    values: tuple[str, ...]
    item_columns: tuple[str, ...]
    user_columns: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    notes: tuple[str, ...]
    baskets: str = ""
    """What `last_together` means for a split, where it is common."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        flat = dataclasses.asdict(self)
        del flat["baskets"]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in flat.items()}

    def lines(self) -> list[str]:
        """The same for people, one fact a line."""
        rows = [
            ("log", f"{self.name} (digest {self.digest})"),
            ("users", f"{self.users:,}"),
            ("items", f"{self.items:,}"),
            ("events", f"{self.events:,}"),
            (
                "events a user",
                f"min {self.length_min:,}, median {self.length_median:,.4g}, mean {self.length_mean:,.1f}, "
                f"90 % at most {self.length_p90:,.0f}, max {self.length_max:,}",
            ),
            (
                "users by length",
                f"{self.users_one_event:,} with one event, {self.users_from_200:,} with 200 or more, "
                f"{self.users_from_1000:,} with 1,000 or more",
            ),
        ]
        if self.clock:
            rows += [
                ("time", f"{self.first} to {self.last} (UTC)"),
                (
                    "ties",
                    f"{_percent(self.ties)} of events share their second with another of the same user, "
                    f"{_percent(self.tied_pairs)} of neighbours; broken by {_TIE_WORDS[self.tie_order]}",
                ),
                *([("baskets", self.baskets)] if self.baskets else []),
                ("duplicates", kept_duplicates(self.duplicate_rows or 0)),
            ]
        else:
            rows.append(("time", "none: this log has only an order"))
        rows.append(("repeats", f"{_percent(self.repeats)} of events are of an item the user had before"))
        for label, names in (
            ("kept values", self.values),
            ("item columns", self.item_columns),
            ("user columns", self.user_columns),
        ):
            if names:
                rows.append((label, ", ".join(names)))
        for entry in self.dropped:
            rows.append(
                ("dropped", f"{entry.events:,} x {entry.reason}" + (f" ({entry.detail})" if entry.detail else ""))
            )
        if not self.dropped:
            rows.append(("dropped", "nothing"))
        rows += [("note", note) for note in self.notes]
        width = max(len(label) for label, _ in rows)
        return [f"{label:<{width}}  {text}" for label, text in rows]


_TIE_WORDS = {
    "file": "file order",
    "file-reversed": "file order, each file from its last row up",
    "id": "item id",
    "random": "a seeded draw",
}


def summarise(log: EventLog) -> Summary:
    """Count a log. It must hold at least one event, as every log that was read does."""
    lengths = np.diff(log.offsets)
    neighbours = log.users[1:] == log.users[:-1]
    same = neighbours & (log.times[1:] == log.times[:-1])
    tied = np.zeros(len(log), bool)
    tied[1:] |= same
    tied[:-1] |= same
    return Summary(
        name=log.name,
        digest=log.digest,
        users=len(log.user_ids),
        items=len(log.item_ids),
        events=len(log),
        length_min=int(lengths.min()),
        length_median=float(np.median(lengths)),
        length_mean=float(lengths.mean()),
        length_p90=float(np.quantile(lengths, 0.9)),
        length_max=int(lengths.max()),
        users_one_event=int((lengths == 1).sum()),
        users_from_200=int((lengths >= 200).sum()),
        users_from_1000=int((lengths >= 1000).sum()),
        clock=log.clock,
        tie_order=log.ties,
        ties=float(tied.mean()) if log.clock else None,
        tied_pairs=float(same.sum() / max(int(neighbours.sum()), 1)) if log.clock else None,
        repeats=1.0 - _distinct(log.users, log.items) / len(log),
        duplicate_rows=duplicate_rows(log) if log.clock else None,
        last_together=baskets.last_together(log)[0] if log.clock else None,
        first=moment(log.times.min()) if log.clock else None,
        last=moment(log.times.max()) if log.clock else None,
        values=tuple(log.values),
        item_columns=() if log.item_table is None else tuple(log.item_table.columns),
        user_columns=() if log.user_table is None else tuple(log.user_table.columns),
        dropped=log.dropped,
        notes=log.notes,
        baskets=baskets.in_words(log),
    )


def kept_duplicates(rows: int) -> str:
    """What `inspect` and the summary of a training say of them."""
    return f"{rows:,} rows repeat an earlier one (user, item and time); kept"


def duplicate_rows(log: EventLog) -> int:
    """How many events have user, item and time of an earlier one. Only those that share a moment are compared."""
    same = (log.users[1:] == log.users[:-1]) & (log.times[1:] == log.times[:-1])
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    return len(tied) - _distinct(log.users[tied], log.items[tied], log.times[tied]) if len(tied) else 0


def _distinct(*columns: np.ndarray) -> int:
    """How many different rows there are."""
    order = np.lexsort(columns)
    new = np.zeros(len(order), bool)
    new[0] = True
    for column in columns:
        ranked = column[order]
        new[1:] |= ranked[1:] != ranked[:-1]
    return int(new.sum())


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
