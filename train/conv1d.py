"""The temporal view: a window of the flow and those before it in its own stream, and a 1-D CNN over it.

Shapes: B rows, W = window (position W - 1 is the row itself), F features, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.preprocessing import Encoded


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
    """Convolutions over the window of what each earlier flow is, and how it differs from the current one.

    With ``n_bins`` the current flow's piecewise-linear encoding is seen as well, which tells flows apart that are nearly alike.
    """

    def __init__(self, *, n_features: int, sizes: Sequence[int], d_conv: int, dropout: float, n_bins: int = 0) -> None:
        super().__init__()
        parts = 4 if n_bins == 0 else 5
        self.squeeze = nn.Linear(3 * n_features, d_conv)
        self.categories = nn.ModuleList(nn.Embedding(size, d_conv) for size in sizes)
        self.first = nn.Conv1d(2 * d_conv + 1, d_conv, kernel_size=3, padding=1)
        self.second = nn.Conv1d(d_conv, d_conv, kernel_size=3, padding=2, dilation=2)
        self.norm = nn.LayerNorm(parts * d_conv)
        self.out = nn.Linear(parts * d_conv, d_conv)
        self.last = nn.Linear(d_conv, d_conv)
        self.head = nn.Linear(d_conv, 1)
        self.dropout = nn.Dropout(dropout)
        self.steps = nn.Linear((n_bins + 1) * n_features, d_conv) if n_bins else None

    def flows(self, rows: Encoded) -> Tensor:
        """→ (B, C), each flow by itself."""
        flows: Tensor = self.squeeze(torch.cat([rows.numbers, rows.missing], dim=-1))
        for place, table in enumerate(self.categories):
            flows = flows + table(rows.codes[:, place])
        return functional.gelu(flows)

    def forward(self, rows: Encoded, flows_NC: Tensor, index_BW: Tensor, mask_BW: Tensor) -> Tensor:
        """B rows, (N, C) flows and the window of each row as ``window`` gives it → (B,) logits."""
        mask = mask_BW.unsqueeze(-1).to(flows_NC.dtype)
        flows = flows_NC[index_BW]
        current = flows[:, -1]
        apart = (flows - flows[:, -1:]).abs()
        steps = torch.cat([flows * mask, apart * mask, mask], dim=-1).transpose(1, 2)
        hidden = functional.gelu(self.first(steps))
        hidden = (hidden + functional.gelu(self.second(hidden))).transpose(1, 2)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        # How alike the earlier flows are: small where the same flow comes again and again.
        alike = (apart * mask).sum(1) / (mask.sum(1) - 1).clamp(min=1)
        parts = [mean, hidden[:, -1], torch.exp(-alike), current]
        if self.steps is not None:
            parts.append(functional.gelu(self.steps(torch.cat([rows.steps.flatten(1), rows.missing], dim=-1))))
        joined = torch.cat(parts, dim=-1)
        out: Tensor = functional.gelu(self.out(self.dropout(self.norm(joined))))
        out = functional.gelu(self.last(self.dropout(out))) + out
        logits: Tensor = self.head(out).squeeze(-1)
        return logits
