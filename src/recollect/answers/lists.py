"""Lists for many users of a log at once: as a table in memory, or block by block for a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from recollect.answers.known import Known, log_for
from recollect.answers.moment import moment_for
from recollect.data.candidates import Within, allowed_mask
from recollect.data.frame import Frame
from recollect.data.histories import Ragged, known_histories
from recollect.data.id_forms import encode
from recollect.data.log import DataError, EventLog
from recollect.data.seen import Seen
from recollect.recommend import as_columns, top_lists


@dataclasses.dataclass(frozen=True, eq=False)
class Audience:
    """Users of a log, in the order in which they were named, with what each of them did, in the codes of a model."""

    ids: np.ndarray
    histories: Ragged
    clock: bool
    """Whether the times of the histories are to be shown to the model."""
    at: int | None
    """The time of asking that the model is told, in seconds; None where it is told none."""
    unknown_users: tuple[Any, ...]
    """Those named that the log does not have."""
    repeated: int
    """How often a user was named again."""
    unknown_events: int
    """Events of these users whose item the model does not know, and skips."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def moments(self) -> np.ndarray | None:
        """[users] int64: the time of asking."""
        return None if self.at is None else np.full(len(self), self.at, dtype=np.int64)


class Recommendations(Frame):
    """Lists of many users, one row a recommendation: user, rank, item, title, logit, probability (if it is one)."""

    def __init__(self, columns: Mapping[str, np.ndarray], audience: Audience) -> None:
        super().__init__(columns)
        self.users = len(audience)
        """For how many users lists were asked."""
        self.unknown_users = audience.unknown_users
        """Those asked for that the log does not have."""
        self.unknown_events = audience.unknown_events
        """Events that were skipped, since the model does not know their items."""
        self.at = audience.at
        """The time of asking that the model was told, in seconds; None where it was told none."""


def audience(known: Known, log: EventLog, users: Iterable[Any] | None = None, *, at: int | None = None) -> Audience:
    """The users named, or all of the log; `at` as in `recommend_all`. DataError where the log has none of them."""
    histories, _ = known_histories(log, known.items)
    chosen = np.arange(len(log.user_ids))
    unknown: tuple[Any, ...] = ()
    repeated = 0
    if users is not None:
        named = list(users)
        codes = encode(log.user_ids, named, unknown=-1)
        unknown = tuple(one for one, code in zip(named, codes, strict=True) if code < 0)
        chosen = np.array(list(dict.fromkeys(codes[codes >= 0].tolist())), dtype=np.int64)
        repeated = len(named) - len(unknown) - len(chosen)
        if len(chosen) == 0:
            shown = ", ".join(map(str, log.user_ids.ids[:5].tolist()))
            raise DataError(f"{log.name} has none of the {len(named):,} users asked for; it has such as {shown}")
    whole = np.diff(log.offsets)[chosen].sum()
    histories = histories if users is None else histories.rows(chosen)
    skipped = int(whole - len(histories.items))
    moment = moment_for(known, log, at)
    return Audience(log.user_ids.ids[chosen], histories, log.clock and known.clock, moment, unknown, repeated, skipped)


def list_blocks(
    known: Known, who: Audience, *, k: int = 10, seen: Seen | None = None, allowed: np.ndarray | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """The lists of an audience, some users at a time, as columns for `data.writing.write_blocks`."""
    seen = known.seen if seen is None else seen
    lists = top_lists(known.model, who.histories, k=k, seen=seen, at=who.moments, allowed=allowed, clock=who.clock)
    return (as_columns(block, who.ids, known.items, known.titles) for block in lists)


def recommend_all(
    trained: Known,
    log: Any = None,
    *,
    k: int = 10,
    seen: Seen | None = None,
    users: Iterable[Any] | None = None,
    at: int | None = None,
    allow: Iterable[Any] | None = None,
    deny: Iterable[Any] | None = None,
    within: Within | None = None,
) -> Recommendations:
    """The k best next items of every user of a log, from their whole histories, as one table.

    `trained`: what `fit` or `load` gave. `log`: an EventLog, or what `read` takes; None: the log it was fitted on.
    `users`: only these ids, in this order. `seen`: None: as the model was trained. `allow`, `deny`, `within`: as in
    `recommend`. `at`: the time of asking, in seconds, for models that use it; None: as the model was evaluated, and if
    that was with request times, the time of the log's last event.

    -> a table with the columns user, rank, item, title, logit and, where scores are a likelihood, probability
    (`to_pandas`, `to_polars`, `to_arrow`, `write`); ids that are not known are in `unknown_users`.
    Raises DataError where the log has none of the users, or `within` names nothing that is there.
    """
    allowed = allowed_mask(trained.items, trained.item_table, allow=allow, deny=deny, within=within)
    who = audience(trained, log_for(trained, log), users, at=at)
    blocks = list(list_blocks(trained, who, k=k, seen=seen, allowed=allowed))
    return Recommendations({name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}, who)
