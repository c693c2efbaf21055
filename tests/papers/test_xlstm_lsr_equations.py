"""The preset of the xLSTM-LSR paper is the paper: its eq. 1-23 and 25, written out event by event, give the same.

The oracle is plain and unstabilised, in float64: exponentials as they stand in eq. 9-10 and 19-20, the floor of 1 in
eq. 5. What equations leave to the text (sec. 4.3 and 4.4) or to NX-AI's code stands beside them as a comment.
"""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from recollect.config import decode
from recollect.contracts import Catalog, Events
from recollect.models.xlstm_lsr import XLSTMLSR
from recollect.nn.mlstm_block import MLSTMBlock
from recollect.nn.slstm_block import SLSTMBlock

from ..conformance.laws import LAWS
from ..conformance.subjects import ready
from .test_papers import paper

WIDTH, HEADS, RECENT = 8, 2, 3
ITEMS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]


def tiny(chunk: int) -> XLSTMLSR.Config:
    given = paper("xlstm_lsr").PRESET
    sizes = {"width": WIDTH, "recent": RECENT}
    mlstm, slstm = {**given["mlstm"], "heads": HEADS, "chunk": chunk}, {**given["slstm"], "heads": HEADS}
    return decode(XLSTMLSR.Config, {**given, **sizes, "mlstm": mlstm, "slstm": slstm}, where="model")


