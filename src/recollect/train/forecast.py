"""How long a run will take, told after its first steps if that is long: a run that cannot end should not have to be
waited for to be found out.

The time of a step is the median of those seen, since the first ones prepare what later ones find. Validation is not
counted.
"""

from __future__ import annotations

import dataclasses
import statistics

from recollect.train.settings import TrainSettings

LONG = 24 * 3600.0
"""Seconds of training that are worth a warning."""
STEPS, SECONDS = 30, 30.0
"""It is told after so many steps or so many seconds, whichever comes first."""
MANY_ITEMS = 50_000
"""From so many items on the softmax over all of them is what a step mostly does."""


@dataclasses.dataclass
class Forecast:
    """Is told of each step, and says once how long the run will take, if that is longer than `LONG`.

    `items`: rows of the item table. `longest`: events of the longest history.
    """

    settings: TrainSettings
    items: int
    tokens: int
    longest: int
    seen: list[float] = dataclasses.field(default_factory=list)
    told: bool = False

    def step(self, seconds: float, left: int, an_epoch: int) -> str | None:
        """After a step that took `seconds`, with `left` steps to come -> what to say, or None."""
        if self.told:
            return None
        self.seen.append(seconds)
        if len(self.seen) < STEPS and sum(self.seen) < SECONDS:
            return None
        self.told = True
        each = statistics.median(self.seen)
        total = each * left
        if self.settings.minutes is not None:
            total = min(total, 60 * self.settings.minutes)
        if total <= LONG:
            return None
        return (
            f"this run takes about {spell(total)} more, at most: {each:.2g} s a step, {an_epoch:,} steps an epoch, "
            f"{self.settings.epochs} epochs, {self.items:,} items. What shortens it: {'; '.join(self._advice())}"
        )

    def _advice(self) -> list[str]:
        settings, advice = self.settings, list[str]()
        if settings.loss.kind == "full" and self.items >= MANY_ITEMS:
            advice.append(
                f"train.loss.kind=sampled (each target against {settings.loss.negatives:,} items instead of all)"
            )
        if self.longest > 1000 and (settings.batches.history or self.longest) > 500:
            advice.append("train.batches.history=200 (the last events of each user only)")
        advice.append(f"train.batches.tokens={4 * self.tokens} (fewer, larger steps)")
        advice.append(f"train.epochs below {settings.epochs}, or train.minutes=600")
        return advice


def spell(seconds: float) -> str:
    """As `9 days`, `31 hours`."""
    hours = seconds / 3600
    return f"{hours / 24:,.0f} days" if hours >= 72 else f"{hours:.0f} hours"
