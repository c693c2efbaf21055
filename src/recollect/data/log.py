"""The event log: immutable columns of integer codes, with the caller's own ids beside them.

Order is part of the data: events are sorted by (user, time), and equal times keep the order of the file. Codes are
given in the order of the sorted ids, so the same events give the same codes whatever file they came from.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np

from recollect.config import ConfigError, digest
from recollect.display import Display, Displayed, some_of

Ties = Literal["file", "file-reversed", "id", "random"]
"""What orders a user's events of one time: the rows as they stand, those of each file from the last one up (an export
that has the newest first), the smaller item id, or a seeded draw."""


SIGNS = (",", "|", "/", ";", ":", "\x1f")
"""What may stand between the parts of a key of several columns: the first that no part holds."""


class DataError(ValueError):
    """Input cannot be used. The message says what is wrong, where (file, line), and what to do."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """The ids of one side: code `first + k` belongs to `ids[k]`.

    Ids are sorted, and all int64 or all str (dtype object).
    """

    ids: np.ndarray
    first: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", _unwritable(self.ids))
        object.__setattr__(self, "_codes", None)

    def __repr__(self) -> str:
        kind = "text" if self.ids.dtype == object else "integers"
        return f"Vocabulary({len(self):,} ids, {kind}, codes from {self.first}: {some_of(self.ids, len(self))})"

    def __len__(self) -> int:
        """How many ids there are (padding is none of them)."""
        return len(self.ids)

    @property
    def size(self) -> int:
        """One more than the largest code: how long a table indexed by code must be."""
        return self.first + len(self.ids)

    def find(self, wanted: Any) -> int | None:
        """The code of one id, or None. Text is accepted for integer ids ('42'), as a command line gives it.

        A key of several columns may be a tuple of its parts.
        """
        lookup = self._lookup()
        if isinstance(wanted, tuple):
            keys = (sign.join(map(str, wanted)) for sign in SIGNS)
            return next((lookup[key] for key in keys if key in lookup), None)
        if wanted in lookup:
            return lookup[wanted]
        if self.ids.dtype != object and isinstance(wanted, str):
            try:
                number = int(wanted)
            except ValueError:
                return None
            return lookup.get(number) if str(number) == wanted else None  # '042' is another id
        return lookup.get(str(wanted))

    def encode(self, wanted: Iterable[Any], unknown: int) -> np.ndarray:
        """Codes of many ids, int64; `unknown` where an id is not known."""
        return np.array([unknown if (c := self.find(w)) is None else c for w in wanted], dtype=np.int64)

    def decode(self, codes: Any) -> np.ndarray:
        """The caller's ids of an array of codes."""
        return self.ids[np.asarray(codes) - self.first]

    def _lookup(self) -> dict[Any, int]:
        if self._codes is None:  # type: ignore[attr-defined]
            table = {key: self.first + k for k, key in enumerate(self.ids.tolist())}
            object.__setattr__(self, "_codes", table)
        return self._codes  # type: ignore[attr-defined]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Side data of one vocabulary: columns aligned with `Vocabulary.ids` (row k describes id k).

    Text columns have dtype object with None where missing; number columns are float64 with nan where missing.
    """

    columns: Mapping[str, np.ndarray]

    def __repr__(self) -> str:
        rows = len(next(iter(self.columns.values()))) if self.columns else 0
        return f"Table({rows:,} rows: {', '.join(self.columns)})"

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]


@dataclasses.dataclass(frozen=True, slots=True)
class Dropped:
    """Events that were left out on the way in, and why: one entry a reason, in the order it happened."""

    reason: str
    events: int
    detail: str = ""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EventLog(Displayed):
    """Columns of one length, grouped by user code and in time order inside a user.

    users int32, items int32 (from 1; 0 is padding), times int64 in seconds; `values`: further columns by name.
    `clock` is False where the source had only an order, and `times` are then positions.
    """

    users: np.ndarray
    items: np.ndarray
    times: np.ndarray
    user_ids: Vocabulary
    item_ids: Vocabulary
    values: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    user_table: Table | None = None
    item_table: Table | None = None
    weights: np.ndarray | None = None
    """float32: how much each event counts as a target of training, 0 for context only; None: all alike."""
    targets: np.ndarray | None = None
    """bool: which events may be targets of evaluation; None: all."""
    clock: bool = True
    ties: Ties = "file"
    name: str = "log"
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    """How the source was understood (which columns were taken, which unit the times had), one sentence each."""
    date_order: str | None = None
    """Of day and month (`day-first`), where the dates of the source left a choice: a later file may not show it."""
    selection: str = ""
    """Which events of the source these are, in words (`where rating >= 4, min 5 events`); empty: all of them."""
    reading: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The options it was read with, as [data] of a run.toml has them: a later file is read alike."""

    def __post_init__(self) -> None:
        for name in ("users", "items", "times", "weights", "targets"):  # what the digest, which is kept, is made of
            if (column := getattr(self, name)) is not None:
                object.__setattr__(self, name, _unwritable(column))

    def __len__(self) -> int:
        return len(self.items)

    def _display(self) -> Display:
        """Without the digest, which reads every event."""
        lengths = np.diff(self.offsets)
        facts = [
            ("users", f"{len(self.user_ids):,}"),
            ("items", f"{len(self.item_ids):,}"),
            ("events", f"{len(self):,}"),
        ]
        if len(self):
            facts.append(("of a user", f"median {np.median(lengths):,.4g}, most {lengths.max():,}"))
            if self.clock:
                facts.append(("time", f"{moment(self.times.min())} to {moment(self.times.max())} (UTC)"))
        if not self.clock:
            facts.append(("time", "none, only an order"))
        for what, columns in (
            ("values", self.values),
            ("item table", self.item_table.columns if self.item_table else ()),
            ("user table", self.user_table.columns if self.user_table else ()),
        ):
            if columns:
                facts.append((what, ", ".join(columns)))
        facts.append(("ties", self.ties))
        facts += [("dropped", f"{entry.events:,} x {entry.reason}") for entry in self.dropped]
        return Display(f"EventLog {self.name}", facts, *self._first(3), list(self.notes))

    def _first(self, rows: int) -> tuple[list[str], list[list[str]]]:
        """The names of columns, and the first events in ids, titles and dates."""
        titles = self.item_table["title"] if self.item_table is not None and "title" in self.item_table else None
        shown = []
        for event in range(min(rows, len(self))):
            item = int(self.items[event])
            row = [str(self.user_ids.decode(self.users[event])), str(self.item_ids.decode(item))]
            if titles is not None:
                row.append("" if (title := titles[item - self.item_ids.first]) is None else str(title))
            shown.append([*row, moment(self.times[event]) if self.clock else str(self.times[event])])
        return ["user", "item", *(["title"] if titles is not None else []), "time" if self.clock else ">place"], shown

    @property
    def offsets(self) -> np.ndarray:
        """[users + 1] int64: events of user code u are `offsets[u]:offsets[u + 1]`."""
        return np.searchsorted(self.users, np.arange(len(self.user_ids) + 1)).astype(np.int64)

    @functools.cached_property
    def digest(self) -> str:
        """Twelve hex digits that name what was read: events, their order, and the ids behind the codes."""
        ids = "\x00".join(map(str, [*self.user_ids.ids.tolist(), "\x01", *self.item_ids.ids.tolist()]))
        parts = (self.users.astype("<i4"), self.items.astype("<i4"), self.times.astype("<i8"))
        marks = b"".join(part.tobytes() for part in (self.weights, self.targets) if part is not None)
        return digest(b"".join(part.tobytes() for part in parts) + ids.encode("utf-8", "surrogatepass") + marks)

    def titles(self) -> np.ndarray:
        """[item vocabulary size] object: a name to show for every item code; the id itself where there is none."""
        names = np.array(["", *map(str, self.item_ids.ids.tolist())], dtype=object)
        if self.item_table is not None and "title" in self.item_table:
            given = self.item_table["title"]
            if given.dtype != object:  # every title is a number: 300, 1984
                shown = [None if np.isnan(one) else str(int(one)) if one == int(one) else str(one) for one in given]
                given = np.array(shown, dtype=object)
            known = np.array([title is not None and title != "" for title in given], dtype=bool)
            names[1:][known] = given[known]
        return names

    def remarks(self) -> Iterator[str]:
        """What was read, and what was left out, a line each."""
        users, items = len(self.user_ids), len(self.item_ids)
        yield f"{self.name} [{self.digest}]: {users:,} users, {items:,} items, {len(self):,} events"
        yield from self.notes
        for entry in self.dropped:
            yield f"dropped: {entry.events:,} x {entry.reason}" + (f" ({entry.detail})" if entry.detail else "")


