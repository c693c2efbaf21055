"""Items like this one. What "like" means is the model's: near in its vectors, or what its counts say goes together."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from recollect.answers.known import Known, code_of
from recollect.config import ConfigError
from recollect.contracts import PAD
from recollect.data.candidates import Within, allowed_mask
from recollect.data.frame import Frame
from recollect.display import Display, Displayed
from recollect.recommend import top


@runtime_checkable
class HasItemVectors(Protocol):
    """A model with a vector for each item."""

    def item_vectors(self) -> Tensor:
        """[V D]: what the vector of a user is multiplied with for the logits."""
        ...


@runtime_checkable
class ComparesItems(Protocol):
    """A model that was fitted to say how much one item speaks for another."""

    @property
    def likeness(self) -> str:
        """What the figure is, in words."""
        ...

    def alike(self, item: int) -> np.ndarray:
        """[V]: the figure of every item code beside `item`; zero or less is no likeness."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class SimilarItem:
    """One row of the list. `similarity` is in the words of `SimilarItems.measure`."""

    rank: int
    item: Any
    title: str
    similarity: float


@dataclasses.dataclass(frozen=True, repr=False, slots=True)
class SimilarItems(Displayed):
    """Items like one item, the most similar first, never the item itself."""

    item: Any
    title: str
    measure: str
    """What the similarity is: `cosine of the item vectors`, or what the model counts by."""
    items: tuple[SimilarItem, ...]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[SimilarItem]:
        return iter(self.items)

    def __getitem__(self, place: int) -> SimilarItem:
        return self.items[place]

    def _display(self) -> Display:
        rows = [[str(one.rank), str(one.item), one.title, f"{one.similarity:.4f}"] for one in self.items]
        facts = [("like", f"{self.title} (id {self.item})"), ("similarity", self.measure)]
        return Display(f"SimilarItems, {len(self)} items", facts, [">rank", "item", "title", ">similarity"], rows)

    def table(self) -> Frame:
        """One row an item: item (the one asked for), rank, similar, title, similarity."""
        own = np.array([self.item] * len(self), dtype=object if isinstance(self.item, str) else np.int64)
        return Frame(
            {
                "item": own,
                "rank": np.array([one.rank for one in self], dtype=np.int32),
                "similar": np.array([one.item for one in self], dtype=own.dtype),
                "title": np.array([one.title for one in self], dtype=object),
                "similarity": np.array([one.similarity for one in self], dtype=np.float64),
            }
        )


def similar(
    trained: Known,
    item: Any,
    k: int = 10,
    *,
    allow: Iterable[Any] | None = None,
    deny: Iterable[Any] | None = None,
    within: Within | None = None,
) -> SimilarItems:
    """The k items most like one, given by its id or its title.

    Networks and factorisations: the cosine of the item vectors, from -1 to 1. Models that count: what they score by
    (itemknn its similarity, markov how strongly an item follows, ease its weights), and only what is above zero. Equal
    figures stand in the order of the item codes. `allow`, `deny`, `within`: as in `recommend`.

    Raises DataError where the item is not known, ConfigError where the model cannot compare items.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    code = code_of(trained, item)
    allowed = allowed_mask(trained.items, trained.item_table, allow=allow, deny=deny, within=within)
    figures, measure = _figures(trained, code)
    figures[[PAD, code]] = -np.inf
    if allowed is not None:
        figures[~allowed] = -np.inf
    best, codes = (side[0].tolist() for side in top(torch.from_numpy(figures)[None], min(k, len(figures) - 1)))
    found = [(one, figure) for one, figure in zip(codes, best, strict=True) if figure > -np.inf]
    return SimilarItems(
        trained.items.decode(code),
        str(trained.titles[code]),
        measure,
        tuple(
            SimilarItem(rank, trained.items.decode(one), str(trained.titles[one]), figure)
            for rank, (one, figure) in enumerate(found, 1)
        ),
    )


def _figures(trained: Known, code: int) -> tuple[np.ndarray, str]:
    """[V] float64, -inf where there is no likeness, and what the figure is."""
    model = trained.model
    if isinstance(model, ComparesItems):
        figures = np.array(model.alike(code), dtype=np.float64)
        figures[figures <= 0] = -np.inf
        return figures, model.likeness
    if isinstance(model, HasItemVectors):
        return cosines(model.item_vectors().detach().cpu().double().numpy(), code), "cosine of the item vectors"
    raise ConfigError(
        f"{trained.name} does not compare items; take a network, a factorisation (svd, nmf, pmf, bpr), itemknn, markov "
        "or ease"
    )


def cosines(table: np.ndarray, row: int) -> np.ndarray:
    """table [V D] -> [V]: the cosine of each row and one of them; -inf where a row is all zeros."""
    lengths = np.linalg.norm(table, axis=1) * np.linalg.norm(table[row])
    products = table @ table[row]
    return np.divide(products, lengths, out=np.full(len(table), -np.inf), where=lengths > 0)
