"""Why an item was recommended: every effect against two histories read by hand, and models whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

import recollect
from recollect.data.log import DataError
from recollect.registry import names

from .material import UNBORN, busiest, log, past, scores_after, times_of, trained


@pytest.mark.parametrize("name", [name for name in names() if name not in UNBORN])
def test_the_effect_is_the_logit_with_the_event_minus_the_logit_without(name):
    model, user = trained(name), busiest()
    codes, times = log().item_ids.encode(past(user), unknown=0).tolist(), times_of(user)
    assert len(codes) > 6
    found = recollect.explain(model, past(user), times=times, last=4, k=3)
    (answer,) = model.recommend([past(user)], times=[times], k=3)
    assert [(one.item, one.title) for one in found] == [(one.item, one.title) for one in answer]
    whole = scores_after(model.model, codes, times)
    for one in found:
        own = log().item_ids.find(one.item)
        assert one.logit == pytest.approx(whole[own], abs=1e-4)
        assert [effect.position for effect in one.effects] == list(range(len(codes) - 3, len(codes) + 1))
        for effect in one.effects:
            gone = effect.position - 1
            assert effect.item == past(user)[gone] and effect.title == f"Title {effect.item}"
            without = scores_after(model.model, codes[:gone] + codes[gone + 1 :], times[:gone] + times[gone + 1 :])
            assert effect.logit == pytest.approx(whole[own] - without[own], abs=2e-4)


def test_nothing_moves_popularity():
    for one in trained("popularity").explain(past(busiest())):
        assert all(effect.logit == 0 for effect in one.effects) and one.strongest() == ()


def test_the_last_events_share_of_a_markov_score_by_hand():
    """Score = T[last, b] + decay T[one before, b]; what is left out makes room for the one before it."""
    model = trained("markov", gaps=1, decay=0.5, recent=2)
    steps = model.model._steps.toarray()
    history = ["i01", "i04", "i07"]
    first, before, last = (log().item_ids.find(one) for one in history)
    (found,) = recollect.explain(model, history, items=["i08"])
    target = log().item_ids.find("i08")
    whole = steps[last, target] + 0.5 * steps[before, target]
    assert found.logit == pytest.approx(whole)
    third = 0.5 * steps[first, target]
    without = [whole, steps[last, target] + third, steps[before, target] + third]
    assert [one.logit for one in found.effects] == pytest.approx([whole - one for one in without], abs=1e-7)
    assert found.effects[0].logit == 0, "the first event is out of sight"
    assert any(abs(one.logit) > 1e-4 for one in found.effects), "else this shows nothing"


def test_what_is_unknown_is_named_and_positions_count_it():
    model = trained("markov")
    found = model.explain(["i01", "?", "i04"], items=["Title i05"])
    assert found.unknown == ("?",) and [one.position for one in found[0].effects] == [1, 3]
    same = model.explain(["i01", "i04"], items=["i05"])
    assert [one.logit for one in found[0].effects] == [one.logit for one in same[0].effects]
    with pytest.raises(DataError, match="no item has the id or title 'i99'"):
        model.explain(["i01"], items=["i99"])
    with pytest.raises(ValueError, match="last must be"):
        model.explain(["i01"], last=0)
    with pytest.raises(ValueError, match="1 items but 2 times"):
        model.explain(["i01"], times=[1, 2])


def test_a_history_of_nothing_has_nothing_to_say():
    for history in ([], ["?"]):
        found = trained("gru4rec").explain(history, k=2)
        assert len(found) == 2 and all(one.effects == () for one in found)


def test_the_strongest_come_first_whatever_their_sign():
    (found,) = trained("gru4rec").explain(past(busiest()), k=1)
    strongest = found.strongest(2)
    sizes = sorted((abs(one.logit) for one in found.effects), reverse=True)
    assert [abs(one.logit) for one in strongest] == sizes[:2]
    assert {np.sign(one.logit) for one in found.effects} == {-1, 1}, "some speak for it and some against"
