"""The pages of results say what their ledgers hold, and the ledgers hold ranks and nothing of the logs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recollect.evaluate.ledger import Ledger
from recollect.evaluate.metrics import measure
from recollect.evaluate.significance import compare
from recollect.study.tables import common_protocol

RESULTS = Path(__file__).parents[1] / "docs" / "results"
LEDGERS = sorted(RESULTS.glob("*/*.parquet"))
COMPARED = [path for path in LEDGERS if path.stem in ("test", "hidden", "allowed")]
"""Of several models, with their differences from `BASELINE` on the page."""
BASELINE = "xlstm-lsr"
INTERVAL = re.compile(r"\| ([+-]\.\d+) \[(-?\.\d+), (-?\.\d+)\] \|")


def label(path: Path) -> str:
    return path.relative_to(RESULTS).as_posix()


def page_of(ledger: Path) -> str:
    return ledger.parent.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", LEDGERS, ids=label)
def test_figures_on_the_page_are_those_of_the_ledger(path: Path) -> None:
    ledger, rows = Ledger.load(path), [line for line in page_of(path).splitlines() if line.startswith("| ")]
    for run in ledger.runs:
        metrics = measure(ledger.of(run))
        figures = [f" {metrics.text(name)} |" for name in ("hr@10", "ndcg@10")]
        assert any(row.startswith(f"| `{run}` ") and all(one in row for one in figures) for row in rows), (run, figures)


@pytest.mark.parametrize("path", COMPARED, ids=label)
def test_intervals_on_the_page_are_those_of_the_ledger(path: Path) -> None:
    """To what fewer draws than were made for the page leave open: .06 of the width is four deviations of an end."""
    ledger, rows = Ledger.load(path), page_of(path).splitlines()
    shown: dict[str, list[float]] = {}
    for run in ledger.runs:
        start = f"| `{run}` | {measure(ledger.of(run), ['hr@10']).text('hr@10')} |"
        for row in rows:
            if row.startswith(start) and (found := INTERVAL.search(row)):
                shown[run] = [float(one) for one in found.groups()]
    assert shown.keys() == set(ledger.runs) - {BASELINE}
    for one in compare(ledger, BASELINE, list(shown), draws=2000):
        difference, low, high = shown[one.run]
        assert difference == pytest.approx(one.difference, abs=6e-5), one.run
        assert (low, high) == pytest.approx((one.low, one.high), abs=6e-5 + 0.06 * (high - low)), one.run


@pytest.mark.parametrize("path", LEDGERS, ids=label)
def test_the_page_has_the_protocol_line_and_names_the_ledger(path: Path) -> None:
    page = page_of(path)
    assert common_protocol(list(Ledger.load(path).protocols.values())).line() in page
    assert f"({label(path)})" in page


@pytest.mark.parametrize("path", LEDGERS, ids=label)
def test_a_ledger_holds_ranks_and_nothing_of_the_log(path: Path) -> None:
    ledger = Ledger.load(path)
    assert not ledger.item.any() and ledger.user_id.tolist() == ledger.user.tolist()
    assert path.stat().st_size < 1_000_000
