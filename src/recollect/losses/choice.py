"""Which loss a training run uses, as a setting: the full softmax unless there are too many items for it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from recollect.config import ConfigError, Settings
from recollect.losses.full import full_cross_entropy
from recollect.losses.sampled import (
    bayesian_personalised_ranking,
    binary_cross_entropy,
    draw_negatives,
    sampled_softmax,
)
from recollect.losses.sparse import Excluded, Scored


class LossSettings(Settings):
    """The main loss of training."""

    kind: Literal["full", "sampled", "bce", "gbce", "bpr"] = "full"
    """full: softmax over all items; sampled: softmax over negatives, logQ-corrected; the others need negatives too."""
    negatives: int = Field(256, ge=1)
    """How many a target is set against (all kinds but full)."""
    shared_negatives: bool = True
    """One draw for all targets of a batch; False draws for each its own, as SASRec (bce, 1) and gBCE are published."""
    calibration: float = Field(0.75, ge=0, le=1)
    """t of gBCE."""
    seen: Literal["auto", "hidden", "allowed"] = "auto"
    """hidden: items that the user has met already are no candidates, the target apart; auto: as validation asks.

    A loss that is taken by itself cannot know what validation asks: there, auto is allowed.
    """

    def asked(self, seen: Literal["hidden", "allowed"]) -> LossSettings:
        """The same, with `auto` decided."""
        return self.model_copy(update={"seen": seen}) if self.seen == "auto" else self


def refuse_one_for_all(settings: LossSettings) -> None:
    """ConfigError for a single negative that all targets of a batch share: a step would push down that one item only.

    Asked before training and not of the settings themselves, so that older runs with it can still be read.
    """
    if settings.kind != "full" and settings.negatives == 1 and settings.shared_negatives:
        raise ConfigError(
            f"train.loss.negatives=1: kind={settings.kind} would set a whole batch against one and the same item; set "
            "train.loss.shared_negatives=false (one for each target), or train.loss.negatives=256"
        )


def loss_of(
    settings: LossSettings,
    hidden: Tensor,
    table: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    weights: Tensor | None = None,
    excluded: Excluded | None = None,
    scored: Scored | None = None,
) -> Tensor:
    """hidden [N D], table [V D], targets [N] -> the mean loss of the chosen kind, by `weights` [N] where there are.

    `excluded`: items that are no candidates of a target. `scored`: what was met, and how it scores.
    """
    if settings.kind == "full":
        return full_cross_entropy(hidden, table, targets, bias, weights, excluded, scored)
    shape = (settings.negatives,) if settings.shared_negatives else (len(targets), settings.negatives)
    negatives = draw_negatives(shape, len(table), hidden.device)
    if settings.kind == "sampled":
        return sampled_softmax(hidden, table, targets, negatives, bias, weights, excluded, scored)
    if settings.kind == "bpr":
        return bayesian_personalised_ranking(hidden, table, targets, negatives, bias, weights, excluded, scored)
    calibration = settings.calibration if settings.kind == "gbce" else 0.0
    return binary_cross_entropy(hidden, table, targets, negatives, bias, calibration, weights, excluded, scored)
