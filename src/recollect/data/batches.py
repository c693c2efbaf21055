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

GRAIN, FINE_GRAIN = 16, 4
"""Widths are rounded up to a multiple: the CPU's bf16 products prepare, and keep, code for every new shape. Up to twice
the first the second is taken, as short histories would be mostly padding."""


class BatchSettings(Settings):
    """How histories become batches."""

    tokens: int | None = Field(None, ge=1)
    """Events of a batch with its padding: users x positions. Unset: about 1/160 of an epoch's, from 512 to 4,096."""
    segment: int = Field(512, ge=2)
    """Events of a history that are trained in one piece; longer histories carry their state to the next piece."""
    history: int | None = Field(None, ge=2)
    """Train on the last so many events of each user only; unset trains on whole histories."""
    context: int | None = Field(None, ge=1)
    """Learn from every event with at most so many before it: histories are cut into such pieces, anew each epoch, and
    each begins with a fresh memory. For a model asked with `evaluate.history`; unset: all that came before."""
    prefixes: int = Field(10, ge=1)
    """Random prefixes of each history an epoch, for models that can only predict at the end of what they read."""
    interleave: int = Field(8, ge=1)
    """Groups of users whose segments are mixed with each other."""


def token_budget(lengths: np.ndarray, settings: BatchSettings) -> int:
    """Cells of a batch; where the settings leave it open, a power of two that gives an epoch some 160 steps or more.

    Fewer, larger steps are cheaper an event and learn less from it; on ML-1M 4,096 cells learn faster than 8,192.
    Padding counts, as in a batch: where histories are short, most cells are padding, and steps would be many and small.
    """
    if settings.tokens is not None:
        return settings.tokens
    cells = _rounded(np.minimum(lengths, settings.history or lengths.max(initial=0))).sum()
    return int(2 ** np.clip(np.log2(max(cells, 1) / 160) // 1, 9, 12))


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """One batch: which rows of the histories, and which span of each row's positions."""

    group: int
    rows: np.ndarray
    first: np.ndarray  # [B] position of each row's first cell in the whole history
    last: np.ndarray  # [B] one past its last cell; equal to `first` where the row has ended
    width: int
    opens: bool
    """True for the first segment of its group: the state starts fresh."""
    closes: bool
    """True for the last one: the state is not needed afterwards."""
    begins: np.ndarray  # [B] bool: the first cell is the user's very first event, or its state is carried: a target
    ends_only: bool = False
    """True if only the last event of each row is a target."""


def plan_carried(lengths: np.ndarray, settings: BatchSettings, seed: int, epoch: int) -> list[Step]:
    """Steps for models that carry a state: every event of every row once, as input and as target."""
    rng = np.random.default_rng([seed, epoch])
    row_of, starts = np.arange(len(lengths)), np.zeros_like(lengths)
    if settings.history is not None:
        starts = np.maximum(lengths - settings.history, 0)
    spans = lengths - starts
    if settings.context is not None:
        oldest = starts
        row_of, starts, spans = _cut(spans, settings.context + 1, rng)
        starts = starts + oldest[row_of]
    budget = token_budget(lengths, settings)
    groups = _groups(np.minimum(_rounded(spans), settings.segment), spans, budget, rng)
    steps: list[Step] = []
    waiting = list(enumerate(groups))
    active: list[tuple[int, np.ndarray, int]] = []
    while waiting or active:
        while waiting and len(active) < settings.interleave:
            group, rows = waiting.pop()
            active.append((group, rows, 0))
        place = int(rng.integers(len(active)))
        group, rows, done = active[place]  # rows of `spans`: whole histories, or pieces of them
        longest = int(spans[rows].max())
        width = min(settings.segment, int(_rounded(longest - done)))
        closes = done + width >= longest
        first = starts[rows] + done
        begins = (first == 0) if done == 0 else np.ones(len(rows), bool)
        last = np.clip(starts[rows] + spans[rows], first, first + width)
        steps.append(Step(group, row_of[rows], first, last, width, done == 0, closes, begins))
        if closes:
            active.pop(place)
        else:
            active[place] = (group, rows, done + width)
    return steps


def plan_windows(lengths: np.ndarray, window: int, settings: BatchSettings, seed: int, epoch: int) -> list[Step]:
    """Steps for models that see a window: histories cut into pieces at a random offset (or the last one only).

    A piece has one event more than a window: its last event is only a target, so that the last place is trained too.
    """
    rng = np.random.default_rng([seed, epoch])
    window = min(window, settings.context or window)
    if settings.history is not None:
        rows = np.flatnonzero(lengths >= 1)
        first = np.maximum(lengths[rows] - min(settings.history, window + 1), 0)
        spans = lengths[rows] - first
    else:
        rows, first, spans = _cut(lengths, window + 1, rng)
    return _window_steps(rows, first, spans, window, token_budget(lengths, settings), rng)


def plan_prefixes(lengths: np.ndarray, window: int, settings: BatchSettings, seed: int, epoch: int) -> list[Step]:
    """Steps for windows that look both ways: random prefixes of each history, of which the last event is the target."""
    rng = np.random.default_rng([seed, epoch])
    window = min(window, settings.context or window)
    rows = np.repeat(np.flatnonzero(lengths >= 1), settings.prefixes)
    oldest = np.zeros_like(rows) if settings.history is None else np.maximum(lengths[rows] - settings.history, 0)
    places = oldest + (rng.random(len(rows)) * (lengths[rows] - oldest)).astype(np.int64)
    rows, places = np.unique(np.stack([rows, places]), axis=1)
    first = np.maximum(places - window, 0)
    steps = _window_steps(rows, first, places + 1 - first, window, token_budget(lengths, settings), rng)
    return [dataclasses.replace(step, ends_only=True) for step in steps]


def _window_steps(
    rows: np.ndarray, first: np.ndarray, spans: np.ndarray, window: int, tokens: int, rng: np.random.Generator
) -> list[Step]:
    """Pieces of `spans` events, at most one more than a window, in batches."""
    widths = np.minimum(_rounded(np.maximum(spans - 1, 1)), window)
    return [
        Step(number, rows[i], first[i], first[i] + spans[i], int(widths[i].max()) + 1, True, True, first[i] == 0)
        for number, i in enumerate(_groups(widths, spans, tokens, rng))
    ]


def _cut(lengths: np.ndarray, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pieces (row, first position, length) that cover every history, `size` events each but for the first and last.

    Pieces of a row overlap by one event, since the first event of a piece is only context.
    """
    short = np.flatnonzero((lengths >= 1) & (lengths <= size))
    pieces = [np.stack([short, np.zeros_like(short), lengths[short]])]
    for row in np.flatnonzero(lengths > size):
        end = int(lengths[row])
        head = int(rng.integers(1, size))  # shift the grid, so that places in the window vary between epochs
        edges = np.array([0, *range(head, end - 1, size - 1)])
        stops = np.append(edges[1:] + 1, end)
        pieces.append(np.stack([np.full_like(edges, row), edges, stops - edges]))
    rows, firsts, spans = np.concatenate(pieces, axis=1)
    return rows, firsts, spans


def _rounded(widths: np.ndarray | int) -> np.ndarray:
    grain = np.where(np.asarray(widths) <= 2 * GRAIN, FINE_GRAIN, GRAIN)
    return np.asarray(-(-widths // grain) * grain)


def _groups(widths: np.ndarray, spans: np.ndarray, tokens: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Rows of similar span together, groups in random order; `widths` are the cells a row takes of the token budget."""
    rows = np.flatnonzero(spans >= 1)
    blurred = spans[rows] * np.exp(rng.normal(0, 0.05, len(rows)))  # company changes from epoch to epoch
    rows = rows[np.argsort(blurred, kind="stable")]
    groups, begin, widest = [], 0, 0
    for place, row in enumerate(rows):
        width = int(widths[row])
        if place > begin and max(widest, width) * (place - begin + 1) > tokens:
            groups.append(rows[begin:place])
            begin, widest = place, 0
        widest = max(widest, width)
    if begin < len(rows):
        groups.append(rows[begin:])
    return [groups[i] for i in rng.permutation(len(groups))]


def build(histories: Histories, step: Step) -> tuple[Events, torch.Tensor, torch.Tensor | None]:
    """The events of a step, which cells are targets [B T] bool (a window's first cell may be context only), and what
    each cell weighs as a target [B T] float32, or None where all weigh alike; a cell of weight 0 is no target."""
    start = histories.offsets[step.rows]
    events = padded(histories.items, histories.times, start + step.first, start + step.last)
    events = events.widen(step.width)
    if step.ends_only:
        targets = torch.arange(step.width) == events.lengths[:, None] - 1
    else:
        targets = events.mask
        targets[:, 0] &= torch.from_numpy(step.begins)
    if histories.weights is None:
        return events, targets, None
    places = np.minimum((start + step.first)[:, None] + np.arange(step.width), len(histories.weights) - 1)
    weights = torch.from_numpy(histories.weights[places])
    return events, targets & (weights > 0), weights
