"""A simulated log in which only what lies far back helps: what a long memory is worth, and nothing else.

Early in life each user shows a favourite in every group of items, then come a thousand and more everyday events that
are drawn alike for everybody, and then each favourite is asked for, once. docs/simulator.md, section 6, has the model,
and why whoever remembers no more events than the stretch between has can only guess inside a group.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from recollect.config import Settings
from recollect.data.blocks import ranges
from recollect.data.log import EventLog, Table, Vocabulary
from recollect.data.simulate.generator import numbered
from recollect.data.simulate.world import FIRST_DAY


class LongMemoryConfig(Settings):
    """What the log looks like. The defaults are frozen (docs/simulator.md)."""

    users: int = Field(600, ge=1)
    """How many users."""
    groups: int = Field(12, ge=1)
    """Groups of items; a user has a favourite in each."""
    choices: int = Field(25, ge=2)
    """Items of a group."""
    everyday: int = Field(88, ge=1)
    """Items that mean nothing."""
    rounds: int = Field(6, ge=1)
    """How often every group comes up early in life."""
    shortest: int = Field(1000, ge=0)
    """The fewest everyday events between early and late life."""
    longest: int = Field(1300, ge=0)
    """The most of them; every number between is equally likely."""
    faithful: float = Field(0.9, gt=0, lt=1)
    """How often a choice is the favourite; else it is any item of the group, equally likely."""
    seed: int = Field(7, ge=0)
    """Names the log: the same seed and settings give the same log everywhere."""

    @field_validator("longest")
    @classmethod
    def _is_not_below_shortest(cls, longest: int, info: ValidationInfo) -> int:
        shortest = info.data.get("shortest")
        if shortest is not None and longest < shortest:
            raise ValueError(f"longest cannot be below shortest = {shortest}")
        return longest

    @property
    def items(self) -> int:
        """How many items there are: choices, a reminder of every group, and everyday ones."""
        return self.groups * self.choices + self.groups + self.everyday


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LongMemory:
    """The log, and what its items are. Every item has a code, seen or not."""

    log: EventLog
    config: LongMemoryConfig
    group: np.ndarray
    """[V]: the group of each item code that is chosen or reminds of a group; -1 for everyday items and padding."""
    chosen: np.ndarray
    """[V] bool: which item codes can be chosen."""

    def __repr__(self) -> str:
        return f"LongMemory of\n{self.log!r}"

    def best_possible(
        self, users: np.ndarray, positions: np.ndarray, *, last: int | None = None
    ) -> np.ndarray:  # [Q V]
        """The exact probability of every item code as the choice at `positions[q]`, given the events before it.

        `last`: given the last so many of them only (1 at least: the reminder). Returns float64 [Q V]; rows sum to one,
        padding has zero. Raises ValueError where a position is no choice, or not of the user that is named.
        """
        log, config = self.log, self.config
        users, positions = np.asarray(users), np.asarray(positions)
        if not (np.array_equal(log.users[positions], users) and self.chosen[log.items[positions]].all()):
            raise ValueError("best_possible: positions[q] must be a choice of users[q], as the log's targets are")
        if last is not None and last < 1:
            raise ValueError(f"best_possible: last must be at least 1, got {last}")
        starts = log.offsets[users]
        if last is not None:
            starts = np.maximum(starts, positions - last)
        asked = self.group[log.items[positions - 1]]  # [Q]; what stands before a choice is its reminder
        places, row = ranges(starts, positions)
        told = self.chosen[log.items[places]] & (self.group[log.items[places]] == asked[row])
        options = (self.group == asked[:, None]) & self.chosen  # [Q V]
        seen = np.zeros(options.shape)
        np.add.at(seen, (row[told], log.items[places[told]]), 1)
        # A choice speaks for its item by the ratio of what it would be as the favourite and as any other.
        other = (1 - config.faithful) / config.choices
        belief = options * np.exp(seen * np.log((config.faithful + other) / other))
        belief /= belief.sum(axis=1, keepdims=True)
        return np.asarray(config.faithful * belief + other * options)


def simulate_long_memory(config: LongMemoryConfig | None = None) -> LongMemory:
    """Draw a log. The same settings give the same bytes."""
    config = config or LongMemoryConfig()
    code_seed, event_seed = np.random.SeedSequence(config.seed).spawn(2)
    groups, users = config.groups, config.users
    codes = np.random.default_rng(code_seed).permutation(config.items) + 1  # they tell nothing of what an item is
    options, reminders, everyday = np.split(codes, [groups * config.choices, groups * (config.choices + 1)])
    options = options.reshape(groups, config.choices)

    rng = np.random.default_rng(event_seed)
    favourite = rng.integers(config.choices, size=(users, groups))
    early = _pairs(config, favourite, options, reminders, config.rounds, rng)
    late = _pairs(config, favourite, options, reminders, 1, rng)
    between = rng.integers(config.shortest, config.longest, size=users, endpoint=True)

    lengths = early.shape[1] + between + late.shape[1]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    items = everyday[rng.integers(config.everyday, size=offsets[-1])]
    items[offsets[:-1, None] + np.arange(early.shape[1])] = early
    ending = offsets[1:, None] - late.shape[1] + np.arange(late.shape[1])  # [U 2G]
    items[ending] = late
    targets = np.zeros(offsets[-1], bool)
    targets[ending[:, 1::2]] = True
    # Minutes to hours apart, whatever happens: the clock tells nothing.
    times = np.cumsum(rng.integers(60, 4 * 3600, size=offsets[-1]))
    times += FIRST_DAY - np.repeat(times[offsets[:-1]], lengths)

    group = np.full(config.items + 1, -1)
    group[options], group[reminders] = np.arange(groups)[:, None], np.arange(groups)
    chosen = np.zeros(config.items + 1, bool)
    chosen[options] = True
    log = EventLog(
        np.repeat(np.arange(users), lengths).astype(np.int32),
        items.astype(np.int32),
        times,
        Vocabulary(numbered("u", users)),
        Vocabulary(numbered("i", config.items), first=1),
        item_table=_item_table(group[1:], chosen[1:]),
        targets=targets,
        name=f"simulated-long-memory(seed {config.seed})",
    )
    return LongMemory(log, config, group, chosen)


def _pairs(
    config: LongMemoryConfig,
    favourite: np.ndarray,
    options: np.ndarray,
    reminders: np.ndarray,
    rounds: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """[U 2RG] item codes: in each round the reminder of every group, in any order, and what is chosen after it."""
    users, groups = favourite.shape
    order = rng.permuted(np.tile(np.arange(groups), (users, rounds, 1)), axis=2).reshape(users, -1)  # [U RG]
    any_other = rng.integers(config.choices, size=order.shape)
    faithful = rng.random(order.shape) < config.faithful
    choice = np.where(faithful, np.take_along_axis(favourite, order, axis=1), any_other)
    return np.stack([reminders[order], options[order, choice]], axis=2).reshape(users, -1)


def _item_table(group: np.ndarray, chosen: np.ndarray) -> Table:
    """What each item is, for people: models read codes."""
    kinds = np.where(chosen, "choice", np.where(group >= 0, "reminder", "everyday")).astype(object)
    titles = [
        f"{kind.capitalize()} {code}" + ("" if of < 0 else f" of group {of + 1}")
        for code, (kind, of) in enumerate(zip(kinds.tolist(), group.tolist(), strict=True), start=1)
    ]
    return Table({"title": np.array(titles, dtype=object), "kind": kinds})
