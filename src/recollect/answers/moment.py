"""The time of asking: a model that uses it is told the one that is named, or is asked as it was evaluated."""

from __future__ import annotations

import time

from recollect.answers.known import Known
from recollect.data.log import EventLog


def moment_for(known: Known, log: EventLog, at: int | None = None) -> int | None:
    """The seconds that a model is told when it is asked for the users of a log; None: it is told none.

    `at` None: where its run was evaluated with request times, that of the log's last event. A model that does not use
    the time of asking is told none, and neither is one whose log, of training or of now, has no times.
    """
    if not (known.model.request_time and known.clock and log.clock):
        return None
    if at is not None:
        return at
    return int(log.times.max()) if known.request_time and len(log) else None


def moment_for_history(known: Known, at: int | None = None) -> int | None:
    """The same for a history without times, whose items have come just then. `at` None: the present, where the run was
    evaluated with request times."""
    if not (known.model.request_time and known.clock):
        return None
    return int(time.time()) if at is None and known.request_time else at
