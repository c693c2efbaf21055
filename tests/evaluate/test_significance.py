"""Comparisons keep their promises on simulated runs: over users, over trainings, and where a training is left out."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recollect.data.log import DataError
from recollect.evaluate.between_seeds import NONE, between_seeds
from recollect.evaluate.ledger import Ledger, concat
from recollect.evaluate.metrics import gains
from recollect.evaluate.protocol import Protocol
from recollect.evaluate.resampling import paired_bootstrap, paired_permutation
from recollect.evaluate.significance import _difference, _Gains, compare, holm

PROTOCOL = Protocol("toy", "0" * 12, "loo, test", "file", "hidden", "unused")


def ledger(ranks, run, *, users=None, seed=0, item=None, protocol=PROTOCOL) -> Ledger:
    """Each user's targets stand in their order; `users` by default are each their own."""
    count = len(ranks)
    item = np.ones(count, dtype=np.int64) if item is None else item
    length = np.zeros(count, dtype=np.int64)
    if users is not None:
        length = np.array([users[:k].count(users[k]) for k in range(count)], dtype=np.int64)
    users = np.arange(count) if users is None else np.asarray(users)
    name = np.full(count, run, dtype=object)
    ranks = np.asarray(ranks, dtype=np.int32)
    return Ledger(name, np.full(count, seed), users, users, item, length, ranks, {run: protocol})


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_stepping_down_rejects(p):
    adjusted = holm(p)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True)) and max(adjusted) <= 1
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for step, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
            if p[index] * (len(p) - step) > level:
                break
            rejected.add(index)
        assert {k for k, a in enumerate(adjusted) if a <= level} == rejected


def planted(*, unseeded: bool) -> Ledger:
    random = np.random.default_rng(5)
    base = random.integers(1, 60, 3000)
    whole = concat(
        [
            ledger(base, "base"),
            ledger(random.permutation(base), "same"),
            ledger(np.maximum(1, base - 3), "better"),
        ]
    )
    return dataclasses.replace(whole, unseeded=frozenset(whole.runs) if unseeded else frozenset())


def test_compare_finds_the_planted_difference():
    whole = planted(unseeded=True)
    same, better = compare(whole, "base", metric="ndcg@10", draws=2000)
    gain = gains("ndcg@10", whole.of("better").rank) - gains("ndcg@10", whole.of("base").rank)
    assert better.difference == pytest.approx(gain.mean())
    assert better.better and better.low < better.difference < better.high and better.p_holm < 0.01
    assert not same.better and same.low < 0 < same.high and same.p > 0.01
    assert better.p_holm == pytest.approx(2 * better.p)
    assert "better - base, NDCG@10" in better.line() and "only" not in better.line() and "p 0.0005" in better.line()


def test_models_without_random_numbers_are_compared_over_users_alone():
    whole = planted(unseeded=True)
    for one in compare(whole, "base", draws=2000):
        gain = gains("ndcg@10", whole.of(one.run).rank) - gains("ndcg@10", whole.of("base").rank)
        assert (one.low, one.high) == paired_bootstrap(gain, draws=2000)
        assert one.p == pytest.approx(paired_permutation(gain, draws=2000))
        assert one.leaves_out == ()


def test_with_fewer_than_three_seeds_it_says_what_it_leaves_out_and_gives_no_p():
    whole = planted(unseeded=False)
    one = compare(whole, "base", ["better"], draws=500)[0]
    assert one.p is None and one.p_holm is None and one.leaves_out == ("better", "base")
    assert one.low > 0 and not one.better  # over users it is; another training may end otherwise
    assert "leaves out how another training of better or base would end (only 1 seed), so no p" in one.line()
    base = dataclasses.replace(whole, unseeded={"base"})
    assert compare(base, "base", ["better"], draws=500)[0].leaves_out == ("better",)
    two = concat([whole, ledger(whole.of("better").rank, "better", seed=1)])
    assert "(only 2 seeds)" in compare(dataclasses.replace(two, unseeded={"base"}), "base", ["better"])[0].line()


