"""KuaiRand: the logs of what users chose to watch, in two periods, with videos and users described beside them.

Rows of `log_random_*` were shown at random, for measuring; they are read only if their file is named.
Source: kuairand.com, and the README of the release.
"""

from __future__ import annotations

from pathlib import Path

from recollect.data.formats import files
from recollect.data.formats.contract import Place
from recollect.data.formats.delimited import Delimited
from recollect.data.formats.text.packing import beginning
from recollect.data.log import DataError
from recollect.data.raw_table import RawTable
from recollect.data.reading import Reading
from recollect.data.side_table import Side

_LOGS = ("log_standard_*.csv",)


class KuaiRand:
    """The standard logs of a folder, or one log that is named."""

    name = "kuairand"
    description = "KuaiRand: log_standard_*.csv of a folder, with video and user features beside them"

    def recognises(self, place: Place) -> bool:
        """By the names of the logs and the columns that they begin with."""
        found = place.named(*_LOGS, "log_random_*.csv") if place.folder is None else place.named(*_LOGS)
        return bool(found) and all(map(_is_log, found)) and (place.folder is not None or found == place.paths)

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """All events, in the order of the periods; the time is `time_ms` unless another is named."""
        paths = place.named(*_LOGS) if place.folder is not None else place.paths
        if not paths:
            raise DataError(f"{place}: no log_standard_*.csv in it")
        asked = reading.but(
            user=reading.user or "user_id", item=reading.item or "video_id", time=reading.time or "time_ms"
        )
        delimited = Delimited()
        return files.read_files(
            paths,
            asked,
            lambda _: delimited,
            name=name,
            items=_side(place, "video_features_basic_*.csv", "video_id", reading),
            users=_side(place, "user_features_*.csv", "user_id", reading),
        )


def _is_log(path: Path) -> bool:
    return beginning(path, 200).startswith(b"user_id,video_id,date,hourmin,time_ms")


def _side(place: Place, pattern: str, key: str, reading: Reading) -> Side | None:
    paths = sorted(path for path in place.paths[0].parent.glob(pattern) if path.is_file())
    return None if len(paths) != 1 else files.side_of(paths[0], reading, lambda _: Delimited(), key.replace("_", ""))


FORMATS = (KuaiRand(),)
