"""The contrastive loss of xLSTM-LSR: the fused preference stays near its own two parts and away from other users'.

Source: xLSTM-LSR eq. 24, on unit vectors. Neither temperature nor weight stands in the paper.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def contrastive_loss(fused: Tensor, long: Tensor, short: Tensor, temperature: float) -> Tensor:
    """Each [B D], one row a user -> mean over users of -log((e^{u.l} + e^{u.s}) / sum_j (e^{u.l_j} + e^{u.s_j}))."""
    u, parts = F.normalize(fused.float(), dim=-1), F.normalize(torch.stack([long, short]).float(), dim=-1)
    similar = torch.einsum("bd,pjd->bpj", u, parts) / temperature  # [B 2 B]
    own = similar.diagonal(dim1=0, dim2=2)  # [2 B]
    return (similar.flatten(1).logsumexp(-1) - own.logsumexp(0)).mean()