def expect_log(given: Any) -> EventLog:
    """What was given, if it is a log; ConfigError, which says how to get one, if it is something else."""
    if isinstance(given, EventLog):
        return given
    held = isinstance(getattr(given, "log", None), EventLog)
    hint = "take its .log" if held else "recollect.read(...) makes one of a file or a table"
    raise ConfigError(f"a log is expected, not {type(given).__name__}; {hint}")


def _unwritable(column: np.ndarray) -> np.ndarray:
    """A view of a column that cannot be written to; whoever gave the column may write to it as before."""
    view = column.view()
    view.setflags(write=False)
    return view


def moment(seconds: Any) -> str:
    """ISO text of any moment numpy can count to, years before 1 and after 9999 included."""
    return str(np.datetime64(int(seconds), "s"))


def build_log(
    user_ids: np.ndarray,
    item_ids: np.ndarray,
    times: np.ndarray | None,
    values: Mapping[str, np.ndarray] | None = None,
    *,
    ties: Ties = "file",
    seed: int = 0,
    name: str = "log",
    dropped: tuple[Dropped, ...] = (),
) -> EventLog:
    """Code, sort and wrap raw columns (one row an event, in file order). ids: int64, or object of str.

    `times` None means the rows' order is all there is. `ties` says what stands first among a user's events of one
    time: file order (the default) or its reverse, the smaller item id, or a seeded draw.
    """
    known_users, users = np.unique(user_ids, return_inverse=True)
    known_items, items = np.unique(item_ids, return_inverse=True)
    log = assemble(users, known_users, items, known_items, times, values, ties=ties, seed=seed)
    return dataclasses.replace(log, name=name, dropped=dropped)


