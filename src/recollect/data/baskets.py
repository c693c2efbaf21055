"""Whether users have several events at exactly one time, as the lines of an order have, and what that does to a split.

The last event of such a basket is then asked for with the rest of it in the history: an easier question than what comes
next, and one that no shop has. The split `temporal` with the target `first` asks for the first event of what follows;
its cuts lie between times, so a basket stays whole.
"""

from __future__ import annotations

import numpy as np

from recollect.data.histories import Targets
from recollect.data.log import EventLog

WORTH_SAYING = 0.1
"""From which share of the users, or of the targets, on it is said."""
REMEDY = "split.protocol=temporal with split.target=first asks for the first event of a new one"
SINCE = "--target first asks for the first event of a new one"
"""What to do where the events since a moment are asked for."""


def last_together(log: EventLog) -> tuple[float, float]:
    """-> the share of the users with two events or more whose last two have one time, and how many events of such a
    user have it, on average. Zeros for a log that has only an order."""
    if not log.clock:
        return 0.0, 0.0
    starts, ends = log.offsets[:-1], log.offsets[1:]
    several = np.flatnonzero(ends - starts >= 2)
    last = ends[several] - 1
    together = several[log.times[last] == log.times[last - 1]]
    if not len(together):
        return 0.0, 0.0
    at_last = log.times == log.times[ends - 1][log.users]
    sizes = np.bincount(log.users[at_last], minlength=len(starts))[together]
    return len(together) / len(several), float(sizes.mean())


def share_of_rests(log: EventLog, targets: Targets) -> float:
    """The share of targets right before which an event of the same user and of exactly the same time is shown."""
    if not log.clock or not len(targets):
        return 0.0
    at = targets.positions[targets.positions > log.offsets[targets.users]]
    return float(np.count_nonzero(log.times[at] == log.times[at - 1]) / len(targets))


def in_words(log: EventLog) -> str:
    """What is said of a log in which this is common, '' of another."""
    share, size = last_together(log)
    if share < WORTH_SAYING:
        return ""
    return (
        f"the last events of {share:.1%} of the users with several share one time ({size:,.1f} events on average): "
        f"with the last one as the target the rest is known; {REMEDY}"
    )


def remark(log: EventLog, targets: Targets, part: str = "test ", remedy: str = REMEDY) -> str:
    """What is said of targets among which this is common, '' of others. `part`: which targets they are."""
    share = share_of_rests(log, targets)
    if share < WORTH_SAYING:
        return ""
    return (
        f"{share:.1%} of the {part}targets have exactly the time of the event before them, which is shown: what is "
        f"asked for is the rest of a basket; {remedy}"
    )