def preset(chunk: int) -> XLSTMLSR:
    """The preset, tiny and in evaluation mode, no parameter where it starts."""
    torch.manual_seed(0)
    model = XLSTMLSR(tiny(chunk), Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def normed(layer: torch.nn.LayerNorm, x: Tensor) -> Tensor:
    return F.layer_norm(x, (x.shape[-1],), layer.weight, layer.bias)


def by_blocks(weight: Tensor, x: Tensor) -> Tensor:
    """A block-diagonal matrix, block size 4, times x [C]."""
    assert weight.shape[1:] == (4, 4)
    return torch.cat([block @ part for block, part in zip(weight, x.split(4), strict=True)])


def convolved(conv: torch.nn.Module, past: list[Tensor]) -> Tensor:
    """Kernel size 4 over the inputs so far, then SiLU (NX-AI's code)."""
    taps = [weight * x for weight, x in zip(conv.weight.flip(0), reversed(past[-4:]), strict=False)]
    total = torch.stack(taps).sum(0) + conv.bias
    return total * torch.sigmoid(total)


def long_preferences(model: XLSTMLSR, embedded: list[Tensor]) -> list[Tensor]:
    """u_l after each event: eq. 2-11 inside the block of sec. 4.3."""
    (block,) = model.long
    assert isinstance(block, MLSTMBlock) and block.feedforward is None
    inner, size = 2 * WIDTH, 2 * WIDTH // HEADS
    cell, norm = torch.zeros(HEADS, size, size).double(), torch.zeros(HEADS, size).double()
    past: list[Tensor] = []
    found = []
    for e in embedded:
        both = block.up.weight @ normed(block.norm, e) + block.up.bias  # sec. 4.3: norm, up-projection by 2
        x, branch = both[:inner], both[inner:]
        past.append(x)
        mixed = convolved(block.conv, past)
        q = by_blocks(block.q.weight, mixed) + block.q.bias  # eq. 6
        k = by_blocks(block.k.weight, mixed) / math.sqrt(size) + block.k.bias / math.sqrt(size)  # eq. 7, b_k so written
        v = by_blocks(block.v.weight, x) + block.v.bias  # eq. 8
        gates = block.memory.gates.weight @ x + block.memory.gates.bias
        i, f = gates[:HEADS].exp(), gates[HEADS:].exp()  # eq. 9-10
        o = torch.sigmoid(branch)  # eq. 11: the up-projection's second half is W_o e + b_o
        heads = []
        for h in range(HEADS):
            qh, kh, vh = (part[h * size : (h + 1) * size] for part in (q, k, v))
            cell[h] = f[h] * cell[h] + i[h] * torch.outer(vh, kh)  # eq. 2
            norm[h] = f[h] * norm[h] + i[h] * kh  # eq. 3
            heads.append(cell[h] @ qh / max(abs(float(norm[h] @ qh)), 1.0))  # eq. 5
        gain = block.memory.norm.gain.split(size)
        hidden = torch.cat([F.layer_norm(h, (size,)) * g for h, g in zip(heads, gain, strict=True)])  # NX-AI's code
        h = o * (hidden + block.skip * mixed)  # eq. 4, and the learnt skip of NX-AI's code
        found.append(normed(model.norm_long, e + block.down.weight @ h + block.down.bias))  # sec. 4.3: down by 1/2
    return found


def short_preference(model: XLSTMLSR, embedded: list[Tensor]) -> Tensor:
    """u_s after the last of these events: eq. 15-21 inside the block of sec. 4.4."""
    block = model.short
    assert isinstance(block, SLSTMBlock) and block.feedforward is not None
    size = WIDTH // HEADS
    c, n, h = (torch.zeros(WIDTH).double() for _ in range(3))
    past: list[Tensor] = []
    for e in embedded:
        x = normed(block.norm, e)
        past.append(x)
        mixed = convolved(block.conv, past)

        def read(place: int, weight: Tensor, source: Tensor, h: Tensor = h) -> Tensor:
            """w e + r h + b; heads mix inside themselves only (NX-AI's code)."""
            mixing = torch.block_diag(*block.mixing[:, place])  # type: ignore[no-untyped-call]
            return by_blocks(weight, source) + mixing @ h + block.bias[:, place].flatten()

        z = torch.tanh(read(0, block.z.weight, x))  # eq. 18
        i, f = read(1, block.i.weight, mixed).exp(), read(2, block.f.weight, mixed).exp()  # eq. 19-20
        o = torch.sigmoid(read(3, block.o.weight, x))  # eq. 21
        c, n = f * c + i * z, f * n + i  # eq. 15-16
        h = o * c / n  # eq. 17
    gain = block.head_norm.gain.split(size)
    hidden = torch.cat([F.layer_norm(part, (size,)) * g for part, g in zip(h.split(size), gain, strict=True)])
    x = embedded[-1] + hidden
    up = block.feedforward.up.weight @ normed(block.feedforward.norm, x) + block.feedforward.up.bias
    gate, value = up.chunk(2)
    assert len(gate) == 8 * round(WIDTH * 4 / 3 / 8)  # sec. 4.4: up by 4/3, to a multiple of 8
    x = x + block.feedforward.down.weight @ (F.gelu(gate) * value) + block.feedforward.down.bias
    return normed(model.norm_short, x)


def by_the_paper(model: XLSTMLSR) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """u_f, u_l, u_s and alpha after each event, [T ...], fp32 as the model's own."""
    model = copy.deepcopy(model).double()
    embedded = [normed(model.table.norm, model.table.weight[item]) for item in ITEMS]  # eq. 1
    long, short, weights, fused = long_preferences(model, embedded), [], [], []
    for t in range(len(ITEMS)):
        short.append(short_preference(model, embedded[max(0, t + 1 - RECENT) : t + 1]))
        left, right = model.gate.weight[:, :WIDTH], model.gate.weight[:, WIDTH:]
        alpha = torch.sigmoid(left @ long[t] + right @ short[t] + model.gate.bias)  # eq. 22
        assert alpha.shape == (1,)
        weights.append(alpha)
        fused.append(alpha * long[t] + (1 - alpha) * short[t])  # eq. 23
    fused_, long_, short_, alphas = (torch.stack(part).float() for part in (fused, long, short, weights))
    return fused_, long_, short_, alphas


@pytest.mark.parametrize("chunk", [1, 4, 32])
@torch.no_grad()
def test_the_preset_is_the_papers_equations(chunk: int) -> None:
    model = preset(chunk)
    fused, long, short, alpha = by_the_paper(model)
    hidden, _, aux = model(Events.of([ITEMS]), model.fresh(1))
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(aux["long"][0], long, **close)
    torch.testing.assert_close(aux["short"][0], short, **close)
    torch.testing.assert_close(aux["alpha"][0], alpha, **close)
    torch.testing.assert_close(hidden[0], fused, **close)
    state = model.fresh(1)
    for t in range(len(ITEMS)):  # and so it is served, event by event
        state = model.advance(state, Events.of([[ITEMS[t]]]))
        torch.testing.assert_close(state["hidden"][0], fused[t], **close)
        logits = model.score(state)[0, 1:]
        torch.testing.assert_close(logits, model.table.weight[1:] @ fused[t], **close)  # eq. 25


@torch.no_grad()
def test_the_oracle_tells_the_preset_from_its_neighbours() -> None:
    """Each part that the preset turns is felt: with any of them as by default the paper's equations do not hold."""
    model = preset(4)
    fused, *_ = by_the_paper(model)
    given = {**paper("xlstm_lsr").PRESET, "width": WIDTH, "recent": RECENT}
    turned = [
        ("mlstm", "gates_read", "convolution"),
        ("mlstm", "forget_gate", "sigmoid"),
        ("mlstm", "output_gate", "silu"),
        ("slstm", "forget_gate", "sigmoid"),
        ("slstm", "activation", "silu"),
    ]
    for part, name, value in turned:
        parts = {one: {**given[one], "heads": HEADS} for one in ("mlstm", "slstm")}
        parts[part][name] = value
        other = XLSTMLSR(decode(XLSTMLSR.Config, {**given, **parts}, where="model"), Catalog(12)).eval()
        other.load_state_dict(model.state_dict())
        hidden, *_ = other(Events.of([ITEMS]), other.fresh(1))
        assert not torch.allclose(hidden[0], fused, rtol=1e-2, atol=1e-3), name


@pytest.mark.parametrize("law", [law for law in LAWS if law != "finite"])
def test_the_preset_obeys_the_laws(law: str) -> None:
    LAWS[law](ready(XLSTMLSR, tiny(32)))


@pytest.mark.long
def test_the_preset_is_finite() -> None:
    LAWS["finite"](ready(XLSTMLSR, tiny(32)))


def test_the_parts_that_no_equation_shows() -> None:
    given = paper("xlstm_lsr").PRESET
    config = decode(XLSTMLSR.Config, given, where="model")
    assert config.blocks == 1 and config.gate == "scalar" and config.recent in (10, 20, 30)
    assert config.short_training == "sliding" and config.normalise and config.contrastive > 0
    assert config.mlstm.expansion == 2 and config.mlstm.convolution == config.slstm.convolution == 4
    assert config.mlstm.input_gate == config.slstm.input_gate == "exp"
