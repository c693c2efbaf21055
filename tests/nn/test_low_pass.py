"""The low pass against a running mean that is kept event by event; the filter and its block against their formulas."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.config import ConfigError
from recollect.nn.low_pass import FilteredAttentionBlock, FrequencyFilter, LowPass


def test_each_head_is_a_fading_mean_of_the_events_so_far() -> None:
    low_pass, x = LowPass(3, (1.5, 40.0)).double(), torch.randn(2, 30, 6, dtype=torch.float64)
    keep = torch.sigmoid(low_pass.keep).repeat_interleave(2)  # of each channel
    total, mass, wanted = torch.zeros(2, 6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64), []
    for t in range(30):
        total, mass = keep * total + x[:, t], keep * mass + 1
        wanted.append(total / mass)
    torch.testing.assert_close(low_pass(x), torch.stack(wanted, dim=1))


def test_it_starts_at_the_spans_that_are_asked_for() -> None:
    keep = torch.sigmoid(LowPass(3, (2.0, 8.0)).keep)
    torch.testing.assert_close(1 / (1 - keep), torch.tensor([2.0, 4.0, 8.0]))


def test_a_constant_passes_and_what_alternates_hardly() -> None:
    """As of the lowest frequencies of a Fourier transform."""
    low_pass = LowPass(1, (50.0, 50.0))
    constant, alternating = torch.full((1, 200, 2), 3.0), torch.tensor([1.0, -1.0]).repeat(100)[None, :, None]
    torch.testing.assert_close(low_pass(constant), constant)
    assert low_pass(alternating)[0, -50:].abs().max() < 0.03


def test_the_filter_scales_what_is_not_slow_by_beta_squared() -> None:
    made, x = FrequencyFilter(4, 2, (2.0, 8.0)), torch.randn(2, 7, 4)
    low = made.low_pass(x)
    torch.testing.assert_close(made(x), low + made.beta**2 * (x - low))
    with torch.no_grad():
        made.beta.fill_(-1.0)
    torch.testing.assert_close(made(x), x)
    made.beta.data.zero_()
    torch.testing.assert_close(made(x), low)


def block(norm: str, alpha: float) -> FilteredAttentionBlock:
    torch.manual_seed(0)
    made = FilteredAttentionBlock(8, 2, 0.5, 0.5, 4.0, norm, alpha, (2.0, 8.0)).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_without_the_filter_it_is_torchs_encoder_layer(norm: str) -> None:
    made, x = block(norm, 0.0), torch.randn(3, 6, 8)
    oracle = torch.nn.TransformerEncoderLayer(
        8, 2, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm == "pre"
    )
    oracle.load_state_dict(
        {
            "self_attn.in_proj_weight": made.attention.qkv.weight,
            "self_attn.in_proj_bias": made.attention.qkv.bias,
            "self_attn.out_proj.weight": made.attention.out.weight,
            "self_attn.out_proj.bias": made.attention.out.bias,
            "linear1.weight": made.feedforward.up.weight,
            "linear1.bias": made.feedforward.up.bias,
            "linear2.weight": made.feedforward.down.weight,
            "linear2.bias": made.feedforward.down.bias,
            "norm1.weight": made.norm_attention.weight,
            "norm1.bias": made.norm_attention.bias,
            "norm2.weight": made.norm_feedforward.weight,
            "norm2.bias": made.norm_feedforward.bias,
        }
    )
    mask = torch.nn.Transformer.generate_square_subsequent_mask(6)
    torch.testing.assert_close(made(x), oracle.train()(x, src_mask=mask, is_causal=True), rtol=1e-4, atol=1e-5)


def normed(layer: torch.nn.LayerNorm, x: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, (8,), layer.weight, layer.bias)


def test_filter_and_attention_are_mixed_each_with_residual_and_norm_as_published() -> None:
    made, x = block("post", 0.3), torch.randn(3, 6, 8)
    filtered = normed(made.norm_filter, x + made.filter(x))
    attended = normed(made.norm_attention, x + made.attention(x))
    mixed = 0.3 * filtered + 0.7 * attended
    wanted = normed(made.norm_feedforward, mixed + made.feedforward(mixed))
    torch.testing.assert_close(made(x), wanted)


def test_before_the_norm_the_residual_is_added_once() -> None:
    made, x = block("pre", 0.3), torch.randn(3, 6, 8)
    mixed = x + 0.3 * made.filter(normed(made.norm_filter, x)) + 0.7 * made.attention(normed(made.norm_attention, x))
    wanted = mixed + made.feedforward(normed(made.norm_feedforward, mixed))
    torch.testing.assert_close(made(x), wanted)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_later_event_changes_nothing_before(norm: str) -> None:
    made, x = block(norm, 0.5), torch.randn(2, 9, 8)
    changed = x.clone()
    changed[:, 5:] = 1e6
    assert torch.equal(made(x)[:, :5], made(changed)[:, :5]) and not torch.allclose(made(x)[:, 5], made(changed)[:, 5])


def test_every_part_has_a_gradient() -> None:
    made = block("post", 0.5)
    made(torch.randn(2, 9, 8)).square().sum().backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in made.parameters())


def test_no_events_and_nobody() -> None:
    made = block("post", 0.5)
    assert made(torch.randn(2, 0, 8)).shape == (2, 0, 8) and made(torch.randn(0, 3, 8)).shape == (0, 3, 8)


def test_what_does_not_fit_is_answered() -> None:
    with pytest.raises(ConfigError, match="above 1"):
        LowPass(2, (1.0, 8.0))
    with pytest.raises(ConfigError, match="divide"):
        FrequencyFilter(9, 2, (2.0, 8.0))
