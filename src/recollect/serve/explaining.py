"""Why an item is in a list: which of the last events speak for it, and which against, by `recollect.explain`.

The history is read anew for it, as a memory cannot be taken back to before its last events.
"""

from __future__ import annotations

from math import isfinite

from recollect.answers.explain import Explanation, explain
from recollect.data.log import DataError
from recollect.serve.ranker import Ranker
from recollect.serve.requests import ExplanationRequest, ExplanationResponse, SourceName
from recollect.serve.stores.contract import Store


def explain_items(ranker: Ranker, store: Store, request: ExplanationRequest, now: int) -> ExplanationResponse:
    """The effects of the last events on the logits that a list for the same request has. `now`: the present, in
    seconds.

    Raises DataError where the model scores NaN.
    """
    artifact, at = ranker.artifact, now if request.at is None else request.at
    history, times = list(request.then), None
    source: SourceName = "history" if any(map(ranker.knows, request.then)) else "newcomer"
    if request.user is not None:
        stored = store.history(request.user).events
        source = "memory" if any(ranker.knows(item) for item, _ in stored) else source
        latest = max([at, *(when for _, when in stored)])
        history = [*(item for item, _ in stored), *request.then]
        times = [*(when for _, when in stored), *[latest] * len(request.then)]
    known = [item for item in request.items if ranker.knows(item)]
    if not known:
        explained: tuple[Explanation, ...] = ()
    else:
        explained = explain(artifact, history, times=times, items=known, last=request.last, at=at).items
    if not all(isfinite(figure) for one in explained for figure in (one.logit, *(two.logit for two in one.effects))):
        raise DataError(f"{artifact.folder}: the model scored NaN or infinity; train it again")
    return ExplanationResponse(
        items=explained,
        source=source,
        events=len(history),
        model=artifact.name,
        digest=artifact.digest,
        unknown=tuple(item for item in request.then if not ranker.knows(item)),
        unknown_items=tuple(item for item in request.items if not ranker.knows(item)),
    )
