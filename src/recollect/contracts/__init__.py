"""The contract: what a recommender is, and the values that pass between the layers. Read this first.

Everything that recommends answers three verbs: `fresh`, `advance`, `score`. Evaluation and serving know nothing
else. A memory is a value (`State`): it goes in and comes out, and no model keeps one for itself. Three kinds of
model implement the verbs: `Counting` (fitted in one pass), `Carried` (a recurrent state) and `Window` (the last
events, re-encoded when asked). The laws they obey are run on every registered model by `tests/conformance/`.

Read the files in this order; each imports only from those before it:

    events        Events, PAD            what happened, a padded batch of it
    state         State                  the memory of users, as a value
    catalog       Catalog, Histories     the items, and whole histories to count
    request       Request, Met           what is known at the moment of asking
    repeats       Repeats, mixed         how a score of what was met meets the logit of every item
    recommender   Recommender, Counting, Network, Carried, HasOwnLoss
    window        Window, Cloze          models that look at the last events only
"""

from recollect.contracts.catalog import Catalog, Histories
from recollect.contracts.events import ASKED, PAD, REQUEST_TIME, Events
from recollect.contracts.recommender import (
    CLOCK,
    Carried,
    Counting,
    HasOwnLoss,
    Network,
    Recommender,
    take_last,
)
from recollect.contracts.repeats import Repeats, mixed
from recollect.contracts.request import Met, Request
from recollect.contracts.state import State
from recollect.contracts.window import Cloze, Window, push_recent

__all__ = [
    "ASKED",
    "CLOCK",
    "PAD",
    "REQUEST_TIME",
    "Carried",
    "Catalog",
    "Cloze",
    "Counting",
    "Events",
    "HasOwnLoss",
    "Histories",
    "Met",
    "Network",
    "Recommender",
    "Repeats",
    "Request",
    "State",
    "Window",
    "mixed",
    "push_recent",
    "take_last",
]
