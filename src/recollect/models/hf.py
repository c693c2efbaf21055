"""HF: any Hugging Face decoder or encoder, built from its configuration, as what mixes a window of events.

Source: Transformers4Rec (de Souza Pereira Moreira et al. 2021), which the second seed names. No weights are downloaded.
Needs the extra `hf`. Whether an architecture looks ahead is tried out on it, since its configuration does not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.config import ConfigError, Settings
from recollect.contracts import Catalog, Events, Window
from recollect.nn.embed import ItemTable
from recollect.nn.evaluating import evaluating

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


class HF(Window):
    class Config(Settings):
        architecture: str = Field("gpt2", min_length=1)
        """The model type as Hugging Face names it: gpt2, llama, mistral, qwen2, bert, roberta, ..."""
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(2, ge=1)
        """Blocks."""
        heads: int = Field(2, ge=1)
        """Attention heads."""
        window: int = Field(200, ge=1)
        """How many of the last events are looked at."""
        feedforward: float = Field(4.0, gt=0)
        """Width factor of the feed-forward part."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout wherever the architecture has it."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog, self.window = config, catalog, config.window
        self.table = ItemTable(catalog.size, config.width, config.dropout)
        self.mixer = _built(config)
        self.norm = nn.LayerNorm(config.width)
        self.empty = nn.Parameter(torch.randn(config.width) * 0.02)
        self.causal = not _looks_ahead(self.mixer, config.width, min(4, config.window))

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
        raise ConfigError("the model hf needs Hugging Face transformers: pip install 'recollect[hf]'") from None
    if config.width % config.heads:
        raise ConfigError(f"attention of width {config.width} does not divide into {config.heads} heads")
    sizes: dict[str, Any] = {
        "vocab_size": 1,
        "hidden_size": config.width,
        "embedding_size": config.width,
        "num_hidden_layers": config.blocks,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads,
        "head_dim": config.width // config.heads,
        "intermediate_size": max(1, round(config.width * config.feedforward)),
        "max_position_embeddings": config.window + 2,  # some count positions from the padding token's id
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": None,
        "use_cache": False,
        **dict.fromkeys(_DROPOUTS, config.dropout),
    }
    try:
        known = AutoConfig.for_model(config.architecture)
        chosen = type(known)(**{name: value for name, value in sizes.items() if hasattr(known, name)})
        mixer: Any = AutoModel.from_config(chosen, attn_implementation="eager")  # type: ignore[no-untyped-call, unused-ignore]
        width = _mixed(mixer.eval(), torch.zeros(1, 1, config.width), torch.ones(1, 1, dtype=torch.bool)).shape[-1]
    except Exception as error:  # each architecture has refusals of its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"model.architecture={config.architecture!r} cannot be used: {reason}") from None
    if width != config.width:
        raise ConfigError(f"model.architecture={config.architecture!r} answers {width} channels to {config.width}")
    mixer.get_input_embeddings().requires_grad_(False)  # never read: items come as vectors
    return mixer.train()


def _mixed(mixer: Any, x: Tensor, real: Tensor) -> Tensor:
    """x [B T D], real [B T] -> [B T D]."""
    answer: Tensor = mixer(inputs_embeds=x, attention_mask=real.long(), return_dict=True).last_hidden_state
    return answer


def _looks_ahead(mixer: Any, width: int, length: int) -> bool:
    """Whether a later event changes what comes out of an earlier place."""
    draw = torch.Generator().manual_seed(0)
    one = torch.randn(1, length, width, generator=draw)
    other = one.clone()
    other[:, -1] = torch.randn(width, generator=draw)
    real = torch.ones(1, length, dtype=torch.bool)
    with torch.no_grad(), evaluating(mixer):
        return not torch.equal(_mixed(mixer, one, real)[:, :-1], _mixed(mixer, other, real)[:, :-1])
