"""An average of the weights along the last steps, which is steadier than where training stands at any one of them.

Source: Polyak & Juditsky 1992; exponentially, as in Adam's own paper (Kingma & Ba 2015, sec. 7.2).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn


class Average:
    """The exponential average of a model's parameters. `decay`: the share that a step leaves of what was before it.

    The first steps count as in a plain mean, so that the start, which knows nothing, is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._model = model
        self._weights = {name: one.detach().clone() for name, one in model.named_parameters()}

    def step(self, steps: int) -> None:
        """After step number `steps` (from 1)."""
        keep = min(self.decay, steps / (steps + 9))
        own = [one.detach() for one in self._model.parameters()]
        with torch.no_grad():
            torch._foreach_lerp_(list(self._weights.values()), own, 1 - keep)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the model has the average for its weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> Mapping[str, Tensor]:
        """What a checkpoint keeps."""
        return self._weights

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        for name, own in self._weights.items():
            own.copy_(tensors[name])

    def _swap(self) -> None:
        with torch.no_grad():
            for name, parameter in self._model.named_parameters():
                held = self._weights[name].clone()
                self._weights[name].copy_(parameter)
                parameter.copy_(held)
