"""The item table: what an item is to a network that reads it and to the scores that rank it (tied).

Source: xLSTM-LSR eq. 1 (layer norm, then dropout, on what is read) and eq. 25 (the bare table for scores).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recollect.nn.dropout import Dropout


class ItemTable(nn.Module):
    """codes [...] -> vectors [... D]. The padding row is zero and gets no gradient."""

    def __init__(self, size: int, width: int, dropout: float, *, normalised: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.02)
        with torch.no_grad():
            self.embedding.weight[0] = 0
        self.norm = nn.LayerNorm(width) if normalised else nn.Identity()
        self.dropout = Dropout(dropout)

    @property
    def weight(self) -> Tensor:
        """[V D]: the bare table."""
        return self.embedding.weight

    def forward(self, codes: Tensor) -> Tensor:
        vectors: Tensor = self.dropout(self.norm(self.embedding(codes)))
        return vectors