def test_holm_corrects_over_the_comparisons_that_have_a_p():
    three = [ledger(np.random.default_rng(s).integers(1, 40, 300), "three", seed=s) for s in range(3)]
    whole = concat([planted(unseeded=True).of("base"), *three, ledger([5] * 3000, "once")])
    users = dataclasses.replace(whole.of("base"), **{n: c[:300] for n, c in whole.of("base").columns().items()})
    ledgers = [users, *three, ledger([5] * 300, "once"), ledger([6] * 300, "counts")]
    whole = dataclasses.replace(concat(ledgers), unseeded={"base", "counts"})
    found = {one.run: one for one in compare(whole, "base", draws=500)}
    assert found["once"].p_holm is None
    assert [found[run].p_holm for run in ("three", "counts")] == holm([found[run].p for run in ("three", "counts")])


def test_compare_averages_seeds_and_weighs_users_by_their_targets():
    users = [0, 0, 0, 1, 2]
    base = [ledger([1, 30, 30, 30, 1], "base", users=users, seed=s) for s in range(3)]
    run = [ledger([1, 1, 30, 30, 30] if s else [1, 30, 30, 30, 1], "run", users=users, seed=s) for s in range(3)]
    (found,) = compare(concat(base + run), "base", metric="hr@10", draws=200)
    assert found.difference == pytest.approx(((2 / 3) - (2 / 3)) / 5)
    assert (found.users, found.seeds) == (3, 3)
    assert "only" not in found.line()


def test_rows_in_another_order_are_paired_right():
    random = np.random.default_rng(6)
    ranks = random.integers(1, 30, 200)
    order = random.permutation(200)
    mixed = ledger(ranks[order], "run", users=order.tolist())
    both = dataclasses.replace(concat([ledger(ranks, "base"), mixed]), unseeded={"base", "run"})
    (found,) = compare(both, "base", draws=100)
    assert found.difference == 0.0 and (found.low, found.high) == (0.0, 0.0) and found.p == 1.0


def test_what_was_not_asked_alike_is_not_compared():
    ranks = [1, 2, 3]
    fewer, other_item = ledger(ranks[:2], "run"), ledger(ranks, "run", item=np.array([1, 1, 9]))
    used = ledger(ranks, "run", protocol=dataclasses.replace(PROTOCOL, request_time="used"))
    for bad, why in ((fewer, "users"), (other_item, "targets"), (used, "request_time")):
        with pytest.raises(DataError, match=why):
            compare(concat([ledger(ranks, "base"), bad]), "base")
    with pytest.raises(DataError, match=r"'run' and 'base' .*request_time: 'used' and 'unused'"):
        compare(concat([ledger(ranks, "base"), used]), "base")
    (allowed,) = compare(concat([ledger(ranks, "base"), used]), "base", allow=("request_time",), draws=50)
    assert "NOT ALIKE in request_time" in allowed.line()


def test_seeds_that_were_asked_different_users_are_refused():
    uneven = concat([ledger([1, 2, 3], "base"), ledger([1, 2], "base", seed=1), ledger([1, 2, 3], "run")])
    with pytest.raises(DataError, match="same targets with every seed"):
        compare(uneven, "base")


@pytest.mark.parametrize("ranks, users", [([], "0 users"), ([3], "1 user:")])
def test_one_user_is_no_comparison(ranks, users):
    with pytest.raises(DataError, match=f"'base' has targets of {users}"):
        compare(concat([ledger(ranks, "base"), ledger([1, 2], "run")]), "base")


