"""Playlists: tracks in their order, with titles, and several slices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recollect.data import sources
from recollect.data.log import DataError


def _slice(pid: int, *tracks: str) -> str:
    listed = [
        {"pos": pos, "track_uri": f"t:{one}", "track_name": one, "artist_name": "X", "artist_uri": "a:X"}
        for pos, one in enumerate(tracks)
    ]
    whole = {"info": {"slice": "0-999"}, "playlists": [{"name": "mine", "pid": pid, "tracks": listed[::-1]}]}
    return json.dumps(whole, indent=2)


def test_slices(tmp_path: Path) -> None:
    (tmp_path / "mpd.slice.0-999.json").write_text(_slice(0, "b", "a", "b"))
    (tmp_path / "mpd.slice.1000-1999.json").write_text(_slice(1000, "c"))
    log = sources.read(tmp_path)
    assert log.user_ids.ids.tolist() == [0, 1000] and not log.clock
    assert log.item_ids.decode(log.items).tolist() == ["t:b", "t:a", "t:b", "t:c"]
    assert log.titles().tolist() == ["", "a", "b", "c"]
    assert sources.read(tmp_path, item="artist_uri").item_ids.ids.tolist() == ["a:X"]


def test_playlists_that_are_cut_short_on_purpose_are_not_read_with_the_slices(tmp_path: Path) -> None:
    (tmp_path / "mpd.slice.0-999.json").write_text(_slice(0, "b", "a"))
    challenge = tmp_path / "challenge_set.json"
    challenge.write_text(_slice(1000002, "c"))
    assert sources.read(tmp_path).user_ids.ids.tolist() == [0]
    assert sources.read(challenge).user_ids.ids.tolist() == [1000002]
    (tmp_path / "mpd.slice.0-999.json").unlink()
    assert sources.read(tmp_path).user_ids.ids.tolist() == [1000002]


def test_a_slice_that_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "mpd.slice.0-999.json"
    path.write_text(_slice(0, "b", "a")[:-30])
    with pytest.raises(DataError, match="no slice of playlists .*fetch it again") as error:
        sources.read(path)
    assert "\n" not in str(error.value)
