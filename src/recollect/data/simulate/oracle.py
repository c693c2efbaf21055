"""The exact posterior predictive of a simulated log: the score that no recommender can pass.

A forward filter over what is hidden, docs/simulator.md section 3. It is exact, not an approximation: given the
events, modes are independent of tastes, and styles are independent of each other given the profile.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from recollect.data.log import EventLog
from recollect.data.simulate.world import BINGE, BROWSE, DAY, FIRST_DAY, World

BLOCK = 2048
"""Users followed at a time: their beliefs are P x K x S numbers each."""


@dataclasses.dataclass(eq=False)
class _Belief:
    """What a filter knows of U users after their events so far; every array's first axis is the user."""

    profile: np.ndarray  # [U P]        posterior of the profile
    style: np.ndarray  # [U P K S]      posterior of the style in each topic, given the profile
    mode: np.ndarray  # [U 2]           posterior of the mode at the last event
    old: np.ndarray  # [U K N]          counts of the events that may be repeated by the next one
    last: np.ndarray  # [U]             slot of the last event
    held: np.ndarray  # [U]             events in the session so far; 0 before the first event
    day: np.ndarray  # [U]              day of the session; -1 before the first event


def predict(world: World, log: EventLog, positions: np.ndarray, *, request_time: bool = False) -> np.ndarray:
    """[Q V] float64: P(item code | the user's events before the position, with their times).

    With `request_time` also given the time of the target. Targets may come in any order.
    """
    users, rows = np.unique(log.users[positions], return_inverse=True)  # only users with targets are followed
    answers = np.zeros((len(positions), world.config.items + 1))
    reach = _next_epochs(world)
    for first in range(0, len(users), BLOCK):
        targets = np.flatnonzero((rows >= first) & (rows < first + BLOCK))
        block = users[first : first + BLOCK]
        _walk(world, log, block, rows[targets] - first, positions[targets], targets, reach, request_time, answers)
    return answers


