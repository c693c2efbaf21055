"""Where memories are gone on from: each user's state before the events that it lacks are read into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recollect.contracts import State
from recollect.serve.layout import Layout
from recollect.serve.ranker import Ranker
from recollect.serve.stores.contract import History, SavedMemory


def state_before(
    ranker: Ranker,
    layout: Layout,
    histories: Mapping[str, History],
    cached: Sequence[str],
    state: State,
    saved: Mapping[str, SavedMemory],
) -> State:
    """A row for each user in `histories`: the state of those who are `cached` (a row each), the `saved` one, or a fresh
    one.
    """
    kept = [user for user, history in histories.items() if not history.complete]
    if kept == cached == list(histories):
        return state
    result = ranker.fresh(len(histories))
    row_of = {user: row for row, user in enumerate(histories)}
    cached_row_of = {user: row for row, user in enumerate(cached)}
    from_cache, loaded = [user for user in kept if user in cached_row_of], [user for user in kept if user in saved]
    if from_cache:
        rows = [cached_row_of[user] for user in from_cache]
        _write(result, [row_of[user] for user in from_cache], state.rows(rows))
    if loaded:
        part = layout.unpack([saved[user].data for user in loaded])
        _write(result, [row_of[user] for user in loaded], part)
    return result


def _write(state: State, rows: Sequence[int], part: State) -> None:
    for name, tensor in state.items():
        tensor[rows] = part[name].to(tensor.device)
