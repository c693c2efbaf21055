"""Top lists with logit and probability, for one user or for all: ids in, ids out, through the three verbs only.

A probability is a share among all items, taken before anything is hidden, so hiding never inflates what is left.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recollect.config import one_of
from recollect.contracts import PAD, Recommender, State
from recollect.data.blocks import by_length, pieces, tokens_on
from recollect.data.candidates import Within, allowed_mask
from recollect.data.histories import Ragged
from recollect.data.id_forms import encode
from recollect.data.log import DataError, Table, Vocabulary
from recollect.data.requests import Requests
from recollect.data.seen import Seen, hide_seen
from recollect.display import Display, Displayed, some_of
from recollect.nn.evaluating import evaluating

NOTHING = PAD
"""The code in the places of a list that could not be filled: fewer items were left than asked for."""

CHUNK = 16384
"""Users sorted by length together; lists are given in the order of the histories, one chunk after the other."""

SCORE_CELLS = 1 << 24
"""Scores held at once (64 MiB in fp32)."""

TOKENS, SEGMENT = 16384, 1024
"""Cells of a batch in which histories are read, on a CPU, and events of a user at once."""


@dataclasses.dataclass(frozen=True, slots=True)
class Recommendation:
    """One row of a list. `probability` is None where the model's scores are no likelihood."""

    rank: int
    item: Any
    title: str
    logit: float
    probability: float | None


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Answer(Displayed):
    """The list for one history, best first, and the ids in the history that the model does not know."""

    items: tuple[Recommendation, ...]
    unknown: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.items)

    def __getitem__(self, place: int) -> Recommendation:
        return self.items[place]

    def _display(self) -> Display:
        likely = any(one.probability is not None for one in self.items)
        titled = any(one.title != str(one.item) for one in self.items)
        columns = [">rank", "item", *["title"] * titled, ">logit", *[">probability"] * likely]
        rows = [
            [str(one.rank), str(one.item), *[one.title] * titled, f"{one.logit:.3f}"]
            + ["" if one.probability is None else f"{one.probability:.4f}"] * likely
            for one in self.items
        ]
        notes = [f"not known, so skipped: {some_of(self.unknown, len(self.unknown))}"] if self.unknown else []
        return Display(f"Answer of {len(self)} items", (), columns, rows, notes)


@dataclasses.dataclass(frozen=True, slots=True)
class TopLists:
    """Lists of the histories `first` to `first + len - 1`: codes [B k] int64, logits and probabilities [B k] float32.

    Places that could not be filled hold `NOTHING`, logit -inf and probability 0. `probabilities` may be None.
    """

    first: int
    codes: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray | None

    def __len__(self) -> int:
        return len(self.codes)


def recommend(
    model: Recommender,
    items: Vocabulary,
    histories: Sequence[Sequence[Any]],
    *,
    times: Sequence[Sequence[int]] | None = None,
    titles: np.ndarray | None = None,
    k: int = 10,
    seen: Seen = "hidden",
    at: Sequence[int] | None = None,
    allow: Iterable[Any] | None = None,
    deny: Iterable[Any] | None = None,
    within: Within | None = None,
    item_table: Table | None = None,
    device: torch.device | str | None = None,
) -> list[Answer]:
    """The k best next items for each history of the caller's own item ids, oldest first; an empty one is a newcomer.

    `times`: seconds, one for each id. `titles` [vocabulary size]: names to show, by code. `at`: the request time
    of each history, in seconds, for models that use it; without `times` the ids count as if they had come just then.
    Ids the model does not know are skipped and listed in `Answer.unknown`.

    `allow`: only these items; `deny`: none of these; `within`: only items whose column of `item_table` has the value
    (`{"genres": "Comedy"}`). What they mean together, and what they refuse, says `data.candidates.allowed_mask`.
    """
    allowed = allowed_mask(items, item_table, allow=allow, deny=deny, within=within)
    if at is not None and len(at) != len(histories):
        raise ValueError(f"{len(histories)} histories but {len(at)} request times")
    just_then = at if times is None and model.request_time else None
    known, clock, unknown = [], [], []
    for row, history in enumerate(histories):
        if isinstance(history, str) or not isinstance(history, Iterable):
            raise ValueError(
                f"history {row} is {history!r}, not a list of item ids; histories are a list of such lists"
            )
        codes = encode(items, history, unknown=NOTHING)
        if times is not None and len(times[row]) != len(history):
            raise ValueError(f"history {row} has {len(history)} items but {len(times[row])} times")
        unknown.append(tuple(one for one, code in zip(history, codes, strict=True) if code == NOTHING))
        known.append(codes[codes != NOTHING])
        if times is not None:
            clock.append(np.asarray(times[row], dtype=np.int64)[codes != NOTHING])
        else:
            clock.append(known[-1] if just_then is None else np.full_like(known[-1], just_then[row]))
    offsets = np.cumsum([0, *map(len, known)])
    flat = Ragged(np.concatenate([np.zeros(0, np.int64), *known]), np.concatenate([np.zeros(0, int), *clock]), offsets)
    moments = None if at is None else np.asarray(at, dtype=np.int64)
    answers: list[Answer] = []
    clocked = times is not None or just_then is not None
    for lists in top_lists(model, flat, k=k, seen=seen, at=moments, allowed=allowed, clock=clocked, device=device):
        rows = (listed(lists, row, items, titles) for row in range(len(lists)))
        answers += [Answer(row, unknown[lists.first + number]) for number, row in enumerate(rows)]
    return answers


