"""Local times: what clocks on the wall of one zone showed, as moments, and back.

Only times without an offset are local; unix times and times with one are moments already. Where clocks are put back an
hour exists twice, and the first is taken; where they are put forward an hour does not exist, and the offset before it
holds (PEP 495 with fold = 0, which is what Python's `zoneinfo` does).
"""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl

from recollect.data.times.local import EPOCH, micros_of
from recollect.data.times.moments import ROW, Moments, Remark
from recollect.data.times.span import MICRO


def in_zone(moments: Moments, zone: str | None) -> Moments:
    """Moments whose local times are those of a zone; as they are without one."""
    if zone is None:
        return moments
    rows = np.flatnonzero(~(moments.missing | moments.bad) & moments.local)
    if not len(rows):
        return _with(moments, Remark(f"time zone {zone}: nothing is changed by it, as no time is without an offset"))
    scale = MICRO // moments.per_second
    wall = pl.Series(moments.exact[rows] * scale).cast(pl.Datetime("us"))
    first, last = (
        wall.dt.replace_time_zone(zone, ambiguous=which, non_existent="null") for which in ("earliest", "latest")
    )
    found, absent = first.to_physical().fill_null(0).to_numpy().copy(), first.is_null().to_numpy()
    if absent.any():
        never, places = np.unique(wall.to_physical().to_numpy()[absent], return_inverse=True)
        moments_of = [
            micros_of(EPOCH.replace(tzinfo=None) + dt.timedelta(microseconds=int(one)), zone) for one in never
        ]
        found[absent] = np.array(moments_of, dtype=np.int64)[places]
    exact = moments.exact.copy()
    exact[rows] = found // scale
    said = [Remark(f"times without an offset are those of {zone} ({len(rows):,} of {len(exact):,} rows)")]
    twice = (first != last).fill_null(False).to_numpy()
    for gone, what in ((twice, "exist twice"), (absent, "do not exist")):
        if gone.any():
            text = f"{int(gone.sum()):,} times {what} in {zone}, as clocks were put {_HOW[what]} (first at {ROW})"
            said.append(Remark(f"{text}: {_TAKEN[what]}", int(rows[gone.argmax()])))
    return _with(dataclasses.replace(moments, exact=exact), *said)


def on_the_wall(seconds: np.ndarray, zone: str | None) -> np.ndarray:
    """Unix seconds [n] -> what clocks of a zone showed, counted as if they were in UTC."""
    if zone is None:
        return seconds
    moments = pl.from_epoch(pl.Series(seconds), time_unit="s").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    return moments.dt.replace_time_zone(None).dt.epoch("s").to_numpy()


_HOW = {"exist twice": "back", "do not exist": "forward"}
_TAKEN = {
    "exist twice": "the first of the two is taken, so the order of events in such an hour may be wrong",
    "do not exist": "the offset before is taken",
}


def _with(moments: Moments, *remarks: Remark) -> Moments:
    return dataclasses.replace(moments, notes=(*moments.notes, *remarks))
