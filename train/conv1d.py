"""The temporal view: a window of the flow and those before it in its own stream, and a 1-D CNN over it.

Shapes: B rows, W = window (position W - 1 is the row itself), F features, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def window(stream_B: Tensor, *, length: int) -> tuple[Tensor, Tensor]:
    """Which rows make up each row's window: (B, W) indices, oldest first, and (B, W) whether there is such a row.

    A row's window holds earlier rows of its own stream in the same call and nothing else; stream -1 has no earlier rows. Rows are
    sorted by stream (stably, so their order holds) and gathered by index: any number of rows will do, one included.
    """
    count = stream_B.shape[0]
    order = torch.argsort(stream_B, stable=True)
    place = torch.empty_like(order).scatter(0, order, torch.arange(count, device=order.device))
    back = torch.arange(length - 1, -1, -1, device=order.device)
    earlier = place.unsqueeze(1) - back
    index = order[earlier.clamp(min=0)]
    same = (earlier >= 0) & (stream_B[index] == stream_B.unsqueeze(1)) & (stream_B.unsqueeze(1) >= 0)
    return index, same | (back == 0)


class TemporalCNN(nn.Module):
    """Convolutions over the window of what each earlier flow is, and how it differs from the current one."""

    def __init__(self, *, n_features: int, d_conv: int, dropout: float) -> None:
        super().__init__()
        self.squeeze = nn.Linear(n_features, d_conv)
        self.first = nn.Conv1d(2 * d_conv + 1, d_conv, kernel_size=3, padding=1)
        self.second = nn.Conv1d(d_conv, d_conv, kernel_size=3, padding=2, dilation=2)
        self.norm = nn.LayerNorm(3 * d_conv)
        self.out = nn.Linear(3 * d_conv, d_conv)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BF: Tensor, index_BW: Tensor, mask_BW: Tensor) -> Tensor:
        """(B, F) rows and the window of each, as ``window`` gives it → (B, C)."""
        mask = mask_BW.unsqueeze(-1).to(x_BF.dtype)
        flows = self.squeeze(x_BF)[index_BW]
        apart = (flows - flows[:, -1:]).abs()
        steps = torch.cat([flows * mask, apart * mask, mask], dim=-1).transpose(1, 2)
        hidden = functional.gelu(self.first(steps))
        hidden = (hidden + functional.gelu(self.second(hidden))).transpose(1, 2)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        # How alike the earlier flows are: small where the same flow comes again and again.
        alike = (apart * mask).sum(1) / (mask.sum(1) - 1).clamp(min=1)
        joined = torch.cat([mean, hidden[:, -1], torch.exp(-alike)], dim=-1)
        out: Tensor = functional.gelu(self.out(self.dropout(self.norm(joined))))
        return out
