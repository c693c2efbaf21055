"""The world behind a simulated log: every parameter of the generator, drawn once from a seed.

The generator and its exact predictor must agree on one set of numbers, so these live apart from both. The
probability model they belong to is written down in docs/simulator.md, whose section numbers the comments use.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from recollect.config import Settings

DAY = 86_400
FIRST_DAY = 1_640_995_200
"""2022-01-01 00:00 UTC in seconds: day 0 of every simulated world."""
SESSION_CAP = 30
"""A session ends here at the latest, so that it never runs past midnight: a day holds at most one session."""
BROWSE, BINGE = 0, 1


class SimulateConfig(Settings):
    """What the simulated world looks like. The defaults are frozen (docs/simulator.md)."""

    users: int = Field(1500, ge=1)
    """How many users."""
    items: int = Field(400, ge=3)
    """How many items; a multiple of `topics`, at least 3 a topic."""
    topics: int = Field(10, ge=1)
    """How many topics (genres); every item belongs to one."""
    mean_events: float = Field(80.0, gt=0)
    """Events a user, on average; lengths vary around it by about a half, and no user has fewer than `min_events`."""
    min_events: int = Field(5, ge=1)
    """The shortest history."""
    seed: int = Field(7, ge=0)
    """Names the world and the log: the same seed and settings give the same log everywhere."""

    profiles: int = Field(12, ge=1)
    """Kinds of user: each has its own preference over topics and its usual style in every topic."""
    facets: int = Field(5, ge=0, le=8)
    """Yes-or-no questions of taste a topic has; a user answers them for life (a "style"), and never says how."""
    conformity: float = Field(0.3, ge=0, le=1)
    """How often a user's style in a topic is the usual one of the profile (else any style, equally likely)."""
    breadth: float = Field(0.3, gt=0)
    """Concentration of a profile's preference over topics; small means few favourite topics."""
    contrast: float = Field(1.0, ge=0)
    """How much an answer moves what is liked: the deviation of log-weights that one facet makes; 0 means not at all."""
    zipf: float = Field(0.4, ge=0)
    """Popularity skew of items inside a topic: weight 1 / rank**zipf."""
    topic_zipf: float = Field(0.5, ge=0)
    """Popularity skew of topics: weight 1 / rank**topic_zipf."""

    mean_session: float = Field(3.0, ge=1)
    """Events a session, on average (before the cap of 30)."""
    drift: float = Field(0.25, ge=0, le=1)
    """How often the topic is drawn anew in mid-session."""
    repeat: float = Field(0.08, ge=0, le=1)
    """How often a choice is one of the user's own old items of the topic, where there is one."""
    repeat_lag: int = Field(20, ge=1)
    """How many events must have passed since an event before it may be repeated on purpose."""
    binge: float = Field(0.3, ge=0, le=1)
    """How often a session begins in binge mode (else in browse mode)."""
    switch: float = Field(0.1, ge=0, le=1)
    """How often the mode changes from one event of a session to the next."""
    sequel_browse: float = Field(0.1, ge=0, lt=1)
    """How often the next part of the series follows in browse mode, where there is one."""
    sequel_binge: float = Field(0.7, ge=0, lt=1)
    """The same in binge mode."""
    series: int = Field(5, ge=1)
    """The longest series; lengths are uniform from 1 to it."""

    span_days: int = Field(720, ge=1)
    """Days over which the catalogue changes; users begin in the first 70 % of them."""
    revision_days: int = Field(30, ge=1)
    """The catalogue changes every so many days and is constant between."""
    gap_days: float = Field(12.0, ge=1)
    """Days from one session to the next, on average (before the cut at four times as many)."""
    short_lived: float = Field(0.15, ge=0, le=1)
    """Share of items that live for a third to two thirds of the span only; at least 3 items a topic live always."""

    @field_validator("min_events")
    @classmethod
    def _shortest_is_below_mean(cls, shortest: int, info: ValidationInfo) -> int:
        mean = info.data.get("mean_events")
        if mean is not None and shortest > mean:
            raise ValueError(f"min_events cannot exceed mean_events = {mean}")
        return shortest

    @field_validator("topics")
    @classmethod
    def _items_fill_topics(cls, topics: int, info: ValidationInfo) -> int:
        items = info.data.get("items")
        if items is not None and (items % topics or items < 3 * topics):
            raise ValueError(f"items must be a multiple of topics and at least 3 a topic, got items = {items}")
        return topics


SMALL = SimulateConfig(users=800, items=120, topics=6, mean_events=50.0)
"""The world of the demonstration, frozen as well: a third of the events, which a network learns from in a minute."""


