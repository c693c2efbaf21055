"""Rows that fall out are counted; a file of which every row does stops, whatever was said of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recollect.data.log import DataError
from recollect.data.sources import read

WEEKS = {
    "1.csv": "user,item,day,n\na,x,2024-05-01,1\nb,y,2024-05-02,1\n",
    "2.csv": "user,item,day,n\na,y,2024-05-08,1\nb,x,2024-05-09,1\n",
}


FORM = "is a date of another form than the column's others, such as '2024-05-01'"


@pytest.mark.parametrize("newest, options, said, rows", [
    ("a,z,20/05/24,1\nb,z,21/05/24,1\n", {"on_bad": "skip"}, f"line 2: '20/05/24' in column 'day' {FORM}", 2),
    (",z,2024-05-20,1\n,z,2024-05-21,1\n", {}, "line 2: no user id", 2),
    ("a,z,2024-05-20,0\n,z,2024-05-21,1\n", {"where": "n > 0"}, "line 3: no user id", 1),
    ("a,z,2024-05-20,1,5\nb,z,2024-05-21,1,5\n", {"on_bad": "skip"}, "line 2: too many fields", 2),
])  # fmt: skip
def test_a_file_of_which_nothing_is_left_stops(
    newest: str, options: dict[str, Any], said: str, rows: int, tmp_path: Path
) -> None:
    for name, text in {**WEEKS, "3.csv": "user,item,day,n\n" + newest}.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as error:
        read(tmp_path, **options)
    assert str(error.value).startswith(f"{tmp_path / '3.csv'} {said}, and no row of the file is left ({rows} such row")
    assert "or leave such files out with --on-bad skip-files" in str(error.value)
    log = read(tmp_path, **{**options, "on_bad": "skip-files"})
    assert len(log) == 4 and sum(entry.events for entry in log.dropped) == 2
    assert any(note.startswith(f"files that give no event: 1, first rows {tmp_path / '3.csv'}") for note in log.notes)


@pytest.mark.parametrize(
    "newest", ["", "user,item,day,n\n", "a,z,2024-05-20,0\nb,z,2024-05-21,0\n", "b,z,2024-05-21,1\n"]
)
def test_a_file_without_rows_or_without_wanted_ones_does_not(newest: str, tmp_path: Path) -> None:
    for name, text in {**WEEKS, "3.csv": "user,item,day,n\n" + newest}.items():
        (tmp_path / name).write_text(text)
    assert len(read(tmp_path, where="n > 0")) == (5 if newest.endswith(",1\n") else 4)


def test_a_total_below_an_export_is_no_empty_line(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("Beleg;Kunde;Artikel;Datum\n1;7;A;2024-05-01\n2;8;B;2024-05-02\nSumme;;;\n")
    log = read(tmp_path / "shop.csv", user="Kunde", item="Artikel", time="Datum")
    assert [(one.reason, one.events) for one in log.dropped] == [("nothing in user, item and time", 1)]
