"""A log with times, titles and genres, and models fitted on it; built by hand, so that a test knows every event."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import torch

from recollect.contracts import Counting, Recommender
from recollect.data.log import EventLog, Table, build_log
from recollect.data.splits import loo
from recollect.registry import model_class
from recollect.train.trained import Trained

ITEMS = 20
GENRES = ["Comedy|Drama", "Drama", "Comedy", "Horror"]
UNBORN = {"hf"}
"""Needs an optional package."""


@functools.cache
def log(users: int = 25) -> EventLog:
    """Users u00, u01, ... walk along items i01 to i20; item ids are text, users have 3 to 12 events."""
    draw = np.random.default_rng(5)
    lengths = draw.integers(3, 13, users)
    walks = [draw.integers(0, ITEMS) + np.arange(n) * draw.integers(1, 4) for n in lengths]
    items = np.array([f"i{1 + step % ITEMS:02d}" for walk in walks for step in walk], dtype=object)
    people = np.repeat(np.array([f"u{user:02d}" for user in range(users)], dtype=object), lengths)
    made = build_log(people, items, 1_700_000_000 + 3600 * np.arange(lengths.sum()), name="walks")
    size = len(made.item_ids)
    table = {
        "title": np.array([f"Title {one}" for one in made.item_ids.ids], dtype=object),
        "genres": np.array([GENRES[k % 4] for k in range(size)], dtype=object),
        "year": np.array([1990.0 + k for k in range(size)]),
    }
    return dataclasses.replace(made, item_table=Table(table))


@functools.cache
def trained(name: str, **fields: Any) -> Trained:
    """A model of that name: counting models fitted, networks as they are drawn."""
    torch.manual_seed(3)
    split = loo(log())
    kind = model_class(name)
    small = {"width": 8} if "width" in kind.Config.model_fields and not fields else {}
    config = kind.Config(**{**small, **fields})
    made: Recommender = kind(config, split.catalog)  # type: ignore[call-arg]
    if isinstance(made, Counting):
        made.fit(split.train)
    return Trained(name, made, 0.0, 0, [], 0, split=split, settings={"model": {"name": name, **small, **fields}})


def past(user: str) -> list[str]:
    """The items of a user, oldest first."""
    whole = log()
    code = whole.user_ids.find(user)
    assert code is not None
    return whole.item_ids.decode(whole.items[whole.offsets[code] : whole.offsets[code + 1]]).tolist()


def busiest() -> str:
    """The user with most events."""
    return str(log().user_ids.decode(int(np.diff(log().offsets).argmax())))


def times_of(user: str) -> list[int]:
    whole = log()
    code = whole.user_ids.find(user)
    assert code is not None
    return whole.times[whole.offsets[code] : whole.offsets[code + 1]].tolist()


def scores_after(model: Recommender, codes: list[int], times: list[int] | None = None) -> np.ndarray:
    """[V]: the three verbs, one event after the other."""
    from recollect.contracts import Events

    with torch.inference_mode():
        if isinstance(model, torch.nn.Module):
            model.eval()
        state = model.fresh(1)
        for place, code in enumerate(codes):
            state = model.advance(state, Events.of([[code]], None if times is None else [[times[place]]]))
        return model.score(state)[0].double().numpy()
