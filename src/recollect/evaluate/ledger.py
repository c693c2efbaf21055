"""The ledger: the rank of every target, one row each; every table, test and plot is computed from it.

Averages cannot be paired, cut into cohorts or tested; ranks can. Kept as Parquet, with the protocol in the file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import numpy as np

from recollect.config import did_you_mean
from recollect.data.log import DataError
from recollect.data.parquet import read_columns, write_columns
from recollect.display import Display, Displayed
from recollect.evaluate.protocol import Protocol

MISS = np.iinfo(np.int32).max
"""The rank of a target that was no candidate: seen before, with seen items hidden. Worth 0 in every metric."""

_METADATA, _CHECK = "recollect.ledger", "recollect.check"
_FORMAT = 1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Ledger(Displayed):
    """Columns of one length. (run, seed, user, length) names a row.

    run: object of str, the model's name in this comparison; seed int64; user int64, the log's code; user_id, the
    caller's own id; item int64, the target's code; item_id, the caller's own id of it, None in ledgers kept before 0.2
    and where it may not be told; length int64, how many events stand before the target in the
    user's history; rank int32, from 1, or `MISS`. `protocols`: how each run was measured. `unseeded`: the runs of
    models that draw no random numbers, of which one seed says all; a ledger kept before 0.2 names none.
    """

    run: np.ndarray
    seed: np.ndarray
    user: np.ndarray
    user_id: np.ndarray
    item: np.ndarray
    length: np.ndarray
    rank: np.ndarray
    protocols: Mapping[str, Protocol]
    unseeded: Set[str] = frozenset()
    item_id: np.ndarray | None = None

    def __post_init__(self) -> None:
        sizes = {name: len(column) for name, column in self.columns().items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"ledger columns differ in length: {sizes}")
        object.__setattr__(self, "protocols", {run: self._counted(run) for run in self.protocols})
        object.__setattr__(self, "unseeded", frozenset(self.unseeded))
        if unknown := sorted(self.unseeded - self.protocols.keys()):
            raise ValueError(f"unseeded names {unknown[0]!r}, and the ledger has no such run")

    def __len__(self) -> int:
        return len(self.rank)

    def _display(self) -> Display:
        rows = [
            [
                run,
                "any" if run in self.unseeded else ", ".join(map(str, one.seeds)),
                f"{one.users:,}",
                f"{one.targets:,}",
            ]
            for run, one in self.protocols.items()
        ]
        lines = dict.fromkeys(one.line() for one in self.protocols.values())
        return Display(f"Ledger of {len(self):,} ranks", (), ["run", "seeds", ">users", ">targets"], rows, [*lines])

    def _counted(self, run: str) -> Protocol:
        """The run's protocol with users, targets and seeds as they stand in the rows."""
        rows = self.run == run
        lengths = self.length[rows]
        places = self.user[rows] * (int(lengths.max(initial=0)) + 1) + lengths  # a number for each (user, length)
        return dataclasses.replace(
            self.protocols[run],
            users=len(np.unique(self.user[rows])),
            targets=len(np.unique(places)),
            seeds=tuple(np.unique(self.seed[rows]).tolist()),
        )

    def columns(self) -> dict[str, np.ndarray]:
        """Every column by name, in the order of the file; `item_id` only where the ledger has it."""
        names = ("run", "seed", "user", "user_id", "item", "item_id", "length", "rank")
        return {name: column for name in names if (column := getattr(self, name)) is not None}

    @property
    def runs(self) -> list[str]:
        """Names of the runs, in the order they were added."""
        return list(self.protocols)

    def of(self, run: str, seed: int | None = None) -> Ledger:
        """The rows of one run, and of one seed if it is given."""
        if run not in self.protocols:
            raise DataError(f"the ledger has no run {run!r}{did_you_mean(run, self.protocols)}")
        keep = self.run == run
        if seed is not None:
            keep &= self.seed == seed
            if not keep.any():
                raise DataError(f"run {run!r} has no seed {seed}; it has {list(self.protocols[run].seeds)}")
        columns = {name: column[keep] for name, column in self.columns().items()}
        return Ledger(**columns, protocols={run: self.protocols[run]}, unseeded=frozenset({run}) & self.unseeded)

    def named(self, run: str) -> Ledger:
        """The same ranks under another name. Raises ValueError where the ledger does not hold one run only."""
        if len(self.protocols) != 1:
            raise ValueError(f"only one run can be named otherwise, and the ledger holds {self.runs}")
        ((old, protocol),) = self.protocols.items()
        unseeded = {run} if old in self.unseeded else set()
        column = np.full(len(self), run, dtype=object)
        return dataclasses.replace(self, run=column, protocols={run: protocol}, unseeded=unseeded)

    def ranks_only(self) -> Ledger:
        """The same ranks without what only the log may tell, to be published where the log must not be.

        Targets become code 0, ids the codes of the users; metrics, pairing and cohorts by length stay as they are.
        """
        return dataclasses.replace(self, item=np.zeros_like(self.item), user_id=self.user.copy(), item_id=None)

    def save(self, path: Path | str) -> None:
        protocols = {run: dataclasses.asdict(protocol) for run, protocol in self.protocols.items()}
        about = {"format": _FORMAT, "miss": MISS, "protocols": protocols, "unseeded": sorted(self.unseeded)}
        text = json.dumps(about)
        write_columns(path, self.columns(), {_METADATA: text, _CHECK: _checksum(self.columns(), text)})

    @classmethod
    def load(cls, path: Path | str) -> Ledger:
        """Raises DataError where the file is missing, damaged, no ledger, or of a newer format."""
        columns, metadata = read_columns(path)
        if _METADATA not in metadata:
            raise DataError(f"{path}: a Parquet file, but no ledger; make one with `recollect evaluate`")
        text = metadata[_METADATA]
        if _CHECK in metadata and metadata[_CHECK] != _checksum(columns, text):  # one kept before 0.2 has none
            raise DataError(f"{path}: damaged (it is not what was written); restore it from a copy, or make it again")
        about = json.loads(text)
        if about["format"] > _FORMAT:
            raise DataError(f"{path}: ledger format {about['format']} is newer than {_FORMAT}; update recollect")
        protocols = {run: Protocol.from_plain(values) for run, values in about["protocols"].items()}
        return cls(**columns, protocols=protocols, unseeded=frozenset(about.get("unseeded", ())))


