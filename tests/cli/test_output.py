"""What is printed: JSON that every program reads, and cells that cannot spoil a terminal."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from recollect.cli.output import print_json, printable, table
from recollect.evaluate.metrics import figure


def test_json_holds_plain_values(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(
        {"a": np.int64(3), "b": [np.float32(0.5), math.nan, -math.inf], 3: (np.str_("x"), None, True), "d": "\udce9"}
    )
    read = json.loads(capsys.readouterr().out)
    assert read == {"a": 3, "b": [0.5, None, None], "3": ["x", None, True], "d": "\udce9"}


def test_cells_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    table(
        [("id", "left"), ("title", "right")], [["[bold]x[/bold]", "a\x1b[31mb\nc"], ["[/", "z" * 500]], "What [is] it"
    )
    out = capsys.readouterr().out
    assert "[bold]x[/bold]" in out and "[/" in out and "What [is] it" in out
    assert "\x1b" not in out and "a?[31mb?c" in out and "z" * 61 not in out


def test_long_texts_are_cut_and_figures_are_short() -> None:
    assert printable("x" * 100, 10) == "xxxxxxx..." and printable("Łódź") == "Łódź"
    assert [figure(value) for value in (0.12345, -0.5, 1.0)] == [".1235", "-.5000", "1.0000"]
