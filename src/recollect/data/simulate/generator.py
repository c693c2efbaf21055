"""Simulated event logs whose best possible score is known, for the demo and the tests.

The generator of docs/simulator.md, section 2: long-term tastes, short sessions, popularity skew, repeats, series
and item life-spans. `Simulation.best_possible` is the exact posterior predictive of section 3.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from recollect.data.log import EventLog, Table, Vocabulary
from recollect.data.simulate.oracle import predict
from recollect.data.simulate.titles import catalogue_titles
from recollect.data.simulate.world import BINGE, DAY, FIRST_DAY, SimulateConfig, World, draw_world

__all__ = ["SimulateConfig", "Simulation", "simulate"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Simulation:
    """A simulated log and the world it comes from. Every item of the world has a code, seen or not."""

    log: EventLog
    world: World

    def __repr__(self) -> str:
        return f"Simulation of\n{self.log!r}"

    def best_possible(
        self, users: np.ndarray, positions: np.ndarray, *, request_time: bool = False
    ) -> np.ndarray:  # [Q V]
        """The exact probability of every item code as the event at `positions[q]` of the log, given all before it.

        Computed from the true parameters and the user's earlier events with their times; nothing can predict better.
        `users` [Q] and `positions` [Q] are as in `Targets`; `request_time` also gives the time of the target,
        for comparison with models that use it. Returns float64 [Q V]; rows sum to one, padding has zero.
        Raises ValueError where a position is not one of the user's. Memory is Q x V x 8 bytes: ask in portions.
        """
        if not np.array_equal(self.log.users[positions], users):
            raise ValueError("best_possible: users[q] must be the user of the event at positions[q]")
        return predict(self.world, self.log, np.asarray(positions, dtype=np.int64), request_time=request_time)

    @property
    def lifespans(self) -> np.ndarray:
        """[V 2] int64 seconds: an item code may occur from the first time until before the second.

        Items that never die end at the largest int64; padding has an empty span.
        """
        world = self.world
        spans = np.zeros((world.config.items + 1, 2), dtype=np.int64)
        seconds = world.config.revision_days * DAY
        spans[world.code_of_slot, 0] = FIRST_DAY + world.births * seconds
        lasting = world.deaths == world.epochs
        spans[world.code_of_slot, 1] = np.where(lasting, np.iinfo(np.int64).max, FIRST_DAY + world.deaths * seconds)
        return spans


def simulate(config: SimulateConfig | None = None) -> Simulation:
    """Draw a world and a log from it. The same settings give the same bytes."""
    config = config or SimulateConfig()
    world_seed, log_seed, title_seed = np.random.SeedSequence(config.seed).spawn(3)
    world = draw_world(config, np.random.default_rng(world_seed))
    lengths, slots, times = _draw_events(world, np.random.default_rng(log_seed))
    filled = np.arange(slots.shape[1]) < lengths[:, None]
    codes = world.code_of_slot[slots]  # [U T]; cells that are not filled are cut away
    log = EventLog(
        np.repeat(np.arange(config.users), lengths).astype(np.int32),
        codes[filled].astype(np.int32),
        times[filled],
        Vocabulary(numbered("u", config.users)),
        Vocabulary(numbered("i", config.items), first=1),
        item_table=_item_table(world, np.random.default_rng(title_seed)),
        name=f"simulated(seed {config.seed})",
    )
    return Simulation(log, world)


def _draw_events(world: World, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lengths [U], slots [U T] and times [U T]: one step of all users at a time."""
    config, places = world.config, world.places
    users = config.users
    # Lengths, first days and gaps depend on nothing else, so that knowing them tells nothing of tastes.
    extra = max(config.mean_events - config.min_events, 0.0)
    lengths = config.min_events + np.round(rng.gamma(4.0, extra / 4, size=users)).astype(np.int64)
    profile = rng.choice(len(world.profile_weights), p=world.profile_weights, size=users)
    style = _choose(world.style_prior[profile], rng.random((users, config.topics)))  # [U K]
    gaps, chance, alive = world.gaps, world.sequel_chance, world.alive.reshape(world.epochs, config.topics, places)

    slots = np.zeros((users, lengths.max()), dtype=np.int64)
    times = np.zeros_like(slots)
    old = np.zeros((users, config.topics, places))  # how often each item stands in the part that may be repeated
    day = rng.integers(world.first_days, size=users)
    second, held, mode = np.zeros((3, users), dtype=np.int64)
    for step in range(slots.shape[1]):
        at = np.flatnonzero(lengths > step)
        row = np.arange(len(at))
        luck = rng.random((len(at), 8))
        if step >= config.repeat_lag:
            old.reshape(users, -1)[at, slots[at, step - config.repeat_lag]] += 1
        last = slots[at, step - 1]  # no meaning at a session's first event

        opens = luck[:, 0] < world.ends_session(held[at])
        held[at] = np.where(opens, 1, held[at] + 1)
        gap = rng.choice(len(gaps), p=gaps, size=len(at)) if step else np.zeros(len(at), dtype=np.int64)
        day[at] += np.where(opens, gap, 0)
        pause = np.where(opens, rng.integers(6 * 3600, 20 * 3600, size=len(at)), rng.integers(30, 400, size=len(at)))
        second[at] = np.where(opens, pause, second[at] + pause)
        times[at, step] = FIRST_DAY + day[at] * DAY + second[at]
        epoch = world.epoch_of_day(day[at])

        changed = np.where(luck[:, 1] < config.switch, 1 - mode[at], mode[at])
        mode[at] = np.where(opens, np.where(luck[:, 1] < world.mode_start[BINGE], BINGE, 1 - BINGE), changed)
        sequel = world.sequels[last]
        has_sequel = ~opens & (sequel >= 0) & alive.reshape(world.epochs, -1)[epoch, sequel]
        follows = has_sequel & (luck[:, 2] < chance[mode[at]])

        topic = last // places
        anew = opens | (luck[:, 3] < config.drift)
        topic = np.where(anew, _choose(world.preference[profile[at]], luck[:, 4]), topic)
        free = alive[epoch, topic].astype(float)  # [A N]
        stays = ~opens & (topic == last // places)
        free[row[stays], last[stays] % places] = 0
        barred = stays & has_sequel
        free[row[barred], sequel[barred] % places] = 0
        repeats = old[at, topic] * free
        again = (luck[:, 5] < config.repeat) & (repeats.sum(1) > 0)
        weights = np.where(again[:, None], repeats, world.taste[epoch, topic, style[at, topic]] * free)
        slots[at, step] = np.where(follows, sequel, topic * places + _choose(weights, luck[:, 6]))
    return lengths, slots, times


def _choose(weights: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """An index of the last axis for each draw from [0, 1), in proportion to the weights."""
    sums = np.cumsum(weights, axis=-1)
    index: np.ndarray = np.minimum((sums <= (luck * sums[..., -1])[..., None]).sum(-1), weights.shape[-1] - 1)
    return index


def numbered(prefix: str, count: int) -> np.ndarray:
    """Ids from 1 to `count`, all of one width."""
    width = max(4, len(str(count)))
    return np.array([f"{prefix}{number:0{width}d}" for number in range(1, count + 1)], dtype=object)


def _item_table(world: World, rng: np.random.Generator) -> Table:
    """Titles, genres (topics) and series by item code; styles stay hidden."""
    config = world.config
    titles, genres, series = catalogue_titles(world.sequels, config.topics, rng)
    slots = world.slot_of_code[1:]
    return Table({"title": titles[slots], "genre": genres[slots], "series": series[slots]})
