"""[evaluate] of a run: how its answers are ranked, in validation and afterwards."""

from __future__ import annotations

from pydantic import Field

from recollect.config import Settings
from recollect.data.seen import Seen
from recollect.evaluate.protocol import RequestTime


class EvaluateSettings(Settings):
    """How answers are ranked."""

    seen: Seen = "hidden"
    """Whether items of the user's own history can be answers; allowed is for data with repeats."""
    request_time: RequestTime = "unused"
    """Whether a model that can use the request time (that of the target) is given it."""
    history: int | None = Field(None, ge=1)
    """How many of the last events before a target the model may know of; unset: the whole history. (What was seen
    before them is hidden all the same, where seen items are.)"""

    @property
    def tells_time(self) -> bool:
        return self.request_time == "used"
