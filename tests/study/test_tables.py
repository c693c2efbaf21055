"""What a table says is what the ledgers and cards say: means, errors, differences, costs, the best first."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from recollect.evaluate.ledger import MISS, Ledger, concat
from recollect.evaluate.metrics import measure
from recollect.evaluate.protocol import Protocol
from recollect.evaluate.significance import compare as paired
from recollect.study.tables import Measured, Table, common_protocol, cost_of, plain, tabulate

PROTOCOL = Protocol("log", "abc", "loo, test", "file", "hidden", "unused", "all 9 items")


def ledger(run: str, seed: int, ranks: list[int], **protocol: Any) -> Ledger:
    count = len(ranks)
    return Ledger(
        run=np.full(count, run, dtype=object),
        seed=np.full(count, seed),
        user=np.arange(count),
        user_id=np.arange(count),
        item=np.ones(count, dtype=np.int64),
        length=np.full(count, 3),
        rank=np.array(ranks, dtype=np.int32),
        protocols={run: dataclasses.replace(PROTOCOL, **protocol)},
    )


def card(seconds: float = 4.0, history: list[dict[str, Any]] | None = None, **cost: Any) -> dict[str, Any]:
    base = {"parameters": 10, "peak bytes": 100, "device": "cpu", "threads": 2, "ranking seconds": 1.0}
    return {
        "seconds": seconds,
        "history": history or [],
        "best epoch": 0,
        "protocol": {"users": 500},
        "cost": {**base, **cost},
    }


def made(ranks: Ledger, seeded: bool = True) -> Measured:
    return Measured(ranks, card(), seeded)


GOOD = [ledger("good", seed, ranks) for seed, ranks in enumerate([[1, 2, 9, 4, 1], [2, 1, 30, 3, 1]])]
POOR = [ledger("poor", 0, [5, MISS, 40, 9, 2], history="last 5")]


@pytest.fixture
def table() -> Table:
    return tabulate([made(POOR[0], seeded=False), *map(made, GOOD)], "test", 2, {"none": ("failed: no luck",)})


def test_rows_are_what_the_ledgers_say_the_best_first(table: Table) -> None:
    assert [row.model for row in table.rows] == ["good", "poor"]
    for row, parts in zip(table.rows, (GOOD, POOR), strict=True):
        assert row.metrics == measure(concat(parts))
    assert table.rows[0].metrics.seed_spread and not table.rows[1].metrics.seed_spread
    assert [row.seeded for row in table.rows] == [True, False]


def test_differences_are_those_of_the_paired_test(table: Table) -> None:
    whole = dataclasses.replace(concat([*POOR, *GOOD]), unseeded={"poor"})
    (wanted,) = paired(whole, "good", ["poor"])
    assert table.rows[0].comparison is None and table.rows[1].comparison == wanted
    assert wanted.leaves_out == ("good",) and table.ledger is not None and table.ledger.unseeded == {"poor"}


def test_the_protocol_speaks_for_all_rows(table: Table) -> None:
    assert "history last 5 or whole" in table.protocol_line or "history whole or last 5" in table.protocol_line
    assert "seeds 0, 1" in table.protocol_line and "5 users" in table.protocol_line
    both = common_protocol([PROTOCOL, dataclasses.replace(PROTOCOL, request_time="used", seeds=(7,))])
    assert both.request_time == "unused or used" and both.seeds == (7,) and both.digest == "abc"


def test_models_measured_otherwise_are_not_compared() -> None:
    other = ledger("poor", 0, [5, 7, 4, 9, 2], seen="allowed")
    with pytest.raises(ValueError, match="not measured alike"):
        tabulate([made(GOOD[0]), made(other)], "test", 1, {})
    timed = ledger("timed", 0, [5, 7, 4, 9, 2], request_time="used")
    second = tabulate([made(GOOD[0]), made(timed)], "test", 1, {}).rows[1]
    assert second.comparison is not None and second.comparison.unlike


def test_no_figures_are_a_table_too() -> None:
    empty = tabulate([], "test", 1, {"none": ("failed: x",)})
    assert (
        empty.rows == () and plain(empty)["rows"] == [] and plain(empty)["without figures"] == {"none": ["failed: x"]}
    )


def test_others_can_be_compared_with_one_that_is_not_the_best() -> None:
    chosen = tabulate([*map(made, GOOD), made(POOR[0])], "test", 2, {}, "poor")
    assert chosen.reference == "poor" and [row.model for row in chosen.rows] == ["good", "poor"]
    good, poor = plain(chosen)["rows"]
    assert good["difference"]["baseline"] == "poor" and good["difference"]["difference"] > 0
    assert poor["difference"] is None and good["minus the best"] is None
    assert plain(chosen)["compared with"] == "poor"


def test_plain_values_have_the_same_figures(table: Table) -> None:
    good, poor = plain(table)["rows"]
    assert good["values"]["ndcg@10"] == table.rows[0].metrics["ndcg@10"] and good["seeds"] == [0, 1]
    assert good["minus the best"] is None and poor["minus the best"]["difference"] < 0
    assert poor["difference"] == poor["minus the best"] and plain(table)["compared with"] == "good"
    assert poor["minus the best"]["p"] is None and list(poor["minus the best"]["leaves_out"]) == ["good"]
    assert good["standard deviations over seeds"] and poor["misses"] == 1
    alone = ledger("alone", 0, [1])
    assert measure(alone).errors["hr@10"] != measure(alone).errors["hr@10"]  # nan, which JSON does not know
    row = dataclasses.replace(table.rows[0], metrics=measure(alone))
    assert plain(dataclasses.replace(table, rows=(row,)))["rows"][0]["standard errors over users"]["hr@10"] is None


def test_costs_are_means_over_seeds_and_the_most_memory() -> None:
    first = card(10.0, [{"train_seconds": 2.0}, {"train_seconds": 4.0}])
    second = card(20.0, [{"train_seconds": 6.0}], **{"peak bytes": 300, "accelerator bytes": 7, "ranking seconds": 2.0})
    first["best epoch"], second["best epoch"] = 2, 1
    cost = cost_of([first, second])
    assert cost.epoch_seconds == 4.0 and cost.seconds == 15.0 and cost.best_epochs == (2, 1) and cost.epochs == 2
    assert (cost.peak_bytes, cost.accelerator_bytes, cost.parameters) == (300, 7, 10)
    assert cost.ranking_seconds == pytest.approx((2.0 + 4.0) / 2)
    assert cost.machines == ("cpu, 2 threads",)
    assert cost_of([card(threads=1), card()]).machines == ("cpu, 1 thread", "cpu, 2 threads")


def test_a_card_without_costs_leaves_them_open() -> None:
    old = card()
    del old["cost"]
    cost = cost_of([old])
    assert cost.seconds == 4.0
    assert {cost.parameters, cost.epoch_seconds, cost.peak_bytes, cost.ranking_seconds} == {None}
    assert cost.machines == () and cost.best_epochs == ()
