"""Which column is the user, which the item, which the time: asked for by name, or guessed from well-known names.

A guess is always reported; a name that is not there is an error that lists the names that are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from recollect.config import did_you_mean
from recollect.data.log import DataError

OnBad = Literal["stop", "skip"]
"""What a row that cannot be read does: stop with its place, or be left out and counted."""

NO_TIME = "none"
"""Given as the time column, it says: use the order of the rows, even if there is a time."""

# Compared in lower case with everything but letters and digits removed; the first that is there wins.
USER_NAMES = (
    "userid user uid userindex visitorid customerid customer customernumber clientid client reviewerid memberid "
    "member accountid account profileid personid playerid studentid listenerid username sessionid session"
)
ITEM_NAMES = (
    "itemid item iid itemindex movieid movie productid product parentasin asin stockcode sku articleid article trackid "
    "track songid song artistid artist bookid book isbn gameid game appid videoid video businessid venueid venue poiid "
    "poi locationid newsid problemid exerciseid recipeid contentid"
)
TIME_NAMES = (
    "timestamp time unixtimestamp unixtime unixreviewtime eventtime eventtimestamp datetime date ts timems utctime "
    "createdat createdtime reviewtime ratedat ratingtime invoicedate purchasedate orderdate playedat visittime viewedat"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller asked for; None means: guess."""

    user: str | None = None
    item: str | None = None
    time: str | None = None
    values: tuple[str, ...] = ()

    @property
    def by_number(self) -> bool:
        """True if columns are named by their place (1, 2, ...), as for a file without a header line."""
        given = [name for name in (self.user, self.item, self.time) if name not in (None, NO_TIME)]
        return bool(given) and all(str(name).isdigit() for name in given)


@dataclasses.dataclass(frozen=True, slots=True)
class Roles:
    """The columns that were found. `time` is None where the order of the rows is all there is."""

    user: str
    item: str
    time: str | None
    values: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        named = (self.user, self.item, *([self.time] if self.time is not None else []), *self.values)
        return tuple(dict.fromkeys(named))

    def again(self) -> Wanted:
        """The same columns, asked for by name: what the second file of several must have."""
        return Wanted(self.user, self.item, self.time if self.time is not None else NO_TIME, self.values)


def resolve(names: Sequence[str], wanted: Wanted, where: str) -> Roles:
    """Find the columns of a source that has `names`. DataError, naming `where`, if one is missing or no guess fits."""
    user = _take(names, wanted.user, USER_NAMES, "user", where)
    item = _take(names, wanted.item, ITEM_NAMES, "item", where)
    if wanted.time == NO_TIME and NO_TIME not in names:
        time = None
    else:
        time = _take(names, wanted.time, TIME_NAMES, "time", where, needed=False)
    if user is None or item is None or len({user, item, time}) < 3:
        raise DataError(
            f"{where}: user, item and time must be three columns, not {_short(user or '')}, {_short(item or '')} and "
            f"{_short(time or '')}; "
            f"there are {_listed(names)}"
        )
    for name in wanted.values:
        if name not in names:
            raise _absent(name, names, where)
    notes = [f"columns: user = {user}, item = {item}, time = {time or '(none)'}"]
    if time is None and wanted.time is None:
        notes.append(f"no time column among {_listed(names)}: the order of the rows is used")
    return Roles(user, item, time, tuple(wanted.values), tuple(notes))


def guess(names: Sequence[str], known: str) -> str | None:
    """The column whose name stands first among the `known` ones."""
    plain = {"".join(c for c in name.lower() if c.isalnum()): name for name in reversed(names)}
    return next((plain[word] for word in known.split() if word in plain), None)


def _take(
    names: Sequence[str], asked: str | None, known: str, role: str, where: str, *, needed: bool = True
) -> str | None:
    if asked is not None:
        if asked in names:
            return asked
        raise _absent(asked, names, where)
    found = guess(names, known)
    if found is None and needed:
        bare = any(name.replace(".", "").isdigit() for name in names)
        hint = f" (if the first line is no header, by number: --{role} 1)" if bare else ""
        raise DataError(
            f"{where}: no column looks like the {role}; name it with --{role}{hint}; there are {_listed(names)}"
        )
    return found


def _absent(asked: str, names: Sequence[str], where: str) -> DataError:
    near = did_you_mean(asked, names) if len(asked) < 100 else ""
    near = near if "did you mean" in near and len(near) < 100 else ""
    return DataError(f"{where}: no column {_short(asked)}{near}; there are {_listed(names)}")


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:37] + "...")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(_short, names[:20]))
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
