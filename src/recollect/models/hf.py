"""HF: any Hugging Face decoder or encoder, built from its configuration, as what mixes a window of events.

Source: Transformers4Rec (de Souza Pereira Moreira et al. 2021), which the second seed names. No weights are downloaded.
Needs the extra `hf`. Whether an architecture looks ahead is tried out on it, since its configuration does not say; one
that does learns from the ends of prefixes (Transformers4Rec hides events from those instead, as `bert4rec` does here).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.config import ConfigError
from recollect.contracts import Catalog, Events, Window
from recollect.nn.embed import ItemTable
from recollect.nn.repeat_head import RepeatSettings, repeat_head

_DROPOUTS = (
    "dropout",
    "attn_pdrop",
    "embd_pdrop",
    "resid_pdrop",
    "hidden_dropout",
    "hidden_dropout_prob",
    "attention_dropout",
    "attention_probs_dropout_prob",
)
"""What architectures call their dropout rates."""
_INNER_WIDTHS = ("intermediate_size", "n_inner", "hidden_dim", "ffn_dim", "d_inner", "ffn_hidden_size")
"""What they call the width of their feed-forward part."""


class HF(Window):
    class Config(RepeatSettings):
        architecture: str = Field("gpt2", min_length=1)
        """The model type as Hugging Face names it: gpt2, llama, mistral, qwen2, bert, roberta, xlnet, ..."""
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(2, ge=1)
        """Blocks."""
        heads: int = Field(2, ge=1)
        """Attention heads."""
        window: int = Field(200, ge=1)
        """How many of the last events are looked at."""
        feedforward: float = Field(4.0, gt=0)
        """Width factor of the feed-forward part; a few architectures know 4 only."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout wherever the architecture has it."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog, self.window = config, catalog, config.window
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, config.dropout)
        self.causal = not _looks_ahead(config)
        self.mixer = _built(config)
        self.norm = nn.LayerNorm(config.width)
        self.empty = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def start(self) -> Tensor:
        return self.empty

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        x = self.table(window.codes)
        if x.shape[1] == 0:
            return x, {}
        # A row without events looks at its first padded cell, because some architectures make NaN of nothing.
        real = window.mask | (torch.arange(x.shape[1], device=x.device) == 0)
        return self.norm(_mixed(self.mixer, x, real)), {}


def _built(config: HF.Config) -> Any:
    """The architecture with random weights, at the sizes asked for."""
    try:
        from transformers import AutoConfig, AutoModel
    except ImportError:
        raise ConfigError(
            "the model hf needs Hugging Face transformers: pip install transformers "
            "(in a checkout: pip install -c constraints.txt -e '.[hf]')"
        ) from None
    if config.width % config.heads:
        raise ConfigError(f"attention of width {config.width} does not divide into {config.heads} heads")
    sizes: dict[str, Any] = {
        "vocab_size": 1,
        "d_model": config.width,  # what XLNet divides into heads before it hears of the names below
        "n_head": config.heads,
        "hidden_size": config.width,
        "embedding_size": config.width,
        "num_hidden_layers": config.blocks,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads,
        "head_dim": config.width // config.heads,
        "max_position_embeddings": config.window + 2,  # some count positions from the padding token's id
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": None,
        "use_cache": False,
        **dict.fromkeys(_DROPOUTS, config.dropout),
        **dict.fromkeys(_INNER_WIDTHS, max(1, round(config.width * config.feedforward))),
    }
    try:
        known = AutoConfig.for_model(config.architecture)
        taken = {name: value for name, value in sizes.items() if _takes(known, name, value)}
        if config.feedforward != 4 and not taken.keys() & set(_INNER_WIDTHS):
            raise ConfigError("its feed-forward part is four times as wide as it is: leave model.feedforward at 4")
        chosen = type(known)(**taken)
        mixer: Any = AutoModel.from_config(chosen, attn_implementation="eager")  # type: ignore[no-untyped-call, unused-ignore]
        mixer.get_input_embeddings().requires_grad_(False)  # never read: items come as vectors
    except Exception as error:  # each architecture has refusals of its own
        raise _refused(config, str(error)) from None
    return mixer.train()


def _takes(known: Any, name: str, value: Any) -> bool:
    """Whether an architecture's configuration has this setting and lets it be set."""
    try:
        if not hasattr(known, name):
            return False
        setattr(known, name, value)
    except (AttributeError, NotImplementedError, ValueError):  # told from others: XLNet's length, Falcon's head_dim
        return False
    return True


def _mixed(mixer: Any, x: Tensor, real: Tensor) -> Tensor:
    """x [B T D], real [B T] -> [B T D]."""
    answer: Tensor = mixer(inputs_embeds=x, attention_mask=real.long(), return_dict=True).last_hidden_state
    return answer


def _looks_ahead(config: HF.Config) -> bool:
    """Whether a later event changes what comes out of an earlier place, tried on one block of the architecture.

    It is tried on the CPU and leaves the random numbers as they were, wherever and however the model is being built.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"), torch.no_grad():
        mixer, length = _built(config.model_copy(update={"blocks": 1})).eval(), min(4, config.window)
        one, end = torch.randn(1, length, config.width), torch.randn(1, 1, config.width)
        real = torch.ones(1, length, dtype=torch.bool)
        try:
            before, after = (_mixed(mixer, x, real) for x in (one, torch.cat([one[:, :-1], end], dim=1)))
        except Exception as error:
            raise _refused(config, str(error)) from None
    if before.shape != one.shape:
        raise _refused(config, f"it answers {before.shape[-1]} channels to {config.width}")
    return not torch.equal(before[:, :-1], after[:, :-1])


def _refused(config: HF.Config, reason: str) -> ConfigError:
    first = (reason.splitlines() or ["it cannot be built"])[0]
    return ConfigError(f"model.architecture={config.architecture!r} cannot mix events: {first}")