def _walk(
    world: World,
    log: EventLog,
    users: np.ndarray,
    rows: np.ndarray,
    positions: np.ndarray,
    places: np.ndarray,
    reach: np.ndarray,
    request_time: bool,
    answers: np.ndarray,
) -> None:
    """Walk along the histories of some `users`, one event of each at a time, and answer on the way.

    Target q is of `users[rows[q]]` and answered in row `places[q]` of `answers`.
    """
    lag, slots, starts = world.config.repeat_lag, world.slot_of_code, log.offsets[users]
    steps = positions - starts[rows]
    belief = _start(world, len(users))
    last_step = np.zeros(len(users), dtype=np.int64)
    np.maximum.at(last_step, rows, steps)
    for step in range(int(last_step.max()) + 1):
        at = np.flatnonzero(last_step >= step)
        place = starts[at] + step
        if step >= lag:
            belief.old.reshape(len(users), -1)[at, slots[log.items[place - lag]]] += 1
        due = np.flatnonzero(steps == step)
        if len(due):
            at_day = (log.times[positions[due]] - FIRST_DAY) // DAY if request_time else None
            probability = _predictive(world, belief, rows[due], reach, at_day)
            answers[np.ix_(places[due], world.code_of_slot)] = probability
        going = last_step[at] > step
        at, place = at[going], place[going]
        _update(world, belief, at, slots[log.items[place]], (log.times[place] - FIRST_DAY) // DAY)


def _start(world: World, users: int) -> _Belief:
    config = world.config
    return _Belief(
        np.tile(world.profile_weights, (users, 1)),
        np.tile(world.style_prior, (users, 1, 1, 1)),
        np.tile(world.mode_start, (users, 1)),
        np.zeros((users, config.topics, world.places)),
        np.full(users, -1),
        np.zeros(users, dtype=np.int64),
        np.full(users, -1),
    )


def _next_epochs(world: World) -> np.ndarray:
    """[span + 2, E]: the epoch of the next session given the day of this one; last row: of the first session."""
    span = world.config.span_days
    reach = np.zeros((span + 2, world.epochs))
    for gap, chance in enumerate(world.gaps):
        days = np.arange(span + 1)
        reach[days, world.epoch_of_day(days + gap)] += chance
    first = world.epoch_of_day(np.arange(world.first_days))
    reach[-1] = np.bincount(first, minlength=world.epochs) / len(first)
    return reach


def _predictive(
    world: World, belief: _Belief, at: np.ndarray, reach: np.ndarray, at_day: np.ndarray | None
) -> np.ndarray:
    """[A K*N]: the next item of the users `at`, whether it opens a session or not (section 3.3)."""
    config = world.config
    day = belief.day[at]
    if at_day is None:
        opens = world.ends_session(belief.held[at])
        epochs = reach[np.where(day < 0, -1, np.minimum(day, config.span_days))]  # [A E]
    else:
        opens = (at_day != day).astype(float)
        epochs = np.eye(world.epochs)[world.epoch_of_day(at_day)]
    result = np.zeros((len(at), config.items))
    anew = np.broadcast_to(world.preference, (len(at), *world.preference.shape))  # [A P K]
    weights = opens[:, None] * epochs  # [A E]
    for epoch in np.flatnonzero(weights.any(0)):
        weight = weights[:, epoch]
        on = np.flatnonzero(weight > 0)
        choice = _choice(world, belief, at[on], anew[on], np.full(len(on), epoch), np.zeros((len(on), 0), dtype=int))
        result[on] += weight[on, None] * choice

    on = np.flatnonzero(opens < 1)
    if len(on):
        users = at[on]
        now = world.epoch_of_day(belief.day[users])
        sequel, follows = _sequel_chance(world, belief, users, now)
        barred = np.stack([belief.last[users], np.where(sequel >= 0, sequel, belief.last[users])], axis=1)
        inside = (1 - follows)[:, None] * _choice(world, belief, users, _topics(world, belief, users), now, barred)
        has = sequel >= 0
        inside[np.flatnonzero(has), sequel[has]] = follows[has]
        result[on] += (1 - opens[on])[:, None] * inside
    return result


def _topics(world: World, belief: _Belief, at: np.ndarray) -> np.ndarray:
    """[A P K]: the topic of a choice in mid-session, for every profile."""
    stay = np.eye(world.config.topics)[belief.last[at] // world.places]
    return (1 - world.config.drift) * stay[:, None] + world.config.drift * world.preference


def _moved(world: World, mode: np.ndarray) -> np.ndarray:
    """[A 2]: the mode one event later in the same session."""
    return (1 - world.config.switch) * mode + world.config.switch * mode[:, [BINGE, BROWSE]]


def _sequel_chance(world: World, belief: _Belief, at: np.ndarray, epoch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slot [A] of the sequel that can follow (-1: none), and the chance [A] that it does."""
    sequel = world.sequels[belief.last[at]]
    sequel = np.where((sequel >= 0) & world.alive[epoch, sequel], sequel, -1)
    chance = _moved(world, belief.mode[at]) @ world.sequel_chance
    return sequel, np.where(sequel >= 0, chance, 0.0)


def _choice(
    world: World, belief: _Belief, at: np.ndarray, topics: np.ndarray, epoch: np.ndarray, barred: np.ndarray
) -> np.ndarray:
    """[A K*N]: an item that is no sequel, chosen in a topic [A P K] from what lives, `barred` slots [A X] left out."""
    config = world.config
    users = np.arange(len(at))[:, None]
    free = world.alive[epoch].astype(float)  # [A K*N]
    free[users, barred] = 0
    free = free.reshape(len(at), config.topics, world.places)

    taste = world.taste[epoch] * free[:, :, None]  # [A K S N]
    taste /= taste.sum(-1, keepdims=True)
    joint = belief.profile[at][:, :, None] * topics  # [A P K]
    by_style = np.einsum("apk,apks->aks", joint, belief.style[at])
    chosen = np.einsum("aks,aksn->akn", by_style, taste)

    repeats = belief.old[at] * free  # [A K N]
    held = repeats.sum(-1, keepdims=True)
    again = np.where(held > 0, config.repeat, 0.0)  # [A K 1]
    repeated = joint.sum(1)[..., None] * repeats / np.maximum(held, 1)
    return (again * repeated + (1 - again) * chosen).reshape(len(at), config.items)


def _update(world: World, belief: _Belief, at: np.ndarray, slot: np.ndarray, day: np.ndarray) -> None:
    """Take one event of every user in `at` into the belief (section 3.2)."""
    config, places = world.config, world.places
    row = np.arange(len(at))
    opens = day != belief.day[at]
    epoch = world.epoch_of_day(day)
    sequel, _ = _sequel_chance(world, belief, at, epoch)
    has_sequel = ~opens & (sequel >= 0)
    follows = has_sequel & (slot == sequel)

    moved = _moved(world, belief.mode[at])
    seen = np.where(follows[:, None], world.sequel_chance, 1 - world.sequel_chance)
    mode = moved * np.where(has_sequel[:, None], seen, 1.0)
    mode = np.where(opens[:, None], world.mode_start, mode / mode.sum(1, keepdims=True))

    topic, previous = slot // places, belief.last[at]
    free = world.alive[epoch].reshape(len(at), config.topics, places)[row, topic].astype(float)  # [A N]
    stays = ~opens & (topic == previous // places)
    free[row[stays], previous[stays] % places] = 0
    barred = stays & has_sequel
    free[row[barred], sequel[barred] % places] = 0
    taste = world.taste[epoch, topic] * free[:, None]  # [A S N]
    taste = taste[row, :, slot % places] / taste.sum(-1)  # [A S]
    repeats = belief.old[at, topic] * free
    held = repeats.sum(1)
    again = np.where(held > 0, config.repeat, 0.0)
    repeated = repeats[row, slot % places] / np.maximum(held, 1)
    likelihood = (again * repeated)[:, None] + (1 - again)[:, None] * taste  # [A S]

    style = belief.style[at, :, topic] * likelihood[:, None]  # [A P S]
    topics = np.where(opens[:, None], world.preference[:, topic].T, _topics(world, belief, at)[row, :, topic])
    profile = belief.profile[at] * topics * style.sum(-1)
    chose = np.flatnonzero(~follows)  # a sequel tells nothing of tastes
    belief.profile[at[chose]] = profile[chose] / profile[chose].sum(1, keepdims=True)
    belief.style[at[chose], :, topic[chose]] = style[chose] / style[chose].sum(-1, keepdims=True)
    belief.mode[at], belief.last[at], belief.day[at] = mode, slot, day
    belief.held[at] = np.where(opens, 1, belief.held[at] + 1)
