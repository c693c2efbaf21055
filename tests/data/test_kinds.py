"""Kinds of events: views are context, purchases are asked for; training learns what the weights say."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import recollect
from recollect.config import ConfigError
from recollect.data import filters, prepared
from recollect.data.batches import BatchSettings, build, plan_carried
from recollect.data.filters import FilterConfig
from recollect.data.log import DataError, EventLog

SHOP = pl.DataFrame(
    {
        "user": [1] * 7 + [2] * 4 + [3] * 3,
        "item": [10, 11, 12, 13, 14, 15, 16, 10, 11, 12, 13, 10, 11, 12],
        "time": [*range(7), *range(4), *range(10, 13)],
        "event": [*"vbvbvbv", *"bvvb", *"vvb"],
    }
)


def shop(**options: object) -> EventLog:
    return recollect.read(SHOP, kind="event", **options)


def test_targets_are_asked_and_the_rest_is_context() -> None:
    log = shop(targets=["b"])
    assert log.weights is not None and log.targets is not None
    assert log.weights.tolist() == log.targets.tolist() == [k == "b" for k in SHOP["event"]]
    split = recollect.loo(log)
    # user 1 bought at places 1, 3, 5; user 2 behind the first event only at 3; user 3 once
    assert split.test.positions.tolist() == [5] and split.validation.positions.tolist() == [3]
    assert split.train_ends.tolist() == [3, 11, 14]
    assert split.train.weights is not None and split.train.weights.tolist()[:3] == [0, 1, 0]


def test_weights_alone_leave_out_of_the_targets_what_weighs_nothing() -> None:
    log = shop(weights={"v": 0, "b": 2.5})
    assert set(np.asarray(log.weights).tolist()) == {0.0, 2.5}
    assert np.asarray(log.targets).tolist() == [k == "b" for k in SHOP["event"]]
    both = shop(weights={"v": 0.25}, targets=["b"])
    assert set(np.asarray(both.weights).tolist()) == {0.25, 1.0}


def test_without_kinds_nothing_changes() -> None:
    plain, named = recollect.read(SHOP), shop()
    assert plain.digest == named.digest and plain.weights is None and named.targets is None
    assert shop(targets=["b"]).digest != plain.digest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["buy"]}, "column 'event' never holds 'buy'"),
        ({"weights": {"b": -1}}, r"data\.weights\.b: -1\.0 is no weight"),
        ({"weights": {"b": 0, "v": 0}}, "every kind weighs 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises((DataError, ConfigError), match=message):
        shop(**options)
    with pytest.raises(ConfigError, match="name the column that holds the kind"):
        recollect.read(SHOP, targets=["b"])


def test_filters_and_prepared_logs_keep_them(tmp_path: object) -> None:
    log = shop(targets=["b"])
    few = filters.apply(log, FilterConfig(min_user_events=4))
    assert np.asarray(few.weights).tolist() == [k == "b" for k in SHOP["event"][:11]]
    folder = prepared.save(log, f"{tmp_path}/kept")
    again = prepared.load(folder, verify=True)
    assert again.digest == log.digest and np.array_equal(again.weights, log.weights)  # type: ignore[arg-type]


def test_batches_carry_them_to_the_cells() -> None:
    histories = recollect.loo(shop(targets=["b"])).train
    for step in plan_carried(histories.lengths, BatchSettings(), seed=0, epoch=0):
        events, targets, weights = build(histories, step)
        assert weights is not None
        for row, user in enumerate(step.rows):
            own = histories.weights[histories.offsets[user] : histories.offsets[user + 1]]  # type: ignore[index]
            assert weights[row, : len(own)].tolist() == own.tolist()
            assert targets[row].tolist() == (events.mask[row] & (weights[row] > 0)).tolist()


@pytest.mark.parametrize("name", ["sasrec", "gru4rec", "bert4rec", "bilstm4rec", "markov", "popularity"])
def test_models_learn_targets_only(name: str) -> None:
    """Every user views item 1 between purchases; whoever counts views puts it first, whoever learns targets never."""
    rows = [(user, item, k, kind) for user in range(40) for k, (item, kind) in enumerate(
        pair for turn in range(6) for pair in ((1, "view"), (2 + (user + turn) % 5, "buy")))]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["user", "item", "time", "event"], orient="row")
    log = recollect.read(frame, kind="event", targets=["buy"])
    network = name not in ("markov", "popularity")
    train = {"epochs": 8, "patience": 8, "batches": {"tokens": 256}, "learning_rate": 0.01} if network else {}
    model = {"width": 16} if network else {}
    trained = recollect.fit(name, recollect.loo(log), train, model=model, seen="allowed")
    answers = recollect.recommend(trained.model, log.item_ids, [[1, 3], [1, 3, 1], [1]], k=6, seen="allowed")
    assert all(answer[0].item != 1 for answer in answers)
    assert all(one.rank > 3 for answer in answers for one in answer if one.item == 1)
    plain = recollect.fit("popularity", recollect.loo(recollect.read(frame)))
    assert recollect.recommend(plain.model, log.item_ids, [[]], k=1)[0][0].item == 1


def test_a_model_that_counts_all_alike_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    from recollect.train.progress import Console

    recollect.fit("ease", recollect.loo(shop(targets=["b"])), report=Console())
    assert "counts every event alike" in "".join(capsys.readouterr())


def test_what_is_asked_for_and_what_is_context_is_said() -> None:
    """`Buy` beside `buy` is context, which nobody would guess from the figures."""
    table = SHOP.with_columns(event=pl.Series([*"vbvbvbv", *"Bvvb", *"vvb"]))
    log = recollect.read(table, kind="event", targets=["b"])
    assert "kinds of event: asked for b (5); context v (8), B (1)" in log.notes


def test_targets_that_the_condition_leaves_out_are_refused() -> None:
    with pytest.raises(DataError, match=r"no event that is left is of a kind that is asked for; event holds v"):
        shop(targets=["b"], where="event != b")
