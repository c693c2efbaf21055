"""What the arithmetic refuses: never a real ranking, always figures pushed beyond what ranks allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.evaluate.arithmetic import WORTH, contradictions

CUTOFFS = (5, 10, 20)


def figures(ranks: list[int]) -> dict[str, float]:
    """What a ranking with these ranks is reported as, in four decimals."""
    found = {}
    for cutoff in CUTOFFS:
        hits = [rank for rank in ranks if rank <= cutoff]
        found[f"recall@{cutoff}"] = round(len(hits) / len(ranks), 4)
        for metric, worth in WORTH.items():
            found[f"{metric}@{cutoff}"] = round(sum(map(worth, hits)) / len(ranks), 4)
    return found


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_a_real_ranking_contradicts_nothing(ranks: list[int]) -> None:
    assert contradictions(figures(ranks)) == []


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.sampled_from(CUTOFFS), st.sampled_from(sorted(WORTH)))
def test_more_than_every_hit_at_the_first_rank_is_refused(ranks: list[int], cutoff: int, metric: str) -> None:
    wrong = figures(ranks)
    wrong[f"{metric}@{cutoff}"] = wrong[f"recall@{cutoff}"] + 0.001
    assert contradictions(wrong)


def test_a_gain_without_hits_is_refused() -> None:
    (line,) = contradictions({"hr@5": 0.2, "hr@10": 0.2, "ndcg@5": 0.1, "ndcg@10": 0.11})
    assert line.startswith("NDCG@10 - NDCG@5 is 0.0100")


@pytest.mark.parametrize("name", ["hr", "hit", "Recall"])
def test_recall_may_not_fall(name: str) -> None:
    assert "falls" in contradictions({f"{name}@10": 0.3, f"{name}@20": 0.2})[0]


def test_one_figure_alone_contradicts_nothing() -> None:
    assert contradictions({"recall@10": 0.3}) == [] and contradictions({"coverage": 1.0}) == []