def _checksum(columns: Mapping[str, np.ndarray], text: str) -> str:
    """Of the columns, whatever order they have, and of what stands beside them: a rank that a disk has changed is a
    figure that nobody would doubt."""
    found = hashlib.sha256(text.encode())
    for name in sorted(columns):
        column = columns[name]
        found.update(f"{name} {column.dtype}".encode())
        found.update(json.dumps(column.tolist()).encode() if column.dtype == object else column.tobytes())
    return found.hexdigest()


def concat(ledgers: Sequence[Ledger]) -> Ledger:
    """All rows in one ledger. A run's name stands for one protocol; the same (run, seed) cannot come twice.

    Without `item_id` where one of them has none.
    """
    if not ledgers:
        raise ValueError("concat needs at least one ledger")
    protocols: dict[str, Protocol] = {}
    known: set[tuple[str, int]] = set()
    for ledger in ledgers:
        for run, protocol in ledger.protocols.items():
            before = protocols.setdefault(run, protocol)
            if different := before.differences(protocol, ignore=("seeds", "users", "targets")):
                raise DataError(f"run {run!r} was measured in two ways ({'; '.join(different)}); rename one")
            if twice := known & {(run, seed) for seed in protocol.seeds}:
                raise DataError(f"run {run!r} has seed {min(twice)[1]} in two ledgers; keep one of them")
            known |= {(run, seed) for seed in protocol.seeds}
    names = [name for name in ledgers[0].columns() if all(name in one.columns() for one in ledgers)]
    columns = {name: np.concatenate([one.columns()[name] for one in ledgers]) for name in names}
    unseeded = frozenset[str]().union(*(one.unseeded for one in ledgers))
    return Ledger(**columns, protocols=protocols, unseeded=unseeded)
