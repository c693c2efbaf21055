"""What a model thinks of given pairs of a user and an item: logit, probability, and the rank among all items."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from recollect.answers.known import Known, log_for
from recollect.answers.lists import audience
from recollect.answers.moment import moment_for
from recollect.data.blocks import ranges
from recollect.data.frame import Frame, split_columns
from recollect.data.id_forms import encode
from recollect.data.log import DataError, EventLog, Vocabulary
from recollect.nn.evaluating import evaluating
from recollect.recommend import memories, requests_of, scored


class PairScores(Frame):
    """Pairs in their order: user, item, title, logit, probability (if it is one), rank; nothing where not known.

    Further columns of the file or table that they come from stand behind.
    """

    unknown_users: tuple[Any, ...] = ()
    """Users that the log does not have, each once."""
    unknown_items: tuple[Any, ...] = ()
    """Items that the model does not know, each once."""
    replaced: tuple[str, ...] = ()
    """Further columns that have the name of one of these, and are left out."""
    incomplete: int = 0
    """How many pairs have no user or no item."""
    at: int | None = None
    """The time of asking that the model was told, in seconds; None where it was told none."""


def score(trained: Known, pairs: Any, log: Any = None, *, at: int | None = None) -> PairScores:
    """Logit, probability and rank of each (user, item) pair, after the user's whole history in the log.

    `pairs`: (user, item) tuples, a file (or what `read_pairs` made of it) or a table with the columns user and item; a
    key of several columns is itself a tuple of its parts. Further columns of a file or a table are kept. `log`, `at`:
    as in `recommend_all`.
    The rank is the item's place in a list of all items, those had before among them, from 1; equal scores stand in the
    order of the item codes. A pair whose user is not in the log, or whose item the model does not know, has no
    figures; `unknown_users` and `unknown_items` name them. Raises DataError where no pair is known.
    """
    histories = log_for(trained, log)
    users, items, further = _sides(pairs)
    user_codes = encode(histories.user_ids, users, unknown=-1)
    item_codes = encode(trained.items, items, unknown=0)
    users, items = _written(users, user_codes, histories.user_ids), _written(items, item_codes, trained.items)
    there = (user_codes >= 0) & (item_codes > 0)
    unknown_users = _distinct(users, user_codes < 0)
    unknown_items = _distinct(items, item_codes == 0)
    if not there.any():
        raise DataError(
            f"none of the {len(users):,} pairs is known: {len(unknown_users):,} users are not in {histories.name}, "
            f"{len(unknown_items):,} items not in the model"
        )
    at = moment_for(trained, histories, at)
    found = _figures(trained, histories, user_codes[there], item_codes[there], at)
    known = {"logit": np.float32, "probability": np.float32, "rank": np.int64}
    columns: dict[str, np.ndarray] = {
        "user": _as_column(users),
        "item": _as_column(items),
        "title": np.array([trained.titles[code] if code else None for code in item_codes], dtype=object),
    }
    for name, kind in known.items():
        if name == "probability" and not trained.model.probabilistic:
            continue
        values = np.zeros(len(there), kind)
        values[there] = found[name]
        columns[name] = np.ma.masked_array(values, ~there)
    result = PairScores(columns, further)
    result.replaced = tuple(name for name in columns if further is not None and name in further)
    result.incomplete = sum(user is None or item is None for user, item in zip(users, items, strict=True))
    result.unknown_users, result.unknown_items, result.at = unknown_users, unknown_items, at
    return result


def _figures(
    trained: Known, log: EventLog, users: np.ndarray, items: np.ndarray, at: int | None
) -> dict[str, np.ndarray]:
    """users, items [P] codes -> logit, probability, rank [P]."""
    asked, row_of = np.unique(users, return_inverse=True)
    who = audience(trained, log, log.user_ids.decode(asked).tolist(), at=at)
    order = np.argsort(row_of, kind="stable")  # the pairs of a user stand together
    ends = np.cumsum(np.bincount(row_of, minlength=len(asked)))
    starts = np.concatenate([[0], ends[:-1]])
    logits, shares = np.zeros(len(users), np.float32), np.zeros(len(users), np.float32)
    places = np.zeros(len(users), np.int64)
    model = trained.model
    with torch.inference_mode(), evaluating(model):
        blocks = memories(model, who.histories, clock=who.clock)
        requests = requests_of(model, who.histories, who.clock)
        for rows, scores in scored(model, blocks, requests, who.moments):
            index, row = ranges(starts[rows], ends[rows])
            pair = order[index]
            which, code = (torch.from_numpy(one).to(scores.device) for one in (row, items[pair]))
            ranked = scores.argsort(dim=1, descending=True, stable=True)  # [B V]
            place = torch.empty_like(ranked)
            place.scatter_(1, ranked, torch.arange(ranked.shape[1], device=ranked.device).expand_as(ranked))
            normaliser = torch.logsumexp(scores, dim=1)
            logits[pair] = scores[which, code].cpu().numpy()
            shares[pair] = (scores[which, code] - normaliser[which]).exp().cpu().numpy()
            places[pair] = place[which, code].cpu().numpy() + 1
    return {"logit": logits, "probability": shares, "rank": places}


def _sides(pairs: Any) -> tuple[list[Any], list[Any], Any]:
    """-> users, items, and the further columns of a file or a table; None of anything else."""
    from recollect.data.id_files import Pairs, read_pairs

    if isinstance(pairs, str | os.PathLike):
        pairs = read_pairs(os.fspath(pairs))
    if isinstance(pairs, Pairs):
        return pairs.users, pairs.items, pairs.further
    if isinstance(pairs, Iterable) and not hasattr(pairs, "columns") and not hasattr(pairs, "__arrow_c_stream__"):
        rows = [tuple(one) for one in pairs]
        if not rows or any(len(one) != 2 for one in rows):
            raise DataError("pairs: expected (user, item) tuples, at least one")
        return [one[0] for one in rows], [one[1] for one in rows], None
    (users, items), further = split_columns(pairs, ("user", "item"), "pairs")
    return users, items, further


def _written(given: list[Any], codes: np.ndarray, ids: Vocabulary) -> list[Any]:
    """Ids as the log writes them. One that it does not know stays as it was given, a whole float as an integer; nan is
    nothing."""
    known = codes >= ids.first
    decoded = iter(ids.decode(codes[known]).tolist())
    return [next(decoded) if there else _plain(one) for one, there in zip(given, known.tolist(), strict=True)]


def _plain(one: Any) -> Any:
    if not isinstance(one, float | np.floating):
        return one
    return None if np.isnan(one) else int(one) if float(one).is_integer() else one


def _distinct(ids: list[Any], which: np.ndarray) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(one for one, wanted in zip(ids, which, strict=True) if wanted and one is not None))


def _as_column(ids: list[Any]) -> np.ndarray:
    if all(one is None or isinstance(one, int | np.integer) for one in ids):
        missing = np.array([one is None for one in ids], dtype=bool)
        numbers = np.array([0 if one is None else one for one in ids], dtype=np.int64)
        return np.ma.masked_array(numbers, missing) if missing.any() else numbers
    column = np.empty(len(ids), dtype=object)
    column[:] = [None if one is None else str(one) for one in ids]
    return column
