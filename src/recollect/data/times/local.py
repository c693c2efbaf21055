"""One local time of a zone to a moment, and the names of zones; whole columns are the business of `zone`."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from recollect.config import did_you_mean

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def check_zone(name: str) -> None:
    """ValueError, with the nearest name, unless it is that of a zone (IANA's, as `Europe/Berlin`)."""
    known = zoneinfo.available_timezones()
    if name in known or not known:
        return
    near = did_you_mean(name, known)
    raise ValueError(f"{name!r} is no time zone{near if 'did you mean' in near else ''}; give one as 'Europe/Berlin'")


def local_seconds(moment: dt.datetime, zone: str | None) -> int:
    """Unix seconds of a moment, rounded down; without an offset it is one of the zone (None: UTC)."""
    return micros_of(moment, zone) // 1_000_000


def micros_of(moment: dt.datetime, zone: str | None) -> int:
    """The same in microseconds. An hour that exists twice is the first one; one that was not has the offset before."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC if zone is None else zoneinfo.ZoneInfo(zone))
    return (moment - EPOCH) // dt.timedelta(microseconds=1)