def test_what_the_interval_is_made_of():
    """Users' part by hand (what trainings do to single users taken out), trainings' by Welch's test, in squares."""
    random = np.random.default_rng(7)
    level = {"a": [0.0, 0.3, -0.2], "b": [0.1, -0.4, 0.5, 0.0]}
    made, values, both = [], {}, random.normal(3, 1.5, 500)
    for run, shifts in level.items():
        own = both + random.normal(0, 0.8, 500)
        ranks = [1 + np.exp(own + shift + random.normal(0, 0.4, 500)).astype(np.int64) for shift in shifts]
        made += [ledger(rank, run, seed=seed) for seed, rank in enumerate(ranks)]
        values[run] = np.stack([gains("ndcg@10", rank) for rank in ranks])
    (one,) = compare(concat(made), "a", ["b"])
    user = values["b"].mean(axis=0) - values["a"].mean(axis=0)
    low, high = paired_bootstrap(user)
    chance = sum(
        np.square(v - v.mean(axis=0) - v.mean(axis=1, keepdims=True) + v.mean()).sum() / (len(v) - 1) / len(v)
        for v in values.values()
    ) / (500 * 499)
    kept = 1 - chance / (user.var(ddof=1) / 500)
    welch = stats.ttest_ind(values["b"].mean(axis=1), values["a"].mean(axis=1), equal_var=False)
    error = user.mean() / welch.statistic
    reach = stats.t.ppf(0.975, welch.df) * error
    assert 0 < kept < 1 and one.difference == pytest.approx(user.mean())
    assert one.low == pytest.approx(user.mean() - np.sqrt(kept * (user.mean() - low) ** 2 + reach**2))
    assert one.high == pytest.approx(user.mean() + np.sqrt(kept * (high - user.mean()) ** 2 + reach**2))
    assert one.low < low and one.high > high
    at = compare(concat(made), "a", ["b"], level=1 - one.p)[0]  # p is the level at which it ends at zero
    assert min(abs(at.low), abs(at.high)) < 0.03 * (at.high - at.low)


def test_seeds_that_agree_by_luck_do_not_narrow_the_interval():
    random = np.random.default_rng(8)
    ranks = random.integers(1, 40, (2, 400))
    made = [ledger(np.roll(ranks[k], 7 * s), "ab"[k], seed=s) for k in range(2) for s in range(3)]
    whole = concat(made)  # every seed has the same mean, and other users
    (one,) = compare(whole, "a", ["b"])
    user = [np.mean([gains("ndcg@10", np.roll(ranks[k], 7 * s)) for s in range(3)], axis=0) for k in range(2)]
    low, high = paired_bootstrap(user[1] - user[0])
    assert (one.low, one.high) == pytest.approx((low, high), rel=1e-6)


# --- two methods that are the same, or not: what a comparison says over many repetitions ------------------------------

DEVIATION = 0.0037
"""Of NDCG@10 from one training to another, as it was met on MovieLens 1M."""


def ranks_of(logarithms: np.ndarray) -> np.ndarray:
    return 1 + np.exp(np.clip(logarithms, -5, 18)).astype(np.int32)


@functools.cache
def slope() -> float:
    """How much NDCG@10 rises when all log-ranks go down by one, nearly, for small steps."""
    own = np.random.default_rng(0).normal(3.6, 2.15, 400_000)
    return float(np.mean(gains("ndcg@10", ranks_of(own - 0.1)) - gains("ndcg@10", ranks_of(own + 0.1))) / 0.2)


def trained(run: str, random: np.random.Generator, own: np.ndarray, *, gain: float = 0.0, seeds: int = 3) -> Ledger:
    """Trainings of a method: each moves all users by a normal draw, and every user by one of their own."""
    of_training = (gain + random.normal(0, DEVIATION, (seeds, 1))) / slope()
    ranks = ranks_of(own - of_training + random.normal(0, 0.75, (seeds, len(own))))
    one = ledger(ranks.ravel(), run)
    seed, user = np.divmod(np.arange(ranks.size), len(own))
    return dataclasses.replace(one, seed=seed, user=user, user_id=user)


