"""Training batches: a token budget of users of similar length, right-padded, long histories in consecutive segments.

A `Plan` of an epoch is a pure function of (lengths, settings, seed, epoch), so that an interrupted epoch can be taken
up at any step. Segments of one group of users come in order, those of a few groups interleaved, so that neighbouring
steps do not share users; at most `interleave` groups have a state waiting.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from pydantic import Field

from recollect.config import Settings
from recollect.contracts import Events, Histories
from recollect.data.blocks import padded


class BatchSettings(Settings):
    """How histories become batches."""

    tokens: int = Field(8192, ge=1)
    """Cells of a batch: users x positions, padding included."""
    segment: int = Field(512, ge=2)
    """Events of a history that are trained in one piece; longer histories carry their state to the next piece."""
    history: int | None = Field(None, ge=2)
    """Train on the last so many events of each user only; unset trains on whole histories."""
    interleave: int = Field(8, ge=1)
    """Groups of users whose segments are mixed with each other."""


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """One batch: which rows of the histories, and which span of each row's positions."""

    group: int
    rows: np.ndarray
    first: np.ndarray  # [B] position of each row's first cell in the whole history
    width: int
    opens: bool
    """True for the first segment of its group: the state starts fresh."""
    closes: bool
    """True for the last one: the state is not needed afterwards."""
    begins: np.ndarray  # [B] bool: the first cell is the user's very first event, or its state is carried: a target


def plan_carried(lengths: np.ndarray, settings: BatchSettings, seed: int, epoch: int) -> list[Step]:
    """Steps for models that carry a state: every event of every row once, as input and as target."""
    rng = np.random.default_rng([seed, epoch])
    starts = np.zeros_like(lengths) if settings.history is None else np.maximum(lengths - settings.history, 0)
    spans = lengths - starts
    groups = _groups(spans, settings, rng)
    steps: list[Step] = []
    waiting, active = list(enumerate(groups)), []
    while waiting or active:
        while waiting and len(active) < settings.interleave:
            group, rows = waiting.pop()
            active.append((group, rows, 0))
        place = int(rng.integers(len(active)))
        group, rows, done = active[place]
        longest = int(spans[rows].max())
        width = min(settings.segment, longest - done)
        closes = done + width >= longest
        first = starts[rows] + done
        begins = (first == 0) if done == 0 else np.ones(len(rows), bool)
        steps.append(Step(group, rows, first, width, done == 0, closes, begins))
        if closes:
            active.pop(place)
        else:
            active[place] = (group, rows, done + width)
    return steps


def plan_windows(lengths: np.ndarray, window: int, settings: BatchSettings, seed: int, epoch: int) -> list[Step]:
    """Steps for models that see a window: histories cut into windows at a random offset (or the last one only)."""
    rng = np.random.default_rng([seed, epoch])
    if settings.history is not None:
        rows = np.flatnonzero(lengths >= 1)
        first = np.maximum(lengths[rows] - min(settings.history, window), 0)
        spans = lengths[rows] - first
    else:
        rows, first, spans = _cut(lengths, window, rng)
    pieces = _groups(spans, settings, rng)
    return [
        Step(number, rows[index], first[index], int(spans[index].max()), True, True, first[index] == 0)
        for number, index in enumerate(pieces)
    ]


def _cut(lengths: np.ndarray, window: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pieces (row, first position, length) that cover every history, full windows but for the first piece.

    Pieces of a row overlap by one event, since the first event of a piece is only context.
    """
    short = np.flatnonzero((lengths >= 1) & (lengths <= window))
    pieces = [np.stack([short, np.zeros_like(short), lengths[short]])]
    for row in np.flatnonzero(lengths > window):
        end = int(lengths[row])
        head = int(rng.integers(1, window))  # shift the grid, so that places in the window vary between epochs
        edges = np.array([0, *range(head, end - 1, window - 1)])
        stops = np.append(edges[1:] + 1, end)
        pieces.append(np.stack([np.full_like(edges, row), edges, stops - edges]))
    rows, firsts, spans = np.concatenate(pieces, axis=1)
    return rows, firsts, spans


def _groups(spans: np.ndarray, settings: BatchSettings, rng: np.random.Generator) -> list[np.ndarray]:
    """Rows of similar length together, each group within the token budget, groups in random order."""
    rows = np.flatnonzero(spans >= 1)
    blurred = spans[rows] * np.exp(rng.normal(0, 0.05, len(rows)))  # company changes from epoch to epoch
    rows = rows[np.argsort(blurred, kind="stable")]
    groups, begin, widest = [], 0, 0
    for place, row in enumerate(rows):
        width = min(int(spans[row]), settings.segment)
        if place > begin and max(widest, width) * (place - begin + 1) > settings.tokens:
            groups.append(rows[begin:place])
            begin, widest = place, 0
        widest = max(widest, width)
    if begin < len(rows):
        groups.append(rows[begin:])
    return [groups[i] for i in rng.permutation(len(groups))]


def build(histories: Histories, step: Step) -> tuple[Events, torch.Tensor]:
    """The events of a step, and which cells are targets: [B T] bool (a window's first cell may be context only)."""
    begin, end = histories.offsets[step.rows] + step.first, histories.offsets[step.rows + 1]
    stop = np.clip(end, begin, begin + step.width)
    events = padded(histories.items, histories.times, np.minimum(begin, stop), stop)
    targets = events.mask
    targets[:, 0] &= torch.from_numpy(step.begins)
    return events, targets