def turned(starts: np.ndarray) -> np.ndarray:
    """[n] int64: the place of each row where the rows of each file are taken from the last one up, and the files in
    their order. `starts` [files + 1] as in `assemble`."""
    ends = np.repeat(starts[:-1] + starts[1:] - 1, np.diff(starts))
    return np.asarray(ends - np.arange(starts[-1]), dtype=np.int64)


def assemble(
    users: np.ndarray,
    user_ids: np.ndarray,
    items: np.ndarray,
    item_ids: np.ndarray,
    times: np.ndarray | None,
    values: Mapping[str, np.ndarray] | None = None,
    *,
    weights: np.ndarray | None = None,
    targets: np.ndarray | None = None,
    ties: Ties = "file",
    seed: int = 0,
    starts: np.ndarray | None = None,
) -> EventLog:
    """Sort coded rows, in file order, into a log: `users` and `items` [n] are places in the sorted ids of each side.

    `starts` [files + 1]: the rows of file k are `starts[k]:starts[k + 1]`; None: all are of one.
    """
    clock = times is not None
    rows = len(users)
    backwards = ties == "file-reversed"
    breaker = turned(np.array([0, rows]) if starts is None else starts) if backwards else np.arange(rows)
    moments = breaker if times is None else times.astype(np.int64, copy=False)
    keys = [breaker, moments, users] if backwards else [moments, users]
    if ties == "id":
        keys.insert(0, items)
    elif ties == "random":
        keys.insert(0, np.random.default_rng(seed).permutation(rows))
    step, still = np.diff(moments), users[1:] == users[:-1]
    if ties == "file" and bool((((step >= 0) & still) | (users[1:] > users[:-1])).all()):
        order: Any = slice(None)  # in order already, as most kept logs are
    else:
        order = np.lexsort(keys)  # stable: what is equal in all keys keeps the order of the file
    users, items = users[order].astype(np.int32), (items[order] + 1).astype(np.int32)
    moments = moments[order]
    if not clock:  # positions inside each user's history, not in the whole file
        starts = np.searchsorted(users, np.arange(len(user_ids)))
        moments = np.arange(rows, dtype=np.int64) - starts[users]
    return EventLog(
        users,
        items,
        moments,
        Vocabulary(user_ids),
        Vocabulary(item_ids, first=1),
        {key: column[order] for key, column in (values or {}).items()},
        weights=None if weights is None else weights[order],
        targets=None if targets is None else targets[order],
        clock=clock,
        ties=ties,
    )