@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """The true parameters. No user is in it: it is what all of them share.

    Sizes: P profiles, K topics, S = 2**facets styles, N items a topic, E catalogue revisions ("epochs"). An item is
    known by its slot `topic * N + place`, and by its code in the log (`code_of_slot`); codes are shuffled so that they
    tell nothing.
    """

    config: SimulateConfig
    profile_weights: np.ndarray  # [P]      how common each profile is
    preference: np.ndarray  # [P K]         topics a profile chooses
    style_prior: np.ndarray  # [P K S]      styles of its users in each topic
    taste: np.ndarray  # [E K S N]          what a style chooses in a topic, among what lives
    births: np.ndarray  # [K*N]             first epoch of an item
    deaths: np.ndarray  # [K*N]             first epoch without it; E: never dies
    sequels: np.ndarray  # [K*N]            slot of the next part, -1 for none
    code_of_slot: np.ndarray  # [K*N]       1 .. K*N

    @property
    def places(self) -> int:
        """N, the items a topic."""
        return self.config.items // self.config.topics

    @property
    def epochs(self) -> int:
        return epochs_of(self.config)

    @property
    def alive(self) -> np.ndarray:
        """[E K*N] bool: what the catalogue holds in each epoch."""
        epoch = np.arange(self.epochs)[:, None]
        return (self.births <= epoch) & (epoch < self.deaths)

    @property
    def slot_of_code(self) -> np.ndarray:
        """[K*N + 1]: slot of an item code; -1 for padding."""
        slots = np.full(len(self.code_of_slot) + 1, -1)
        slots[self.code_of_slot] = np.arange(len(self.code_of_slot))
        return slots

    def epoch_of_day(self, day: np.ndarray) -> np.ndarray:
        """The catalogue that a session of this day sees; the last one goes on for ever."""
        return np.minimum(day // self.config.revision_days, self.epochs - 1)

    @property
    def mode_start(self) -> np.ndarray:
        """[2]: browse, binge at the first event of a session."""
        return np.array([1 - self.config.binge, self.config.binge])

    @property
    def sequel_chance(self) -> np.ndarray:
        """[2]: how often the next part follows in browse and in binge mode."""
        return np.array([self.config.sequel_browse, self.config.sequel_binge])

    @property
    def gaps(self) -> np.ndarray:
        """[G + 1]: probability of g days between sessions, none of zero days; geometric, cut at 4 times its mean."""
        days = np.arange(int(np.ceil(4 * self.config.gap_days)) + 1)
        weights = np.where(days > 0, (1 - 1 / self.config.gap_days) ** np.maximum(days - 1, 0), 0.0)
        return weights / weights.sum()

    @property
    def first_days(self) -> int:
        """Users begin on a day from 0 to this one (not included), all equally likely."""
        return max(1, int(0.7 * self.config.span_days))

    def ends_session(self, held: np.ndarray) -> np.ndarray:
        """Probability that the next event opens a new session, after `held` events in this one (0: no event yet)."""
        return np.where((held == 0) | (held >= SESSION_CAP), 1.0, 1 / self.config.mean_session)


def epochs_of(config: SimulateConfig) -> int:
    return -(-config.span_days // config.revision_days)


def draw_world(config: SimulateConfig, rng: np.random.Generator) -> World:
    """Section 1 of docs/simulator.md, in its order."""
    topics, styles, profiles = config.topics, 2**config.facets, config.profiles
    places, epochs = config.items // topics, epochs_of(config)
    topic_popularity = _zipf(topics, config.topic_zipf)
    gammas = rng.gamma(config.breadth * topics * topic_popularity, size=(profiles, topics)) + 1e-12
    # A little of the general popularity in every profile: no topic is ever impossible.
    preference = 0.95 * gammas / gammas.sum(1, keepdims=True) + 0.05 * topic_popularity
    usual = rng.integers(styles, size=(profiles, topics))
    style_prior = (1 - config.conformity) / styles + config.conformity * np.eye(styles)[usual]

    births, deaths = _lifespans(config, rng, epochs)
    ranks = rng.permuted(np.tile(_zipf(places, config.zipf), (topics, 1)), axis=1)  # [K N]
    # Style s answers facet f with bit f of s. Many weak facets: each event tells little of a style, and all of it
    # together tells much of the next event, so that a long memory is worth having.
    answers = 2.0 * ((np.arange(styles)[:, None] >> np.arange(config.facets)) & 1) - 1  # [S F]
    flavour = rng.standard_normal((topics, config.facets, places))
    liking = np.exp(config.contrast * np.einsum("sf,kfn->ksn", answers, flavour))
    alive = (births <= np.arange(epochs)[:, None]) & (np.arange(epochs)[:, None] < deaths)
    taste = ranks[:, None] * liking * alive.reshape(epochs, topics, 1, places)
    taste /= taste.sum(-1, keepdims=True)
    return World(
        config,
        np.full(profiles, 1 / profiles),
        preference,
        style_prior,
        taste,
        births,
        deaths,
        _sequels(config, rng),
        rng.permutation(config.items) + 1,
    )


def _zipf(count: int, exponent: float) -> np.ndarray:
    weights = np.arange(1, count + 1) ** -exponent
    return weights / weights.sum()


def _lifespans(config: SimulateConfig, rng: np.random.Generator, epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """Births and deaths [K*N] in epochs. Short-lived items stand anywhere, so that some live at the first epoch."""
    places = config.items // config.topics
    mortal = min(round(config.short_lived * places), places - 3)
    births = np.zeros((config.topics, places), dtype=np.int64)
    deaths = np.full((config.topics, places), epochs)
    if mortal and epochs > 1:
        length = rng.integers(max(1, epochs // 3), max(1, 2 * epochs // 3) + 1, size=(config.topics, mortal))
        begin = rng.integers(1 - length, epochs)
        which = rng.permuted(np.tile(np.arange(places), (config.topics, 1)), axis=1)[:, :mortal]
        np.put_along_axis(births, which, np.maximum(begin, 0), axis=1)
        np.put_along_axis(deaths, which, np.minimum(begin + length, epochs), axis=1)
    return births.ravel(), deaths.ravel()


def _sequels(config: SimulateConfig, rng: np.random.Generator) -> np.ndarray:
    """Cut every topic into series: the next part of a slot, or -1."""
    places = config.items // config.topics
    sequels = np.full(config.items, -1)
    for topic in range(config.topics):
        start = 0
        while start < places:
            stop = min(places, start + int(rng.integers(1, config.series + 1)))
            inside = topic * places + np.arange(start, stop - 1)
            sequels[inside] = inside + 1
            start = stop
    return sequels