def often(repetitions: int, make: Callable[[np.random.Generator, np.ndarray], Ledger]) -> tuple[float, float, float]:
    """-> shares of repetitions in which `b` is called different, in which users alone call it so, and above `a`."""
    different = users_alone = above = 0
    for repetition in range(repetitions):
        random = np.random.default_rng([11, repetition])
        whole = make(random, random.normal(3.6, 2.0, 6040))
        (one,) = compare(whole, "a", ["b"], draws=1000)
        assert one.leaves_out == ()
        differs = one.low > 0 or one.high < 0
        assert differs == (one.p < 0.05) or one.p == pytest.approx(0.05, abs=0.02)
        different, above = different + differs, above + (one.low > 0)
        gain = {run: gains("ndcg@10", whole.of(run).rank).reshape(-1, 6040) for run in "ab"}
        mean = {run: one.mean(axis=0) for run, one in gain.items()}
        low, high = paired_bootstrap(mean["b"] - mean["a"], draws=1000)
        users_alone += low > 0 or high < 0
    return different / repetitions, users_alone / repetitions, above / repetitions


def identical(random: np.random.Generator, own: np.ndarray) -> Ledger:
    return concat([trained("a", random, own), trained("b", random, own)])


def ahead(random: np.random.Generator, own: np.ndarray) -> Ledger:
    return concat([trained("a", random, own), trained("b", random, own, gain=0.02)])


def counted(random: np.random.Generator, own: np.ndarray) -> Ledger:
    """`a` draws no random numbers and comes once; `b` suits other users, and is as good on average."""
    mine, other = (own + random.normal(0, 0.75, len(own)) for _ in range(2))
    base = ledger(ranks_of(mine + random.normal(0, 0.75, len(own))), "a")
    return concat([dataclasses.replace(base, unseeded={"a"}), trained("b", random, other)])


def test_the_luck_of_a_training_is_no_difference():
    different, users_alone, _ = often(30, identical)
    assert different <= 0.1 and users_alone >= 0.25
    assert often(12, ahead)[2] >= 0.75


@pytest.mark.long
@pytest.mark.parametrize("methods, training, chance", [(0.5, 0, 3), (0.5, 3, 0.5), (2, 3, 2), (4, 1, 1)])
@pytest.mark.parametrize("seeds", [(3, 3), (3, 0), (3, 6)], ids=str)
def test_whatever_the_difference_comes_from_it_keeps_its_promise(seeds, methods, training, chance):
    """Deviations: of what two methods do to a user, of what a training does to all (x users^-1/2) and to each."""
    random, users, reps, called = np.random.default_rng(12), 150, 400, 0
    for rep in range(reps):
        sides = []
        for run, count in zip("ab", seeds, strict=True):
            own = random.normal(0, methods, users)
            moved = random.normal(0, training / np.sqrt(users), (count, 1))
            sums = own + moved + random.normal(0, chance, (count, users)) if count else own[None]
            known = between_seeds(sums, np.ones(users)) if count else NONE
            sides.append(_Gains(run, np.zeros((users, 3)), sums, np.ones(users), known))
        _, low, high, _ = _difference(*sides, level=0.95, draws=300, seed=rep)
        called += low > 0 or high < 0
    assert called / reps <= 0.085  # 5 %, three standard errors of the count; Welch's own excess with (3, 6) is 1 %


@pytest.mark.long
def test_two_identical_methods_are_seldom_called_different():
    """44 % where only users are drawn anew; the promise is 7 % at most of 400 repetitions."""
    different, users_alone, _ = often(400, identical)
    assert different <= 0.07 and 0.35 <= users_alone <= 0.55


@pytest.mark.long
def test_a_model_without_random_numbers_is_compared_by_the_same_promise():
    assert often(400, counted)[0] <= 0.07


@pytest.mark.long
def test_a_true_difference_of_two_hundredths_is_found():
    assert often(400, ahead)[2] >= 0.95
