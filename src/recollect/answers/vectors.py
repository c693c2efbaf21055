"""The vectors behind the scores, with the ids they belong to: for an index of nearest neighbours, or another model.

For networks and factorisations the logits are users @ items.T, plus the bias of the item where the model has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from recollect.answers.known import Known, log_for
from recollect.answers.lists import audience
from recollect.answers.similar import HasItemVectors
from recollect.config import ConfigError
from recollect.contracts import CLOCK, Carried, Recommender, Request, State, Window, take_last
from recollect.data.frame import Frame
from recollect.nn.evaluating import evaluating
from recollect.recommend import memories


@runtime_checkable
class HasUserVectors(Protocol):
    """A model that is no network and folds its users in as vectors."""

    def user_vectors(self, state: State) -> Tensor:
        """[B D]: what is multiplied with the item vectors."""
        ...


@runtime_checkable
class HasItemBias(Protocol):
    """A model whose items have a bias, or may have one."""

    def item_bias(self) -> Tensor | None:
        """[V], or None."""
        ...


def vectors(trained: Known) -> Frame:
    """The vectors of all items: columns item, vector [N D] float32 and, where the model has one, bias.

    Raises ConfigError where the model has none.
    """
    model = trained.model
    if not isinstance(model, HasItemVectors):
        raise ConfigError(f"{trained.name} has no item vectors; take a network or a factorisation (svd, nmf, pmf, bpr)")
    first = trained.items.first
    columns = {"item": trained.items.ids, "vector": _plain(model.item_vectors())[first:]}
    bias = model.item_bias() if isinstance(model, HasItemBias) else None
    return Frame(columns if bias is None else {**columns, "bias": _plain(bias)[first:]})


def user_vectors(
    trained: Known, log: Any = None, *, users: Iterable[Any] | None = None, at: int | None = None
) -> Frame:
    """Users after their whole histories: columns user and vector [N D] float32. `log`, `users`, `at`: as in
    `recommend_all`. How a repeat head scores what a user has met is in no vector.

    A factorisation answers somebody whose events say nothing to it by popularity: that vector is zero, or says nothing.
    Raises ConfigError where the model has no vectors of users.
    """
    model = trained.model
    if not isinstance(model, Carried | Window | HasUserVectors):
        raise ConfigError(f"{trained.name} has no vectors of users; take a network or a factorisation (svd, nmf, ...)")
    who = audience(trained, log_for(trained, log), users, at=at)
    table: np.ndarray | None = None
    with torch.inference_mode(), evaluating(model):
        for rows, state in memories(model, who.histories, clock=who.clock):
            found = _plain(hidden(model, state, who.at))
            table = np.empty((len(who), found.shape[1]), np.float32) if table is None else table
            table[rows] = found
    assert table is not None
    return Frame({"user": who.ids, "vector": table})


def hidden(model: Recommender, state: State, at: int | None = None) -> Tensor:
    """[B D]: what the model multiplies with its item vectors to score these memories at the time `at`, in seconds."""
    moments = None if at is None else torch.full((state.users,), at, dtype=torch.int64, device=_device(state))
    if isinstance(model, Carried):
        return model.respond(state["hidden"], state.part(CLOCK), moments)
    if isinstance(model, Window):
        after, _ = model.encode(model.recall(state, Request(moments)))
        return take_last(after, state["held"], model.start().to(after.dtype))
    assert isinstance(model, HasUserVectors)
    return model.user_vectors(state)


def _device(state: State) -> torch.device:
    return next(iter(state.values())).device


def _plain(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().float().numpy().copy()
