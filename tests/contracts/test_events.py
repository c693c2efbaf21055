"""A padded batch is the lists it was made of, whatever is done to it; lists are the oracle."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import PAD, Events

SEQUENCES = st.lists(st.lists(st.integers(1, 50), max_size=7), min_size=1, max_size=5)


def lists(events: Events) -> list[list[int]]:
    return [row[:length].tolist() for row, length in zip(events.items, events.lengths.tolist(), strict=True)]


def clocked(sequences: list[list[int]], width: int | None = None) -> Events:
    """Every event with a time and a feature that name its item, and rubbish in the padding."""
    events = Events.of(sequences, sequences, width=width)
    rubbish = torch.where(events.mask, events.items, 49)
    return Events(rubbish, events.lengths, rubbish, {"twice": torch.stack([rubbish, rubbish], dim=-1)})


@given(SEQUENCES, st.integers(0, 9))
def test_lists_come_back(sequences: list[list[int]], width: int) -> None:
    events = clocked(sequences, width)
    assert events.users == len(sequences)
    assert lists(events) == sequences
    assert events.items.shape[1] == max(width, *map(len, sequences), 0)
    assert events.mask.sum(1).tolist() == [len(one) for one in sequences]
    assert events.codes[~events.mask].eq(PAD).all()
    assert torch.equal(events.codes[events.mask], events.items[events.mask])


@given(SEQUENCES, st.integers(0, 8), st.integers(0, 8))
def test_a_span_is_a_slice_of_every_list(sequences: list[list[int]], start: int, stop: int) -> None:
    part = clocked(sequences).span(start, stop)
    assert lists(part) == [one[start:stop] for one in sequences]
    assert part.times is not None and torch.equal(part.times, part.items)
    assert torch.equal(part.features["twice"][..., 1], part.items)


@given(SEQUENCES, st.integers(0, 12))
def test_widening_changes_no_event(sequences: list[list[int]], width: int) -> None:
    events = clocked(sequences)
    wide = events.widen(width)
    assert lists(wide) == sequences
    assert wide.items.shape[1] == max(width, events.items.shape[1])
    assert wide.times is not None and wide.times.shape == wide.items.shape
    assert wide.features["twice"].shape == (*wide.items.shape, 2)


@given(SEQUENCES, st.data())
def test_rows_are_users(sequences: list[list[int]], data: st.DataObject) -> None:
    index = data.draw(st.lists(st.integers(0, len(sequences) - 1), min_size=1))
    chosen = clocked(sequences).rows(index)
    assert lists(chosen) == [sequences[row] for row in index]
    assert chosen.features["twice"].shape[0] == len(index)
