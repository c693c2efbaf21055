"""When the users of a log are asked for: at the moment named, or as the model was evaluated."""

from __future__ import annotations

import numpy as np
import pytest

from recollect.answers.moment import moment_for, moment_for_history
from recollect.data.log import build_log

from ..conformance.material import START
from ..serve.material import TOLD, artifact

NOW = START + 10_000_000
LATER = NOW + 5 * 86_400


def test_users_of_a_log_are_asked_as_the_model_was_evaluated() -> None:
    people = np.array(["ann"] * 3 + ["bob"] * 2, dtype=object)
    what = np.array(["item-01", "item-02", "item-01", "item-03", "item-04"], dtype=object)
    log = build_log(people, what, NOW + np.arange(5) * 3600)
    end = NOW + 4 * 3600
    for used, at, expected in (("used", None, end), ("unused", None, None), ("used", LATER, LATER), ("unused", 7, 7)):
        model = artifact(TOLD)
        model.settings["evaluate"] = {"request_time": used}  # type: ignore[index]
        table = model.recommend_all(log, k=3, at=at)
        assert table.at == expected
        past = [("item-01", NOW), ("item-02", NOW + 3600), ("item-01", NOW + 7200)]
        (answer,) = model.recommend(
            [[item for item, _ in past]], times=[[time for _, time in past]], k=3,
            at=None if expected is None else [expected],
        )  # fmt: skip
        rows = [row for row in table.rows() if row["user"] == "ann"]
        assert [row["item"] for row in rows] == [row.item for row in answer]
        assert [row["logit"] for row in rows] == pytest.approx([row.logit for row in answer], abs=1e-4)
        pairs = [("ann", row.item) for row in answer]
        scores = model.score(pairs, log, at=at)
        assert scores.at == expected
        assert scores["logit"].tolist() == pytest.approx([row.logit for row in answer], abs=1e-4)
    assert artifact("hstu").recommend_all(log, at=LATER).at is None


def test_a_model_or_a_log_without_times_is_told_none() -> None:
    users, items = (np.array(ids, dtype=object) for ids in (["ann", "ann"], ["item-01", "item-02"]))
    timed, ordered = build_log(users, items, NOW + np.arange(2)), build_log(users, items, None)
    assert timed.clock and not ordered.clock
    told, plain = artifact(TOLD), artifact("gru4rec")
    for model in (told, plain):
        model.settings["evaluate"] = {"request_time": "used"}  # type: ignore[index]
    assert [moment_for(told, log, at) for log in (timed, ordered) for at in (LATER, None)] == [
        LATER,
        NOW + 1,
        None,
        None,
    ]
    assert [moment_for(plain, timed, at) for at in (LATER, None)] == [None, None]
    assert moment_for_history(told, LATER) == LATER and moment_for_history(plain, LATER) is None
    present = moment_for_history(told)
    assert present is not None and present > 1_700_000_000 and moment_for_history(plain) is None
    told.card["data"]["clock"] = False  # type: ignore[index]
    assert moment_for(told, timed, LATER) is None and moment_for_history(told, LATER) is None
