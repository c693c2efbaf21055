"""The gates around the mLSTM cell: how they start, how they are capped, what padding does to them."""

from __future__ import annotations

import pytest
import torch

from recollect.nn import mlstm
from recollect.nn.matrix_memory import MatrixMemory


def made(**changes: object) -> MatrixMemory:
    torch.manual_seed(0)
    chosen: dict[str, object] = {"input_gate": "exp", "forget_gate": "sigmoid", "chunk": 4, **changes}
    return MatrixMemory(4, 4, 16, **chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize("forget_gate", ["sigmoid", "exp"])
def test_it_starts_forgetting_at_the_stated_rates_whatever_its_forget_gate(forget_gate: str) -> None:
    memory = made(forget_gate=forget_gate)
    memory.set_gates((3.0, 6.0))
    log_i, log_f = memory.log_gates(torch.randn(1, 5, 16), torch.ones(1, 5, dtype=torch.bool))
    wanted = torch.linspace(3, 6, 4).sigmoid()
    torch.testing.assert_close(log_f.exp()[0], wanted[:, None].expand(4, 5))
    assert (log_i.abs() < 0.5).all()


@pytest.mark.parametrize("cap", [None, 15.0])
def test_a_cap_bounds_what_the_gates_are_told(cap: float | None) -> None:
    log_i, _ = made(cap=cap).log_gates(torch.randn(1, 50, 16) * 1000, torch.ones(1, 50, dtype=torch.bool))
    assert (log_i.abs().max() <= 15) == (cap is not None)


def test_padding_lets_nothing_in_and_forgets_nothing() -> None:
    log_i, log_f = made().log_gates(torch.randn(2, 3, 16), torch.tensor([[True, True, False], [False] * 3]))
    assert (log_i[0, :, 2] == mlstm.NEVER).all() and (log_i[1] == mlstm.NEVER).all()
    assert (log_f[0, :, 2] == 0).all() and (log_f[1] == 0).all() and (log_f[0, :, :2] != 0).all()
