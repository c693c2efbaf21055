"""What was met before each event, against a walk with sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.batches import BatchSettings, plan_carried, plan_prefixes, plan_windows
from recollect.data.first_meetings import FirstMeetings
from recollect.data.histories import Ragged

histories = st.lists(st.lists(st.integers(1, 6), max_size=30), min_size=1, max_size=6)


def ragged(rows: list[list[int]]) -> Ragged:
    items = np.array([one for row in rows for one in row], dtype=np.int64)
    return Ragged(items, np.zeros_like(items), np.cumsum([0, *map(len, rows)]))


@given(rows=histories, seed=st.integers(0, 100))
def test_every_cell_of_every_batch_knows_the_items_before_it(rows: list[list[int]], seed: int) -> None:
    made = ragged(rows)
    met, lengths = FirstMeetings.of(made), made.lengths
    settings = BatchSettings(tokens=24, segment=8, prefixes=3)
    steps = [
        *plan_carried(lengths, settings, seed, 0),
        *plan_windows(lengths, 4, settings, seed, 0),
        *plan_prefixes(lengths, 4, settings, seed, 0),
    ]
    for step in steps:
        found = met.of_step(step)
        items, begins, counts = (found[name].numpy() for name in ("seen_items", "seen_begins", "seen_counts"))
        for b, row in enumerate(step.rows):
            whole = items[begins[b] : begins[b + 1]]
            assert set(whole.tolist()) == set(rows[row][: step.last[b]]) and len(set(whole.tolist())) == len(whole)
            for t in range(step.last[b] - step.first[b]):
                assert set(whole[: counts[b, t]].tolist()) == set(rows[row][: step.first[b] + t])
