"""Public logs that are published as tables without a header line: what their columns are, by their owners' pages.

LFM-1b (Schedl 2016), Last.fm 1K (Celma), YOOCHOOSE (RecSys 2015), Taobao's UserBehavior, and check-ins of Foursquare
(Yang 2014, 2015), Gowalla and Brightkite (SNAP).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from recollect.data.formats.contract import Place, beside
from recollect.data.formats.delimited import side_notes
from recollect.data.formats.files import refuse_copies
from recollect.data.formats.text import head as heads
from recollect.data.formats.text.dialect import Dialect
from recollect.data.formats.text.opening import open_text
from recollect.data.formats.text.packing import bare_name, beginning
from recollect.data.formats.text.rows import read_rows, sample_rows
from recollect.data.log import DataError
from recollect.data.raw_table import Piece, RawTable
from recollect.data.reading import Reading
from recollect.data.roles import Roles, resolve
from recollect.data.side_table import Side


@dataclasses.dataclass(frozen=True)
class Headerless:
    """One such log. `files`: patterns of its name; `user`, `item`, `time`: what its columns are taken for."""

    name: str
    description: str
    files: tuple[str, ...]
    columns: tuple[str, ...]
    user: str
    item: str
    time: str
    separator: str = "\t"
    titles: str = ""
    """A file beside it that describes the items, without header: its id and title come first."""
    if_named: tuple[str, ...] = ()
    """Names of files of this form that are not read with a folder, only if they are named."""
    apart: bool = False
    """Whether ids of two of its files mean different people, so that no two are read together."""

    def recognises(self, place: Place) -> bool:
        """By the name, and by a first line with that many fields none of which is a column's name."""
        found = self._found(place)
        return bool(found) and all(map(self._fits, found)) and (place.folder is not None or found == place.paths)

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The events. DataError for a folder with several such files: their ids may mean different people."""
        paths = self._found(place) or place.named(*self.if_named) or (place.paths if place.folder is None else ())
        if not paths:
            raise DataError(f"{place}: no {(*self.files, *self.if_named)[0]} in it")
        refuse_copies(paths)
        names = sorted({bare_name(path) for path in paths})
        if len(names) > 1 and (place.folder is not None or self.apart):
            why = "whose ids mean different people" if self.apart else "each a log by itself"
            raise DataError(f"{place}: {', '.join(names)}, {why}; name one of them")
        asked = reading.but(
            user=reading.user or self.user, item=reading.item or self.item, time=reading.time or self.time
        )
        pieces: list[Piece] = []
        roles: Roles | None = None
        dialect = Dialect(self.separator, quoted=False)
        for path in paths:
            text = open_text(path, reading.encoding)
            head = heads.without_header(text, dialect, self.columns)
            roles = resolve(
                head.names,
                asked,
                str(path),
                lambda text=text, head=head: sample_rows(text, dialect, head),  # type: ignore[misc]
            )
            pieces.append(read_rows(text, dialect, head, roles.columns, reading.on_bad))
        assert roles is not None
        return RawTable(name, pieces, roles, items=self._items(place, reading), place=str(place))

    def _found(self, place: Place) -> tuple[Path, ...]:
        return place.named(*self.files, *(self.if_named if place.folder is None else ()))

    def _fits(self, path: Path) -> bool:
        line = beginning(path, 2000).split(b"\n", 1)[0].decode("utf-8", "replace").strip("\r\ufeff")
        fields = [field.strip().lower() for field in line.split(self.separator)]
        return len(fields) == len(self.columns) and not set(fields) & {one.lower() for one in self.columns}

    def _items(self, place: Place, reading: Reading) -> Side | None:
        found = self._found(place)
        path = beside(found[0], self.titles) if self.titles and found else None
        if path is None:
            return None
        text = open_text(path, reading.encoding)
        dialect = Dialect(self.separator, quoted=False)
        width = len(heads.without_header(text, dialect).names)
        names = (self.item, "title", *(f"column {place}" for place in range(3, width + 1)))[:width]
        piece = read_rows(text, dialect, heads.without_header(text, dialect, names), names, "skip")
        return Side(piece.frame, self.item, side_notes(path, piece))


FORMATS = (
    Headerless(
        "lfm-1b",
        "LFM-1b listening events (LFM-1b_LEs.txt); the item is the track, or say --item artist_id",
        ("LFM-1b_LEs.txt",),
        ("user_id", "artist_id", "album_id", "track_id", "timestamp"),
        "user_id",
        "track_id",
        "timestamp",
        titles="LFM-1b_tracks.txt",
    ),
    Headerless(
        "lastfm-1k",
        "Last.fm 1K plays; the item is the track's id, which some rows lack: --item artist_name,track_name has all",
        ("userid-timestamp-artid-artname-traid-traname.tsv",),
        ("user_id", "timestamp", "artist_id", "artist_name", "track_id", "track_name"),
        "user_id",
        "track_id",
        "timestamp",
    ),
    Headerless(
        "yoochoose",
        "YOOCHOOSE clicks (yoochoose-clicks.dat); a session is a user",
        ("yoochoose-clicks*.dat",),
        ("session_id", "timestamp", "item_id", "category"),
        "session_id",
        "item_id",
        "timestamp",
        ",",
        if_named=("yoochoose-test.dat",),
    ),
    Headerless(
        "yoochoose-buys",
        "YOOCHOOSE purchases, if yoochoose-buys.dat is named; a session is a user",
        (),
        ("session_id", "timestamp", "item_id", "price", "quantity"),
        "session_id",
        "item_id",
        "timestamp",
        ",",
        if_named=("yoochoose-buys.dat",),
    ),
    Headerless(
        "taobao",
        "Taobao's UserBehavior.csv",
        ("UserBehavior.csv",),
        ("user_id", "item_id", "category_id", "behavior", "timestamp"),
        "user_id",
        "item_id",
        "timestamp",
        ",",
    ),
    Headerless(
        "foursquare",
        "Foursquare check-ins of New York and Tokyo (dataset_TSMC2014_NYC.txt)",
        ("dataset_TSMC2014_NYC.txt", "dataset_TSMC2014_TKY.txt"),
        ("user_id", "venue_id", "category_id", "category", "latitude", "longitude", "offset_minutes", "utc_time"),
        "user_id",
        "venue_id",
        "utc_time",
        apart=True,
    ),
    Headerless(
        "foursquare-world",
        "Foursquare check-ins of the world (dataset_TIST2015_Checkins.txt)",
        ("dataset_TIST2015_Checkins.txt",),
        ("user_id", "venue_id", "utc_time", "offset_minutes"),
        "user_id",
        "venue_id",
        "utc_time",
    ),
    Headerless(
        "snap-checkins",
        "check-ins of Gowalla and Brightkite (loc-gowalla_totalCheckins.txt)",
        ("loc-gowalla_totalCheckins.txt", "loc-brightkite_totalCheckins.txt", "Gowalla_totalCheckins.txt"),
        ("user_id", "timestamp", "latitude", "longitude", "location_id"),
        "user_id",
        "location_id",
        "timestamp",
        apart=True,
    ),
)
