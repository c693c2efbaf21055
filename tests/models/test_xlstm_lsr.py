"""xLSTM-LSR: every switch does what it says, and what is served is what was trained (sec. 4 of the paper)."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.config import decode
from recollect.contracts import Catalog, Events, HasOwnLoss, State, take_last
from recollect.losses.choice import LossSettings
from recollect.losses.contrastive import contrastive_loss
from recollect.models.xlstm_lsr import XLSTMLSR
from recollect.nn.mlstm_block import MLSTMBlock
from recollect.nn.recurrent_block import RecurrentBlock
from recollect.nn.slstm_block import SLSTMBlock
from recollect.train.objective import Objective

SMALL = {"width": 8, "recent": 4, "mlstm": {"heads": 2, "chunk": 4}, "slstm": {"heads": 2}}
SWITCHES: list[dict[str, object]] = [
    {},
    {"gate": "scalar"},
    {"gate": "none"},
    {"long_memory": "lstm"},
    {"short_memory": "lstm"},
    {"short_training": "sliding"},
    {"normalise": False},
    {"contrastive": 0.0},
    {"blocks": 1},
    {"recent": 1},
    {"recent": 7},
    {"mlstm": {"heads": 2, "input_gate": "sigmoid"}},
    {"mlstm": {"heads": 2, "forget_gate": "exp"}},
    {"mlstm": {"heads": 2, "output_gate": "sigmoid"}},
    {"mlstm": {"heads": 2, "block": 4}},
    {"mlstm": {"heads": 2, "gates_read": "qkv"}},
    {"mlstm": {"heads": 2, "gates_read": "input", "projection_bias": True}},
    {"mlstm": {"heads": 2, "initialisation": "nxai"}},
    {"mlstm": {"heads": 2, "feedforward": 0}},
    {"slstm": {"heads": 2, "input_gate": "sigmoid"}},
    {"slstm": {"heads": 2, "block": 4}},
    {"slstm": {"heads": 2, "activation": "gelu", "initialisation": "nxai"}},
    {"slstm": {"heads": 2, "feedforward": 0}},
]
each_switch = pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: str(switch) if switch else "default")
EVENTS = Events.of([[3, 1, 4, 1, 5, 9, 2, 6, 5], [2, 7, 1], [8, 2, 8, 1, 8, 2]])


def made(**switch: object) -> XLSTMLSR:
    torch.manual_seed(0)
    model = XLSTMLSR(decode(XLSTMLSR.Config, {**SMALL, **switch}, where="model"), Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


@each_switch
def test_it_trains(switch: dict[str, object]) -> None:
    """Twenty steps on three users lower the loss, and every parameter has a gradient."""
    model = made(**switch).train()
    objective, optimizer = Objective(model, LossSettings()), torch.optim.Adam(model.parameters(), lr=0.02)
    batch = {"items": EVENTS.items, "lengths": EVENTS.lengths, "times": EVENTS.items, "targets": EVENTS.mask}
    losses = []
    for _ in range(20):
        loss, figures, after = objective(batch, None)
        assert after is not None and set(after.state) == set(model.fresh(1))
        losses.append(float(figures["loss"]))
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        optimizer.step()
    assert sum(losses[-3:]) / 3 < 0.8 * losses[0], losses


@each_switch
def test_advance_is_forward_in_evaluation(switch: dict[str, object]) -> None:
    """`advance` computes the short stream at one position only; the answer and the state are those of `forward`."""
    model = made(**switch)
    one, two = model.fresh(3), model.fresh(3)
    for part in (EVENTS.span(0, 2), EVENTS.span(2, 3), EVENTS.span(3, 9)):
        hidden, one, _ = model(part, one)
        two = model.advance(two, part)
        for name in one:
            torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-5)
        last = take_last(hidden, part.lengths, one["hidden"])
        torch.testing.assert_close(two["hidden"], last, rtol=1e-4, atol=1e-5)


@each_switch
def test_every_switch_changes_what_it_says(switch: dict[str, object]) -> None:
    model = made(**switch)
    hidden, _, aux = model(EVENTS, model.fresh(3))
    alpha = {"vector": 8, "scalar": 1, "none": 1}[str(switch.get("gate", "vector"))]
    assert aux["alpha"].shape[-1] == alpha
    assert isinstance(model.long[0], RecurrentBlock if switch.get("long_memory") == "lstm" else MLSTMBlock)
    assert isinstance(model.short, RecurrentBlock if switch.get("short_memory") == "lstm" else SLSTMBlock)
    if not switch or set(switch) <= {"short_training", "contrastive"}:
        return
    plain = made()
    other, _, _ = plain(EVENTS, plain.fresh(3))
    assert not torch.allclose(hidden[0, -1], other[0, -1])


def test_the_gate_is_equations_22_and_23() -> None:
    for gate in ("vector", "scalar"):
        model = made(gate=gate)
        hidden, _, aux = model(EVENTS, model.fresh(3))
        long, short, alpha = aux["long"], aux["short"], aux["alpha"]
        left, right = model.gate.weight[:, :8], model.gate.weight[:, 8:]
        torch.testing.assert_close(alpha, torch.sigmoid(long @ left.T + short @ right.T + model.gate.bias))
        torch.testing.assert_close(hidden, alpha * long + (1 - alpha) * short)
        assert ((alpha > 0) & (alpha < 1)).all() and alpha.std() > 0
    model = made(gate="none")
    hidden, _, aux = model(EVENTS, model.fresh(3))
    torch.testing.assert_close(hidden, (aux["long"] + aux["short"]) / 2)
    assert (aux["alpha"] == 0.5).all() and not hasattr(model, "gate")


def test_the_short_stream_reads_exactly_the_last_events() -> None:
    """Position t is the short block on events t - m + 1 to t alone; an event before them leaves no trace in u_s."""
    model = made()
    _, _, aux = model(EVENTS, model.fresh(3))
    codes = EVENTS.items[0]
    for t in range(9):
        window = model.table(codes[max(0, t - 3) : t + 1])[None]
        alone = model.norm_short(model.short.encode(window, torch.ones(1, window.shape[1], dtype=torch.bool)))
        torch.testing.assert_close(aux["short"][0, t], alone[0, -1], rtol=1e-4, atol=1e-5)


def test_sliding_windows_in_training_are_those_of_evaluation_and_overlapped_ones_see_more() -> None:
    exact = made(short_training="sliding", dropout=0.0)
    _, _, asked = exact.eval()(EVENTS, exact.fresh(3))
    _, _, trained = exact.train()(EVENTS, exact.fresh(3))
    torch.testing.assert_close(trained["short"], asked["short"])
    rough = made(dropout=0.0).train()
    _, _, blocks = rough(EVENTS, rough.fresh(3))
    torch.testing.assert_close(blocks["short"][0, 0], asked["short"][0, 0], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(blocks["short"][0], asked["short"][0])


def test_no_normalisation_reads_the_bare_table() -> None:
    model = made(normalise=False).train()
    assert torch.equal(model.table(EVENTS.items), model.table.weight[EVENTS.items])
    model = made().eval()
    read = F.layer_norm(model.table.weight[EVENTS.items], (8,), model.table.norm.weight, model.table.norm.bias)
    torch.testing.assert_close(model.table(EVENTS.items), read)


def test_the_contrastive_term_is_equation_24_at_one_real_position_a_user() -> None:
    model = made(contrastive=0.3, temperature=0.5)
    assert isinstance(model, HasOwnLoss)
    hidden, _, aux = model(EVENTS, model.fresh(3))
    only = torch.zeros_like(EVENTS.mask)
    only[0, 4] = only[1, 2] = only[2, 0] = True
    loss, figures = model.own_loss(hidden, aux, only)
    u, long, short = (torch.stack([x[0, 4], x[1, 2], x[2, 0]]) for x in (hidden, aux["long"], aux["short"]))
    wanted = contrastive_loss(u, long, short, 0.5)
    torch.testing.assert_close(loss, 0.3 * wanted)
    torch.testing.assert_close(figures["contrastive"], wanted.detach())


def test_the_contrastive_term_ignores_padding_and_needs_company() -> None:
    model = made(contrastive=0.3)
    hidden, _, aux = model(EVENTS, model.fresh(3))
    spoilt = hidden.clone()
    spoilt[~EVENTS.mask] = torch.nan
    for seed in range(20):
        torch.manual_seed(seed)
        assert model.own_loss(spoilt, aux, EVENTS.mask)[0].isfinite()
    alone = EVENTS.mask.clone()
    alone[1:] = False
    assert model.own_loss(hidden, aux, alone)[0] == 0
    off = made(contrastive=0.0)
    assert off.own_loss(hidden, aux, EVENTS.mask) == (0, {})


def test_a_new_user_scores_by_the_learned_start_and_no_events_change_nothing() -> None:
    model = made()
    state = model.advance(model.fresh(2), EVENTS.rows([0, 1]))
    torch.testing.assert_close(model.score(model.fresh(1))[0, 1:], model.table.weight[1:] @ model.start)
    for width in (0, 3):
        nothing = Events(torch.full((2, width), 5), torch.tensor([0, 0]))
        same: State = model.advance(state, nothing)
        assert all(torch.equal(same[name], state[name]) for name in state)


@pytest.mark.parametrize("gate", ["vector", "scalar", "none"])
def test_the_weight_of_long_memory_is_that_of_the_last_event(gate: str) -> None:
    model = made(gate=gate)
    nothing = model.fresh(3)
    assert model.long_weight(nothing).tolist() == [0, 0, 0]
    _, after, aux = model(EVENTS, nothing)
    alpha = aux["alpha"].mean(-1).detach()
    wanted = [0.0 if n == 0 else float(alpha[row, n - 1]) for row, n in enumerate(EVENTS.lengths.tolist())]
    torch.testing.assert_close(model.long_weight(after), torch.tensor(wanted))
    torch.testing.assert_close(model.long_weight(model.advance(nothing, EVENTS)), torch.tensor(wanted))
