"""Files in the order of their names: numbers by size, and everything else letter by letter."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from recollect.data import sources
from recollect.data.name_order import by_name, unlike_letters

NAMES = st.lists(st.text("ab09.-_é", min_size=1, max_size=8).filter(lambda name: name.strip(".")), unique=True)


def _paths(*names: str) -> list[Path]:
    return [Path(name) for name in names]


def test_numbers_stand_by_their_size() -> None:
    weeks = _paths("KW1.csv", "KW2.csv", "KW9.csv", "KW10.csv", "KW52.csv")
    assert by_name(sorted(weeks)) == weeks and unlike_letters(weeks) == (Path("KW9.csv"), Path("KW10.csv"))
    nested = _paths("2023/9.csv", "2023/10.csv", "2024/1.csv")
    assert by_name(sorted(nested)) == nested
    plain = _paths("export.csv", "export2.csv", "export10.csv")  # the first has no number
    assert by_name(sorted(plain)) == plain


@given(NAMES)
def test_numbers_of_one_length_stand_as_letters_do(names: list[str]) -> None:
    padded = [Path(re.sub("[0-9]+", lambda found: found[0].zfill(8), name)) for name in names]
    assert by_name(padded) == sorted(padded) and unlike_letters(by_name(padded)) is None


@given(NAMES, st.randoms())
def test_the_order_does_not_depend_on_how_they_are_found(names: list[str], draw: object) -> None:
    paths = _paths(*names)
    draw.shuffle(shuffled := list(paths))  # type: ignore[attr-defined]
    assert by_name(paths) == by_name(shuffled)


def test_weeks_without_a_time_continue_each_other(tmp_path: Path) -> None:
    for week in (9, 10, 11):
        (tmp_path / f"KW{week}.csv").write_text("user,item\n" + "".join(f"anna,{week}-{row}\n" for row in range(3)))
    wanted = [f"{week}-{row}" for week in (9, 10, 11) for row in range(3)]
    for source in (tmp_path, str(tmp_path / "KW*.csv")):
        log = sources.read(source, time="none")
        assert log.item_ids.decode(log.items).tolist() == wanted
        assert "3 files, in the order of their names, numbers by size (KW9.csv before KW10.csv)" in log.notes
    (tmp_path / "KW9.csv").rename(tmp_path / "KW09.csv")
    log = sources.read(tmp_path, time="none")
    assert log.item_ids.decode(log.items).tolist() == wanted
    assert "3 files, in the order of their names" in log.notes
