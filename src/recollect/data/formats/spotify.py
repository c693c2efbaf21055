"""Spotify's Million Playlist Dataset: `mpd.slice.*.json`, each an object with 1,000 playlists. A playlist is a user.

Tracks are in the order of their playlist, and have no times of their own. The playlists of `challenge_set.json` are cut
short (their tracks are to be guessed): it is read if there are no slices, or if it is named.
Source: the README of the release.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from recollect.data.formats.contract import Place
from recollect.data.formats.text.opening import open_text
from recollect.data.formats.text.packing import beginning
from recollect.data.log import DataError
from recollect.data.raw_table import Piece, RawTable, shorten
from recollect.data.reading import Reading
from recollect.data.roles import resolve
from recollect.data.side_table import Side

_TRACK = {"track_uri": "track_uri", "artist_uri": "artist_uri", "album_uri": "album_uri"}
_SHOWN = {"track_uri": "track_uri", "track_name": "title", "artist_name": "artist", "album_name": "album"}


class Spotify:
    """Slices of playlists."""

    name = "spotify"
    description = "Spotify's Million Playlist Dataset: mpd.slice.*.json; a playlist is a user, its tracks in order"

    def recognises(self, place: Place) -> bool:
        """By the names of the slices, or by an object with playlists at the beginning of a file."""
        found = _slices(place)
        if place.folder is None and found != place.paths:
            return False
        return bool(found) and all(
            b'"playlists"' in beginning(path, 4000) or b'"info"' in beginning(path, 4000) for path in found
        )

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """One event a track of a playlist, in order; titles and artists come with them."""
        paths = _slices(place) or (place.paths if place.folder is None else ())
        if not paths:
            raise DataError(f"{place}: no mpd.slice.*.json in it")
        pieces, tracks = [], []
        for path in paths:
            piece, described = _read(path, reading)
            pieces.append(piece)
            tracks.append(described)
        asked = reading.but(user=reading.user or "pid", item=reading.item or "track_uri", time=reading.time or "none")
        roles = resolve(pieces[0].frame.columns, asked, str(place))
        side = pl.concat(tracks).unique("track_uri", keep="first", maintain_order=True)
        items = Side(side, "track_uri") if roles.item == ("track_uri",) else None
        notes = ("a playlist is a user, and its tracks are in the order of the list",)
        return RawTable(name, pieces, roles, items=items, notes=notes, place=str(place))


def _slices(place: Place) -> tuple[Path, ...]:
    if place.folder is None:
        return place.named("mpd.slice.*.json", "challenge_set.json")
    return place.named("mpd.slice.*.json") or place.named("challenge_set.json")


def _read(path: Path, reading: Reading) -> tuple[Piece, pl.DataFrame]:
    data = open_text(path, reading.encoding).data
    try:
        playlists: list[dict[str, Any]] = json.loads(data)["playlists"]
        rows = [(one["pid"], *(track.get(key) for key in _TRACK)) for one in playlists for track in _ordered(one)]
        shown = [tuple(track.get(key) for key in _SHOWN) for one in playlists for track in one["tracks"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: no slice of playlists ({shorten(f'{type(error).__name__}: {error}')}); it may be cut short: "
            "fetch it again"
        ) from None
    schema = {"pid": pl.Int64, **dict.fromkeys(_TRACK, pl.String)}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    pids = frame["pid"].to_list()
    described = pl.DataFrame(shown, schema=dict.fromkeys(_SHOWN.values(), pl.String), orient="row")
    return Piece(frame, lambda row: f"{path} playlist {pids[row]}"), described


def _ordered(playlist: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(playlist["tracks"], key=lambda track: track.get("pos", 0))


FORMATS = (Spotify(),)
