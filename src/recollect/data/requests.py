"""The requests that histories give rise to: at which time, and by whom, who has met what."""

from __future__ import annotations

import numpy as np
import torch

from recollect.contracts import Recommender, Request
from recollect.data.last_meetings import LastMeetings


class Requests:
    """Requests after histories that lie end to end, with what one model looks at, on its device."""

    def __init__(
        self,
        model: Recommender,
        items: np.ndarray,
        times: np.ndarray | None,
        offsets: np.ndarray,
        device: torch.device | str = "cpu",
    ) -> None:
        self._last, self._offsets, self._device = model.met_events, offsets, device
        self._meetings = LastMeetings.of(items, times, offsets) if self._last else None

    def of(self, starts: np.ndarray, ends: np.ndarray, at: np.ndarray | None = None) -> Request | None:
        """One request after each history `starts[q]:ends[q]`, or its last part, and then of nothing before that.

        `at` [Q] seconds: the time of asking.
        """
        met = None if self._meetings is None else self._meetings.before(starts, ends, self._last)
        moment = None if at is None else torch.from_numpy(at.astype(np.int64))
        return None if met is None and moment is None else Request(moment, met).to(self._device)

    def of_rows(self, rows: np.ndarray, at: np.ndarray | None = None) -> Request | None:
        """One request after the whole of each of these histories, by number."""
        return self.of(self._offsets[rows], self._offsets[rows + 1], at)
