"""Rank every target among all items, through the three verbs only: what any model's figures are made from.

Users are streamed in blocks of similar history length, each walked once with its memory carried from target to
target, so that neither the number of users nor the length of a life changes the peak memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from recollect.answers.known import Known
from recollect.config import ConfigError, one_of
from recollect.contracts import PAD, Recommender, State, Window
from recollect.data.blocks import by_length, pieces, tokens_on
from recollect.data.histories import Targets
from recollect.data.log import DataError, EventLog, expect_log
from recollect.data.requests import Requests
from recollect.data.seen import Seen, hide_seen
from recollect.evaluate.ledger import MISS, Ledger
from recollect.evaluate.protocol import Protocol, beginning
from recollect.nn.evaluating import evaluating

TOKENS = 8192
"""Cells of a block on a CPU."""
SCORE_CELLS = 1 << 24
"""Scores held at once (64 MiB in fp32): a block larger than this is scored in parts."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Walks:
    """Walks along the log: walk w starts at event `starts[w]` and passes targets `first[w]:first[w + 1]`."""

    starts: np.ndarray
    first: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        return np.diff(self.first)


def rank(
    model: Recommender | Known,
    log: EventLog,
    targets: Targets,
    *,
    seen: Seen,
    device: torch.device | str | None = None,
    token_budget: int | None = None,
    segment: int = 1024,
    request_time: bool = False,
    last: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    run: str = "",
    seed: int = 0,
    split: str = "",
) -> Ledger:
    """The rank of each target: 1 + how many other items score at least as high (ties count against it).

    Scores are compared in fp32. `seen="hidden"`: items of the user's history before the target are no candidates,
    and a target among them is a miss (`ledger.MISS`). `request_time`: tell the model the target's time; only a model
    that says so looks at it. `last`: the model knows of the last so many events before each target only; what was seen
    before them is hidden all the same. `segment`: events advanced at once, and `token_budget` cells (None: `TOKENS`,
    more on an accelerator).
    `device`: where the model is, by default what it says. `progress`: called with targets done and their number.
    `run` and `seed` name the rows (run: the model's name if empty). `split`: how targets that were chosen by hand came
    about; the protocol line gives it "as told". Those of `loo` and `temporal` say it themselves.

    `model`: give what `fit` or `load` gave, which knows the ids of its items. Its bare `.model` knows no ids, only how
    many items there are: that codes of another log mean other items is then not seen.

    Raises DataError where log and model differ in their items, the model scores NaN, or the log has no clock to
    take the request time from; ConfigError for a `seen` that does not exist, or what is no model, log or targets;
    ValueError where targets are out of order or belong to another log.
    """
    one_of("seen", seen, Seen)
    begun = beginning(getattr(model, "settings", {}))
    model, called = _model_of(model, expect_log(log))
    _check(model, log, targets, request_time, last)
    on_device = torch.device(device) if device is not None else getattr(model, "device", torch.device("cpu"))
    offsets = log.offsets
    begins = _begins(targets, offsets, last)
    walks = _walks(begins)
    ranks = np.zeros(len(targets), dtype=np.int32)
    done = 0
    with torch.inference_mode(), evaluating(model):
        requests = Requests(model, log.items, log.times if log.clock else None, offsets, on_device)
        tokens = token_budget or tokens_on(on_device, TOKENS)
        for rows in _blocks(walks, targets, tokens, segment):
            for state, due in _walk(model, log, targets, walks, rows, on_device, segment):
                for part in _parts(len(due), log.item_ids.size):
                    which = due[part]
                    request = requests.of(
                        begins[which],
                        targets.positions[which],
                        log.times[targets.positions[which]] if request_time else None,
                    )
                    scores = model.score(state if len(which) == state.users else state.rows(part), request)
                    ranks[which] = _ranks(model, scores, log, targets, offsets, which, seen)
                    done += len(which)
                    if progress is not None:
                        progress(done, len(targets))
    protocol = Protocol(
        data=log.name,
        digest=log.digest,
        split=_split_of(targets, split),
        ties=log.ties,
        seen=seen,
        request_time="used" if request_time and model.request_time else "unused",
        candidates=f"all {len(log.item_ids):,} items",
        history=_history(model, last),
        selection=log.selection,
        started_from=begun,
    )
    name = run or called
    return Ledger(
        run=np.full(len(ranks), name, dtype=object),
        seed=np.full(len(ranks), seed, dtype=np.int64),
        user=targets.users.astype(np.int64),
        user_id=log.user_ids.decode(targets.users),
        item=log.items[targets.positions].astype(np.int64),
        item_id=log.item_ids.decode(log.items[targets.positions]),
        length=targets.positions - offsets[targets.users],
        rank=ranks,
        protocols={name: protocol},
        unseeded=frozenset() if model.seeded else frozenset({name}),
    )


def _model_of(given: Recommender | Known, log: EventLog) -> tuple[Recommender, str]:
    """The model and its name. Raises DataError where it knows the ids of its items and the log has others."""
    if isinstance(given, Recommender):
        return given, type(given).__name__
    if not isinstance(getattr(given, "model", None), Recommender):
        raise ConfigError(f"rank: a model is expected, as fit or load gives it, not {type(given).__name__}")
    if not np.array_equal(given.items.ids, log.item_ids.ids):
        raise DataError(
            f"{log.name} holds {len(log.item_ids):,} items, and they are not the {len(given.items):,} that "
            f"{given.name} was trained on; rank on the log it was trained on, read and filtered alike"
        )
    return given.model, given.name


