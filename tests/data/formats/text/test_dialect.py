"""The separator is the one that cuts the rows, whatever the file is called and whatever stands in its fields."""

from __future__ import annotations

import pytest

from recollect.data.formats.text.dialect import TAB, detect, said_by_excel


@pytest.mark.parametrize(
    ("row", "separator"),
    [
        ("17{0}33{0}3,5{0}1690000000", ";"),
        ("u{0}i{0}Sun, 09 Sep 2001 01:46:40 +0000{0}1{0}", TAB),
        ("Sun, 09 Sep 2001 01:46:40 +0000{0}u{0}i{0}1{0}", TAB),
        ("Sun, 09 Sep 2001 01:46:40 +0000{0}u{0}i{0}1{0}", ";"),
        ("Sunday, 9 September, 2001{0}u{0}i{0}1", "|"),
        ("09 9, 2001{0}u{0}i{0}1", ";"),
        ("1{0}2{0}a, b{0}4", "::"),
        ("17{0} 2, 3;4;5;6", ","),
        ("1{0}2{0}a|b|c|d", ","),
        ("1{0}a;b;c{0}d;e;f", ","),
        ("1{0}2", ","),
        ("1{0}2", ";"),
    ],
)
@pytest.mark.parametrize("header", ["", "user{0}item{0}time{0}rating"])
def test_a_sign_within_fields_is_no_separator(row: str, separator: str, header: str) -> None:
    lines = [line.format(separator) for line in (header, row, row, row) if line]
    assert detect(lines, ".csv") == separator


@pytest.mark.parametrize(
    ("line", "separator"), [("sep=;", ";"), ("sep=\t", "\t"), ('"sep=|"\r', "|"), ("sep=\\t", "\t")]
)
def test_the_separator_that_excel_writes_into_the_first_line(line: str, separator: str) -> None:
    assert said_by_excel(line) == separator
    assert said_by_excel(f"{line},x") is None
