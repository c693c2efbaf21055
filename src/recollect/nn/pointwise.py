"""The position-wise feed-forward of a Transformer block: every event is mapped alone.

Source: Vaswani et al. 2017, sec. 3.3. Residual and norm are the block's, which place them differently.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from recollect.nn.dropout import Dropout


class PointwiseFeedForward(nn.Module):
    """x [... D] -> Dropout(W_down Dropout(activation(W_up x))) [... D]; hidden width `factor` times the width."""

    def __init__(
        self, width: int, factor: float, dropout: float, activation: Callable[[Tensor], Tensor] = F.gelu
    ) -> None:
        super().__init__()
        inner = max(1, round(width * factor))
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout, self.activation = Dropout(dropout), activation

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.dropout(self.down(self.dropout(self.activation(self.up(x)))))
        return result
