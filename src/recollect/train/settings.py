"""How a network is trained: the defaults are what won on ML-1M validation (docs/results)."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from recollect.config import Settings
from recollect.data.batches import BatchSettings
from recollect.losses.choice import LossSettings

INIT_ITEMS = "init_items"
"""Vectors to start an item table from are no part of a model, but said of it as often as of its training."""


class TrainSettings(Settings):
    """Everything about a training run but the model and the data."""

    epochs: int = Field(20, ge=1)
    """At most so many passes over the training events; the learning rate falls to its end over them."""
    stop_after: int | None = Field(None, ge=1)
    """End after so many epochs, with the learning rate still that of a run of `epochs`; unset: no such end."""
    minutes: float | None = Field(None, gt=0)
    """Stop, at an epoch's end, when so many minutes of training and validation are spent; unset: no limit."""
    patience: int = Field(5, ge=1)
    """Stop after so many validations without a better NDCG@10."""
    learning_rate: float = Field(2e-3, gt=0)
    """Peak learning rate of AdamW."""
    final_rate: float = Field(0.1, ge=0, le=1)
    """What part of the peak learning rate is left at the last epoch (cosine fall)."""
    warmup: int = Field(100, ge=0)
    """Steps of linear warm-up."""
    weight_decay: float = Field(0.01, ge=0)
    """Decoupled weight decay, on matrices only (not on biases, norms and the item table)."""
    clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient."""
    average: float = Field(0.0, ge=0, lt=1)
    """Validate and keep an average of the weights along the steps, of which each leaves this share: .999 say; 0: the
    weights of the last step themselves."""
    precision: Literal["auto", "32", "bf16"] = "auto"
    """auto takes bf16 where it is faster: on GPUs that have it, and on processors by a short measurement; else 32."""
    accelerator: str = "auto"
    """Where to compute: auto, cpu, mps, cuda, or one of several GPUs, counted from 0, as cuda:1."""
    seed: int = Field(0, ge=0)
    """Of weights, order and dropout. The same seed gives the same bits on one CPU with one number of threads
    (OMP_NUM_THREADS) and one version of torch; elsewhere sums are taken in another order, and end a little apart."""
    validate_every: int = Field(1, ge=1)
    """Epochs between validations."""
    validation_users: int | None = Field(None, ge=1)
    """Validate on so many users, drawn once by seed; unset: on all."""
    checkpoint_minutes: float = Field(5.0, ge=0)
    """Write a checkpoint this often, besides at every epoch's end; 0 writes one after every step."""
    start_from: str | None = None
    """The folder of a trained run whose weights training starts from, items matched by id; unset: fresh weights."""
    init_items: str | None = None
    """A file of pretrained item vectors (embeddings of texts or images, say) with their ids; the item table starts
    from them, with `start_from` only the rows of items new to that run: .npz, .npy with ids beside it, .parquet, .csv,
    or word2vec text; unset: random vectors."""
    batches: BatchSettings = BatchSettings()
    """How histories become batches."""
    loss: LossSettings = LossSettings()
    """What is minimised."""

    @field_validator("precision", mode="before")
    @classmethod
    def _as_written(cls, given: object) -> object:
        """32 is a number in a settings file and on the command line."""
        return "32" if given == 32 else given

    @field_validator("accelerator")
    @classmethod
    def _is_a_device(cls, given: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", given):
            raise ValueError("expected auto, cpu, mps, cuda, or one GPU as cuda:1")
        return given