def _split_of(targets: Targets, told: str) -> str:
    """What the targets say of themselves; what the caller says besides is marked as such."""
    if not targets.split:
        return f"{told} (as told)" if told else ""
    return targets.split if told in ("", targets.split) else f"{targets.split} (as told: {told})"


def _check(model: Recommender, log: EventLog, targets: Targets, request_time: bool, last: int | None) -> None:
    if not isinstance(targets, Targets):
        raise ConfigError(
            f"rank: targets are expected, as split.validation or split.test, not {type(targets).__name__}"
        )
    if model.catalog.size != log.item_ids.size:
        raise DataError(
            f"{log.name} has {len(log.item_ids):,} items, but {type(model).__name__} was made for "
            f"{model.catalog.size - 1:,}; evaluate on the log it was trained on"
        )
    if request_time and not log.clock:
        raise DataError(f"{log.name} has only an order, so there is no request time to use; leave it unused")
    if last is not None and last < 1:
        raise ValueError(f"last must be at least 1, got {last}")
    positions = targets.positions
    if np.any(positions[1:] <= positions[:-1]) or not np.array_equal(log.users[positions], targets.users):
        raise ValueError("targets must be sorted by (user, position), each once, and belong to this log")


def _walks(begins: np.ndarray) -> _Walks:
    """Targets that begin at one event share a walk: all of a user, or those near enough to the user's first event."""
    new = np.flatnonzero(np.diff(begins, prepend=-1))
    return _Walks(begins[new], np.append(new, len(begins)))


def _begins(targets: Targets, offsets: np.ndarray, last: int | None) -> np.ndarray:
    """[targets]: the first event that may be known of."""
    first = offsets[targets.users]
    return first if last is None else np.maximum(first, targets.positions - last)


def _blocks(walks: _Walks, targets: Targets, token_budget: int, segment: int) -> Iterator[np.ndarray]:
    """Walk numbers in blocks of similar length; inside a block those with most targets stand first."""
    if len(walks.starts) == 0:
        return
    lengths = targets.positions[walks.first[1:] - 1] - walks.starts
    for rows in by_length(lengths, token_budget, segment):
        yield rows[np.argsort(-walks.counts[rows], kind="stable")]


def _walk(
    model: Recommender,
    log: EventLog,
    targets: Targets,
    walks: _Walks,
    rows: np.ndarray,
    on_device: torch.device,
    segment: int,
) -> Iterator[tuple[State, np.ndarray]]:
    """Yield the memory just before each round of targets, and the targets: the k-th of every user who has one."""
    times = log.times if log.clock else None
    counts = walks.counts[rows]  # descending, so the walks that go on are always a prefix
    state = model.fresh(len(rows))
    here = walks.starts[rows]
    for turn in range(int(counts[0])):
        active = int(np.searchsorted(-counts, -turn, side="left"))
        if active < len(here):
            state, here = state.rows(slice(0, active)), here[:active]
        which = walks.first[rows[:active]] + turn
        there = targets.positions[which]
        for events in pieces(log.items, times, here, there, segment):
            state = model.advance(state, events.to(on_device))
        yield state, which
        here = there


def _parts(rows: int, vocabulary: int) -> Iterator[slice]:
    step = max(1, SCORE_CELLS // vocabulary)
    return (slice(begin, min(begin + step, rows)) for begin in range(0, rows, step))


def _ranks(
    model: Recommender,
    given: Tensor,
    log: EventLog,
    targets: Targets,
    offsets: np.ndarray,
    which: np.ndarray,
    seen: Seen,
) -> np.ndarray:
    """given [B V] -> ranks [B] of the targets `which`."""
    positions = targets.positions[which]
    if given.shape != (len(which), log.item_ids.size):
        expected = [len(which), log.item_ids.size]
        raise ValueError(f"{type(model).__name__} scored shape {list(given.shape)}, expected {expected}")
    items = torch.from_numpy(log.items[positions].astype(np.int64)).to(given.device)
    # A copy where cells will be overwritten: a model may hand out an expanded or cached tensor.
    scores = given.to(torch.float32, copy=seen == "hidden", memory_format=torch.contiguous_format)
    broken = scores.amax(dim=1).isnan()  # a maximum of NaN is NaN
    if broken.any():
        user = log.user_ids.decode(targets.users[which[int(broken.nonzero()[0])]])
        raise DataError(
            f"{type(model).__name__} scored NaN for user {user}: its weights or its state are not finite; "
            "train again, with a smaller learning rate or in fp32"
        )
    wanted = scores.gather(1, items[:, None])  # [B 1]
    if seen == "hidden":
        # NaN and not -inf: it is never >= anything, even where the target itself scores -inf.
        hide_seen(scores, log.items, offsets[targets.users[which]], positions, torch.nan)
    scores = scores[:, PAD + 1 :]
    own = scores.gather(1, items[:, None] - PAD - 1)
    ranks = (scores >= wanted).sum(dim=1, dtype=torch.int32)  # the target counts itself, which is the 1
    return ranks.masked_fill_(own.isnan().squeeze(1), MISS).cpu().numpy()


def _history(model: Recommender, last: int | None) -> str:
    limits = [limit for limit in (last, model.window if isinstance(model, Window) else None) if limit is not None]
    return f"last {min(limits)}" if limits else "whole"
