"""The window of a row is the end of its list of events, however they come in; lists are the oracle."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import PAD, Events, push_recent

SEQUENCES = st.lists(st.integers(1, 99), max_size=9)


@given(st.integers(1, 6), st.lists(st.lists(SEQUENCES, min_size=1, max_size=4), min_size=1, max_size=4))
def test_the_newest_events_stay_in_order(keep: int, rows: list[list[list[int]]]) -> None:
    recent = torch.zeros(len(rows), keep, dtype=torch.int64)
    held = torch.zeros(len(rows), dtype=torch.int64)
    for step in range(max(map(len, rows))):
        batch = Events.of([row[step] if step < len(row) else [] for row in rows])
        rubbish = Events(torch.where(batch.mask, batch.items, 77), batch.lengths)
        recent, held = push_recent(recent, held, rubbish)
    for row, cells, count in zip(rows, recent.tolist(), held.tolist(), strict=True):
        whole = [code for part in row for code in part]
        assert cells[:count] == whole[-keep:]
        assert count == min(keep, len(whole))
        assert cells[count:] == [PAD] * (keep - count)
