"""HSTU: its blocks between the tied table; time between events is felt, that of asking only where it may be."""

from __future__ import annotations

import torch

from recollect.contracts import REQUEST_TIME, Catalog, Events, Request
from recollect.models.hstu import HSTU
from recollect.nn.pointwise_attention import time_buckets

CODES, TIMES = [3, 1, 4, 1, 5], [0, 10, 500, 501, 90_000]


def made(**changes: object) -> HSTU:
    torch.manual_seed(0)
    chosen: dict[str, object] = {"width": 8, "heads": 2, "window": 7, "blocks": 2, **changes}
    model = HSTU(HSTU.Config(**chosen), Catalog(12)).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def test_it_is_a_stack_of_blocks_between_the_tied_table() -> None:
    model = made()
    times = torch.tensor([TIMES])
    x = (model.table.weight[CODES] * 8**0.5 + model.positions[:5])[None]
    for block in model.blocks:
        x = block(x, time_buckets(times, times, 64))
    wanted = model.norm(x)[0, -1] @ model.table.weight.T
    scores = model.score(model.advance(model.fresh(1), Events.of([CODES], [TIMES])))
    torch.testing.assert_close(scores[0, 1:], wanted[1:], rtol=1e-4, atol=1e-5)


def scores(model: HSTU, times: list[int], at: int | None) -> torch.Tensor:
    asked = None if at is None else torch.tensor([at])
    return model.score(
        model.advance(model.fresh(1), Events.of([CODES], [times])), None if asked is None else Request(asked)
    )


def test_the_time_between_events_is_felt_if_it_may_be() -> None:
    later = [0, 10, 500, 9_000, 90_000]
    assert not torch.equal(scores(made(), TIMES, None), scores(made(), later, None))
    assert torch.equal(scores(made(time_buckets=0), TIMES, None), scores(made(time_buckets=0), later, None))


def test_the_time_of_asking_is_felt_only_with_request_time() -> None:
    for switch in (False, True):
        model = made(request_time=switch)
        assert model.request_time == switch
        assert torch.equal(scores(model, TIMES, 90_001), scores(model, TIMES, 10**7)) != switch


def test_training_with_request_time_sees_what_asking_sees() -> None:
    """The column REQUEST_TIME at each position is the `at` of a request after it."""
    model = made(request_time=True)
    asked = [10, 500, 501, 90_000, 10**6]
    window = Events(
        torch.tensor([CODES]), torch.tensor([5]), torch.tensor([TIMES]), {REQUEST_TIME: torch.tensor([asked])}
    )
    hidden, _ = model.encode(window)
    for t in range(5):
        state = model.advance(model.fresh(1), Events.of([CODES[: t + 1]], [TIMES[: t + 1]]))
        torch.testing.assert_close(
            model.score(state, Request(torch.tensor([asked[t]]))), model.logits(hidden[:, t]), rtol=1e-4, atol=1e-5
        )


def test_the_newest_times_move_with_the_newest_codes() -> None:
    model = made(window=3)
    state = model.advance(model.fresh(2), Events.of([CODES, [7]], [TIMES, [42]]))
    assert state["recent"].tolist() == [[4, 1, 5], [7, 0, 0]]
    assert state["times"].tolist() == [[500, 501, 90_000], [42, 0, 0]]


def test_a_log_without_times_can_be_read() -> None:
    model = made()
    state = model.advance(model.fresh(1), Events.of([CODES]))
    assert model.score(state)[0, 1:].isfinite().all() and not state["times"].any()