def listed(lists: TopLists, row: int, items: Vocabulary, titles: np.ndarray | None) -> tuple[Recommendation, ...]:
    """One row of `TopLists` with ids and titles; places that could not be filled are left out."""
    filled = [place for place, code in enumerate(lists.codes[row]) if code != NOTHING]
    return tuple(
        Recommendation(
            place + 1,
            own := items.ids[lists.codes[row, place] - items.first],
            str(own) if titles is None else str(titles[lists.codes[row, place]]),
            float(lists.logits[row, place]),
            None if lists.probabilities is None else float(lists.probabilities[row, place]),
        )
        for place in filled
    )


def as_columns(
    lists: TopLists, users: np.ndarray, items: Vocabulary, titles: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """The lists as a table, one row a recommendation: user, rank, item, title, logit, probability (where there is one).

    users [all histories]: the caller's own id of each history. What `data.writing.write_blocks` takes.
    """
    row, place = np.nonzero(lists.codes != NOTHING)
    codes = lists.codes[row, place]
    columns = {"user": users[lists.first + row], "rank": (place + 1).astype(np.int32), "item": items.decode(codes)}
    if titles is not None:
        columns["title"] = titles[codes]
    columns["logit"] = lists.logits[row, place]
    if lists.probabilities is not None:
        columns["probability"] = lists.probabilities[row, place]
    return columns


def top_lists(
    model: Recommender,
    histories: Ragged,
    *,
    k: int = 10,
    seen: Seen = "hidden",
    at: np.ndarray | None = None,
    allowed: np.ndarray | None = None,
    clock: bool = True,
    last: int | None = None,
    device: torch.device | str | None = None,
    token_budget: int | None = None,
    segment: int = SEGMENT,
) -> Iterator[TopLists]:
    """Stream the lists of many histories of item codes, in their order, in memory that their number does not change.

    `clock` False: the histories' times are no times, and the model is shown none. `at` [users] int64: the time of
    asking. `allowed` [V] bool: the only items that may be in a list. `last`: the model knows of the last so many events
    of each history only; what was seen before them is hidden all the same. Equal scores stand in the order of their
    codes. Raises DataError where the model scores NaN or was made for other items, ValueError for a k below 1.
    """
    one_of("seen", seen, Seen)
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if at is not None and len(at) != len(histories):
        raise ValueError(f"{len(histories)} histories but {len(at)} request times")
    size = model.catalog.size
    if allowed is not None and allowed.shape != (size,):
        raise ValueError(f"allowed is of shape {list(allowed.shape)}, expected {[size]}: one for each item code")
    known = histories if last is None else histories.last(last)
    requests = requests_of(model, known, clock, device)
    for first in range(0, len(histories), CHUNK):
        some = slice(first, min(first + CHUNK, len(histories)))
        lists = _empty(first, some.stop - first, min(k, size - 1), model.probabilistic)
        # Inference mode is entered anew for each chunk: it must not stay on in the caller between two of them.
        with torch.inference_mode(), evaluating(model):
            blocks = memories(model, known, some, clock, device, token_budget, segment)
            for rows, scores in scored(model, blocks, requests, at):
                _fill(lists, rows, scores, histories, seen, allowed)
        yield lists


def memories(
    model: Recommender,
    histories: Ragged,
    some: slice | None = None,
    clock: bool = True,
    device: torch.device | str | None = None,
    token_budget: int | None = None,
    segment: int = SEGMENT,
) -> Iterator[tuple[np.ndarray, State]]:
    """Row numbers and their memory after the whole history, for the rows `some`, many at a time, longest first.

    To be consumed in inference mode, with the model evaluating. DataError where a code is none of the model's.
    """
    size = model.catalog.size
    if len(histories.items) and not 0 < int(histories.items.min()) <= int(histories.items.max()) < size:
        raise DataError(f"the histories hold item codes outside 1 to {size - 1}, which {type(model).__name__} knows")
    place = torch.device(device) if device is not None else getattr(model, "device", torch.device("cpu"))
    some = some or slice(0, len(histories))
    starts, ends = histories.offsets[:-1][some], histories.offsets[1:][some]
    times = histories.times if clock else None
    tokens = token_budget or tokens_on(place, TOKENS)
    for block in by_length(ends - starts, tokens, segment):
        state = model.fresh(len(block))
        for events in pieces(histories.items, times, starts[block], ends[block], segment):
            state = model.advance(state, events.to(place))
        yield some.start + block, state


def requests_of(
    model: Recommender, histories: Ragged, clock: bool = True, device: torch.device | str | None = None
) -> Requests:
    """What `scored` asks the model after the histories; `clock` and `device` as in `top_lists`."""
    place = torch.device(device) if device is not None else getattr(model, "device", torch.device("cpu"))
    return Requests(model, histories.items, histories.times if clock else None, histories.offsets, place)


def scored(
    model: Recommender,
    blocks: Iterable[tuple[np.ndarray, State]],
    requests: Requests,
    at: np.ndarray | None = None,
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Memories in, the scores of all items out: row numbers and [B V] fp32, so many at a time as memory allows.

    `at` [users]: the time of asking.

    Raises DataError where a score is NaN or infinite: neither can be ranked beside the others.
    """
    step = max(1, SCORE_CELLS // model.catalog.size)
    for block, state in blocks:
        for begin in range(0, len(block), step):
            rows, part = block[begin : begin + step], state.rows(slice(begin, begin + step))
            scores = model.score(part, requests.of_rows(rows, None if at is None else at[rows])).float()
            best = scores.amax(dim=1)  # a maximum of NaN is NaN
            if best.isnan().any() or (best == torch.inf).any():
                raise DataError(
                    f"{type(model).__name__} scored NaN or infinity: its weights or its state are not finite; "
                    "train again, with a smaller learning rate or in fp32"
                )
            yield rows, scores


def _empty(first: int, rows: int, k: int, likely: bool) -> TopLists:
    codes = np.full((rows, k), NOTHING, dtype=np.int64)
    shares = np.zeros((rows, k), dtype=np.float32) if likely else None
    return TopLists(first, codes, np.full((rows, k), -np.inf, dtype=np.float32), shares)


def _fill(
    lists: TopLists, rows: np.ndarray, scores: Tensor, histories: Ragged, seen: str, allowed: np.ndarray | None
) -> None:
    """The best of scores [B V] into the lists of these rows."""
    normaliser = torch.logsumexp(scores, dim=1, keepdim=True)  # [B 1]
    if allowed is not None:
        scores = scores.masked_fill(torch.from_numpy(~allowed).to(scores.device), -torch.inf)
    if seen == "hidden":
        scores = scores.clone(memory_format=torch.contiguous_format)
        hide_seen(scores, histories.items, histories.offsets[rows], histories.offsets[rows + 1])
    best, chosen = top(scores, lists.codes.shape[1])
    rows = rows - lists.first
    lists.codes[rows] = chosen.masked_fill(best == -torch.inf, NOTHING).cpu().numpy()
    lists.logits[rows] = best.cpu().numpy()
    if lists.probabilities is not None:
        lists.probabilities[rows] = (best - normaliser).exp().nan_to_num(0.0).cpu().numpy()


def top(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """scores [B V] -> the k best and their codes, [B k]; among equals the smaller code, whoever shares the batch."""
    best, codes = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    if best.shape[1] > k:
        tied = best[:, k - 1] == best[:, k]  # then which of the equals are in is a matter of their codes
        best, codes = best[:, :k], codes[:, :k]
        if tied.any():
            codes = codes.clone()
            codes[tied] = _top_of_equals(scores[tied], best[tied, -1:], k)
    codes = codes.sort(dim=1).values
    best, order = scores.gather(1, codes).sort(dim=1, descending=True, stable=True)
    return best, codes.gather(1, order)


def _top_of_equals(scores: Tensor, least: Tensor, k: int) -> Tensor:
    """scores [B V], the k-th best of each row [B 1] -> codes [B k], ascending; of the k-th's equals the smallest."""
    over, equal = scores > least, scores == least
    room = k - over.sum(dim=1, keepdim=True)
    equal &= equal.cumsum(dim=1) <= room
    return (over | equal).nonzero()[:, 1].view(-1, k)
