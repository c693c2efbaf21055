"""The temporal stream against its definition: complex numbers in float64, one event after the other."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from recollect.nn.temporal_stream import TemporalStream, Wave

NOW = 1_700_000_000


def by_definition(stream: TemporalStream, x: torch.Tensor, times: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """y [B 2D] after all events x [B T D] at times [B T], asked at [B]."""
    omega = 2 * math.pi / stream.periods.double()
    rate = -F.softplus(-stream.fading.double()) * omega + 1j * omega  # [H], a second
    value = stream.value(stream.norm(x)).double().reshape(*x.shape[:2], stream.heads, -1)
    z = torch.zeros_like(value[:, 0], dtype=torch.complex128)
    for t in range(x.shape[1]):
        gap = times[:, t] - times[:, max(t - 1, 0)]
        z = torch.exp(rate * gap[:, None])[..., None] * z + value[:, t]
    y = torch.exp(rate * (at - times[:, -1])[:, None])[..., None] * z
    return torch.cat([y.real.flatten(1), y.imag.flatten(1)], dim=1)


def gaps(times: torch.Tensor) -> torch.Tensor:
    return F.pad(times.diff(dim=1), (1, 0)).float()


@pytest.mark.parametrize("chunk", [1, 7, 32])
@pytest.mark.parametrize("longest", [30, 5_000, 3_000_000])
def test_it_is_what_its_definition_says(chunk: int, longest: int) -> None:
    torch.manual_seed(0)
    stream = TemporalStream(16, chunk)
    x, times = torch.randn(3, 50, 16), NOW + torch.randint(0, longest, (3, 50)).cumsum(1)
    at = times[:, -1] + torch.tensor([0, 40, 90_000])
    wave = stream(x, times, gaps(times), torch.ones(3, 50, dtype=torch.bool), stream.fresh(3))
    found = stream.read(Wave(wave.real[:, -1], wave.imaginary[:, -1]), times[:, -1], at)
    wanted = by_definition(stream, x, times, at)
    torch.testing.assert_close(found.double(), wanted, rtol=2e-3, atol=2e-3)


def test_pieces_and_the_whole_remember_the_same() -> None:
    torch.manual_seed(0)
    stream = TemporalStream(8)
    x, times = torch.randn(2, 40, 8), NOW + torch.randint(0, 90_000, (2, 40)).cumsum(1)
    everything = torch.ones(2, 40, dtype=torch.bool)
    whole = stream(x, times, gaps(times), everything, stream.fresh(2))
    wave, since = stream.fresh(2), gaps(times)
    for start, stop in ((0, 1), (1, 20), (20, 40)):
        part = slice(start, stop)
        after = stream(x[:, part], times[:, part], since[:, part], everything[:, part], wave)
        torch.testing.assert_close(after.real, whole.real[:, part])
        wave = Wave(after.real[:, -1], after.imaginary[:, -1])


def test_an_hour_of_the_day_comes_back_and_the_far_past_fades() -> None:
    """Asked a whole period later, the angle is the same; what is left is gamma."""
    stream = TemporalStream(8)
    wave = Wave(torch.ones(1, 8), torch.zeros(1, 8))
    period = int(stream.periods[2])
    there = stream.read(wave, torch.tensor([NOW]), torch.tensor([NOW]))
    later = stream.read(wave, torch.tensor([NOW]), torch.tensor([NOW + period]))
    size = 8 // stream.heads
    head = slice(2 * size, 3 * size)
    gone = math.exp(-math.log(2) * 2 * math.pi)  # gamma^(2 pi), as lambda is -ln(gamma) omega
    torch.testing.assert_close(later[:, head], there[:, head] * gone, rtol=1e-3, atol=1e-6)
