"""HF: whatever the architecture, it is known whether it looks ahead; what cannot be built is refused by name."""

from __future__ import annotations

import sys

import pytest
import torch

from recollect.config import ConfigError
from recollect.contracts import Catalog, Events
from recollect.models.hf import HF

pytest.importorskip("transformers", reason="the extra hf is not installed")


def made(architecture: str, **changes: int) -> HF:
    torch.manual_seed(0)
    chosen = {"width": 8, "window": 6, **changes}
    return HF(HF.Config(architecture=architecture, **chosen), Catalog(12)).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("architecture", "causal"),
    [("gpt2", True), ("llama", True), ("mistral", True), ("bert", False), ("electra", False), ("xlnet", False)],
)
def test_decoders_are_causal_and_encoders_look_ahead(architecture: str, causal: bool) -> None:
    model = made(architecture)
    assert model.causal == causal
    one, two = (model.encode(Events.of([codes]))[0] for codes in ([3, 1, 4, 1, 5, 9], [3, 1, 4, 1, 5, 2]))
    assert torch.equal(one[:, :5], two[:, :5]) == causal


@pytest.mark.parametrize("architecture", ["gpt2", "bert"])
def test_it_is_the_architecture_on_the_items_vectors(architecture: str) -> None:
    model, codes = made(architecture), [3, 1, 4]
    x = model.table(torch.tensor([codes]))
    wanted = model.norm(model.mixer(inputs_embeds=x).last_hidden_state)
    torch.testing.assert_close(model.encode(Events.of([codes, [2]]))[0][:1], wanted, rtol=1e-4, atol=1e-5)


def test_the_sizes_are_those_asked_for() -> None:
    small, large = (sum(p.numel() for p in made("gpt2", blocks=blocks).mixer.parameters()) for blocks in (1, 3))
    assert small < large < 20_000


@pytest.mark.parametrize(
    "architecture", ["gpt2", "llama", "opt", "gpt_neox", "falcon", "bert", "distilbert", "electra", "xlnet"]
)
def test_the_feed_forward_is_as_wide_as_asked_for(architecture: str) -> None:
    narrow, wide = (made(architecture, heads=2, feedforward=factor) for factor in (1, 3))
    # Two products of width x inner width in each of two blocks; some have a third, and some biases.
    more = sum(p.numel() for p in wide.mixer.parameters()) - sum(p.numel() for p in narrow.mixer.parameters())
    assert 2 * 2 * 8 * 16 <= more <= 2 * (3 * 8 * 16 + 2 * 16)


def test_a_feed_forward_that_cannot_be_changed_is_said() -> None:
    made("bloom")
    with pytest.raises(ConfigError, match=r"leave model\.feedforward at 4"):
        made("bloom", feedforward=2)


@pytest.mark.parametrize("architecture", ["no-such-architecture", "t5", "vit"])
def test_what_cannot_mix_events_is_refused_by_name(architecture: str) -> None:
    with pytest.raises(ConfigError, match=architecture):
        made(architecture)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"pip install transformers"):
        made("gpt2")
