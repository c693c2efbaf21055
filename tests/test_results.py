"""The pages of results say what their ledgers hold, and the ledgers hold ranks and nothing of the logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from recollect.evaluate.ledger import Ledger
from recollect.evaluate.metrics import measure
from recollect.study.tables import common_protocol

RESULTS = Path(__file__).parents[1] / "docs" / "results"
LEDGERS = sorted(RESULTS.glob("*/*.parquet"))


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
