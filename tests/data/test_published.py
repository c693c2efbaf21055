"""A public log that is not there: whose it is, where it is had, which files to put where; and nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from recollect.data import published, sources
from recollect.data.log import DataError


@pytest.mark.parametrize("name", [one for entry in published.KNOWN for one in (entry.name, *entry.also)])
def test_every_name_says_where_it_is_had(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        sources.read(name, data_dir=tmp_path)
    entry = published.find(name)
    assert entry is not None
    for part in (entry.owner, entry.page, str(tmp_path / name), *entry.files):
        assert part in str(error.value)
    assert len(str(error.value).replace(str(tmp_path), "")) < 450 and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["lfm-1b", "LFM-2b", "spotify-mpd"])
def test_what_is_not_for_download_any_more_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no longer for download there"):
        sources.read(name, data_dir=tmp_path)


def test_names_are_known_however_they_are_spelt_and_mean_one_log_only() -> None:
    for spelt in ("ML-25M", "ml25m", "movielens-25m", "MovieLens 25M"):
        found = published.find(spelt)
        assert found is not None and found.name == "ml-25m"
    names = [published._plain(name) for entry in published.KNOWN for name in (entry.name, *entry.also)]
    assert len(names) == len(set(names)) and published.find("shop") is None


def test_one_that_is_there_is_read(tmp_path: Path) -> None:
    (tmp_path / "ml-25m").mkdir()
    (tmp_path / "ml-25m" / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,2,3.5,100\n")
    assert len(sources.read("ml-25m", data_dir=tmp_path)) == 1
