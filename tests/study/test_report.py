"""The sheets fit a terminal of 80 columns, say what their figures rest on, and are the same in the report."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recollect.artifact import ArtifactError
from recollect.evaluate.ledger import MISS, Ledger, concat
from recollect.evaluate.metrics import measure
from recollect.evaluate.protocol import Protocol
from recollect.evaluate.significance import compare as paired
from recollect.study.report import LEDGER, REPORT, TABLE, Sheet, markdown, sheets, without_figures, write
from recollect.study.tables import Cost, Row, Table

USERS = 200


def ledger(run: str, seed: int, shift: int, history: str = "whole") -> Ledger:
    ranks = np.random.default_rng(seed).integers(1, 30, USERS) + shift
    protocol = Protocol("log", "abc", "loo, test", "file", "hidden", "unused", "all 60 items", history)
    column = np.arange(USERS)
    return Ledger(
        np.full(USERS, run, dtype=object), np.full(USERS, seed), column, column, column + 1, column * 0 + 3,
        np.where(column < 4, MISS, ranks).astype(np.int32), {run: protocol},
    )  # fmt: skip


COST = Cost(1_234_567, 12.34, (9, 12), 20, 1234.5, 912_000_000, None, 0.1234, ("cpu, 2 threads",))
COUNTED = Cost(90, None, (), 0, 0.0123, 912_000_000, None, 0.1234, ("cpu, 2 threads",))


def make(on: Any = "test", *, seeds: int = 2, **failed: tuple[str, ...]) -> Table:
    """The best with `seeds` seeds, a network with one fewer, and a model that draws no random numbers."""
    parts = [
        *(ledger("xlstm-lsr", seed, 0) for seed in range(seeds)),
        *(ledger("mlstm4rec", seed, 2, "last 50") for seed in range(seeds - 1)),
        ledger("popularity", 0, 9),
    ]
    whole = dataclasses.replace(concat(parts), unseeded={"popularity"})
    tests = {one.run: one for one in paired(whole, "xlstm-lsr", draws=200)}
    costs = {"xlstm-lsr": COST, "mlstm4rec": COST, "popularity": COUNTED}
    rows = [Row(name, measure(whole.of(name)), costs[name], name != "popularity", tests.get(name)) for name in costs]
    return Table(on, tuple(rows), whole, seeds, failed)


def words(sheet: Sheet) -> str:
    return " ".join(sheet.notes)


def width(sheet: Sheet) -> int:
    """Of the table as the command prints it: three spaces between columns, one at each side."""
    cells = [tuple(name for name, _ in sheet.columns), *sheet.rows]
    return sum(max(len(row[k]) for row in cells) + 3 for k in range(len(sheet.columns))) - 1


def test_every_sheet_fits_eighty_columns() -> None:
    made = sheets(make())
    assert [sheet.title.split(":")[0].split(",")[0] for sheet in made] == ["Test", "NDCG@10", "Cost"]
    assert max(width(sheet) for sheet in made) <= 80
    assert all(len(row) == len(sheet.columns) for sheet in made for row in sheet.rows)


def test_accuracy_says_what_its_errors_and_seeds_are() -> None:
    table = make(sasrec=("failed: 3 heads",))
    sheet = sheets(table)[0]
    metrics = table.rows[0].metrics
    assert sheet.rows[0][:4] == ("xlstm-lsr", *(metrics.text(name) for name in ("hr@10", "ndcg@10", "mrr@10")))
    assert [row[4] for row in sheet.rows] == ["2", "1 of 2", "any", ""]
    spread = metrics.seed_spread["ndcg@10"]
    assert float(sheet.rows[0][5]) == pytest.approx(spread, abs=5e-5) and sheet.rows[1][5] == ""
    assert sheet.rows[3] == ("sasrec", "failed", "", "", "", "") and "sasrec: failed: 3 heads" in sheet.notes
    lacking = sheets(make(svd=("skipped: not here",)))[0]
    assert lacking.rows[3][:2] == ("svd", "skipped")
    assert sheets(make(sasrec=("seed 0 failed: x: y",)))[0].rows[3][:2] == ("sasrec", "failed")
    assert "standard error over 200 users" in sheet.title and "draws no random numbers" in words(sheet)
    assert "2.0% of the targets" in words(sheet)
    assert "History whole: xlstm-lsr, popularity; last 50: mlstm4rec." in words(sheet)
    assert "flatters" not in words(sheet) and "flatters" in words(sheets(make("validation"))[0])


def test_differences_have_their_interval_and_corrected_p() -> None:
    table = make(seeds=4)
    sheet = sheets(table)[1]
    assert sheet.title == "NDCG@10, minus that of xlstm-lsr"
    for row, shown in zip(table.rows[1:], sheet.rows, strict=True):
        one = row.comparison
        assert one is not None and shown[0] == row.model
        assert one.p is not None and one.p_holm is not None
        assert float(shown[1]) == pytest.approx(one.difference, abs=5e-5)
        assert [float(x) for x in shown[2].strip("[]").split(", ")] == pytest.approx([one.low, one.high], abs=5e-5)
        assert [float(p) for p in shown[3:]] == pytest.approx([one.p, one.p_holm], abs=5e-5)
    assert "2 comparisons" in words(sheet) and "another training would" in words(sheet)
    assert "LEFT OUT" not in words(sheet)


def test_below_three_seeds_no_p_is_given_and_what_is_left_out_is_said() -> None:
    sheet = sheets(make())[1]
    assert [row[3:] for row in sheet.rows] == [("none", "none")] * 2
    assert "LEFT OUT, for fewer than three seeds: how another training of mlstm4rec, xlstm-lsr" in words(sheet)
    assert "p:" not in words(sheet)
    some = sheets(make(seeds=3))[1]  # the best has three, the network two, and popularity needs none
    assert some.rows[0][3:] == ("none", "none") and float(some.rows[1][3]) < 0.05
    assert "another training of mlstm4rec would end" in words(some) and "over 1 comparison." in words(some)


def test_costs_are_open_where_there_is_nothing_to_say() -> None:
    sheet = sheets(make())[2]
    network, _, counted = sheet.rows
    assert network == ("xlstm-lsr", "1,234,567", "12.3", "9-12 of 20", "1,234", "912 MB", "0.12")
    assert counted == ("popularity", "90", "", "", "0.01", "912 MB", "0.12")
    assert "cpu, 2 threads" in words(sheet)


def test_times_of_different_machines_are_not_to_be_compared() -> None:
    table = make()
    other = dataclasses.replace(table.rows[1].cost, machines=("H200, 16 threads",), accelerator_bytes=5 * 10**9)
    rows = (table.rows[0], dataclasses.replace(table.rows[1], cost=other), table.rows[2])
    sheet = sheets(dataclasses.replace(table, rows=rows))[2]
    assert "NOT taken alike" in words(sheet) and "H200, 16 threads" in words(sheet)
    assert ("on GPU", "right") in sheet.columns and [row[6] for row in sheet.rows] == ["", "5 GB", ""]


def test_the_report_holds_the_sheets_the_protocol_and_the_failures() -> None:
    table = make(sasrec=("failed: 3 heads", "seed 1 failed: no luck"))
    text = markdown(table, "recollect compare --out x")
    assert "    recollect compare --out x" in text and table.protocol_line in text
    for sheet in sheets(table):
        assert f"## {sheet.title}" in text
        assert all(f"| {' | '.join(row)} |" in text for row in sheet.rows)
    assert "sasrec: failed: 3 heads" in text and "sasrec: seed 1 failed: no luck" in text
    assert without_figures(table) == ["sasrec: failed: 3 heads", "sasrec: seed 1 failed: no luck"]


def test_one_model_alone_has_nothing_to_be_compared_with() -> None:
    table = make()
    alone = dataclasses.replace(table, rows=table.rows[:1])
    assert [sheet.title.split(":")[0] for sheet in sheets(alone)] == ["Test", "Cost"]


def test_the_files_are_whole_and_can_be_read_again(tmp_path: Path) -> None:
    table = make()
    write(table, tmp_path, "command")
    assert {path.name for path in tmp_path.iterdir()} == {REPORT, TABLE, LEDGER}
    assert (Ledger.load(tmp_path / LEDGER).rank == table.ledger.rank).all()  # type: ignore[union-attr]
    said = json.loads((tmp_path / TABLE).read_text())
    assert said["rows"][0]["values"]["ndcg@10"] == table.rows[0].metrics["ndcg@10"]
    write(Table("test", (), None, 2, {"sasrec": ("failed: x",)}), tmp_path)
    assert not (tmp_path / LEDGER).exists() and "failed: x" in (tmp_path / REPORT).read_text()
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot be written"):
        write(table, tmp_path / "file")
