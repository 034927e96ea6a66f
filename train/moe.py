"""The mixture: a tabular and a temporal expert and a router that weighs them, from raw columns to probabilities.

Shapes: B rows, F features and the stream as the last column, E = 2 experts (tabular, temporal).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from train.config import Settings
from train.conv1d import TemporalCNN, window
from train.ft_transformer import FTTransformer

CONSTANT = 1e-6
"""A column that varies less than this, after the logarithm, tells nothing."""


class Preprocessing(nn.Module):
    """Raw columns to numbers that a network likes; learned from training rows alone, and part of the exported graph.

    Signed log1p, then standardised and clipped. NaN is the column's mean, infinities are its extremes. Columns that are constant in
    the training rows are left out.
    """

    kept: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        values = _squashed(rows)
        known = ~torch.isnan(values)
        filled = torch.where(known, values, 0.0).double()
        count = known.sum(0).clamp(min=1)
        mean = filled.sum(0) / count
        spread = ((torch.where(known, filled - mean, 0.0) ** 2).sum(0) / count).sqrt()
        kept = torch.nonzero(spread > CONSTANT).squeeze(1)
        self.register_buffer("kept", kept)
        self.register_buffer("mean", mean[kept].float())
        self.register_buffer("scale", spread[kept].float())

    def forward(self, rows_BF: Tensor) -> Tensor:
        """(B, F) raw → (B, kept)."""
        values = (_squashed(rows_BF[:, self.kept]) - self.mean) / self.scale
        return torch.nan_to_num(values, nan=0.0).clamp(-6.0, 6.0)


def _squashed(rows: Tensor) -> Tensor:
    bounded = rows.clamp(-1e12, 1e12)
    return torch.sign(bounded) * torch.log1p(bounded.abs())


class TabularExpert(nn.Module):
    """One flow by itself. ``forward`` ignores the stream and answers (B, 1)."""

    def __init__(self, preprocessing: Preprocessing, settings: Settings) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.body = FTTransformer(
            n_features=len(preprocessing.kept),
            d_block=settings.d_block,
            n_blocks=settings.n_blocks,
            n_heads=settings.n_heads,
            dropout=settings.dropout,
        )
        self.head = nn.Linear(settings.d_block, 1)

    def logits(self, x_BF: Tensor) -> tuple[Tensor, Tensor]:
        """Preprocessed (B, F) → logits (B,) and the representation (B, D)."""
        hidden = self.body(x_BF)
        return self.head(hidden).squeeze(-1), hidden

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, F + 1) raw → (B, 1) P(attack)."""
        return torch.sigmoid(self.logits(self.preprocessing(inputs[:, :-1]))[0]).unsqueeze(-1)


class Mixture(nn.Module):
    """Both experts and the router. A row without context is the tabular expert's alone."""

    def __init__(self, tabular: TabularExpert, settings: Settings) -> None:
        super().__init__()
        self.tabular = tabular
        self.window = settings.window
        self.temporal = TemporalCNN(n_features=len(tabular.preprocessing.kept), d_conv=settings.d_conv, dropout=settings.dropout)
        self.temporal_head = nn.Linear(settings.d_conv, 1)
        self.router = nn.Sequential(nn.Linear(settings.d_block + settings.d_conv + 1, 32), nn.GELU(), nn.Linear(32, 2))

    def parts(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F + 1) raw → logits of the experts (B, E) and the router's weights (B, E)."""
        x_BF = self.tabular.preprocessing(inputs[:, :-1])
        index, mask = window(inputs[:, -1].round().long(), length=self.window)
        tabular, hidden = self.tabular.logits(x_BF)
        seen = self.temporal(x_BF, index, mask)
        context = (mask.sum(1, keepdim=True) - 1).to(x_BF.dtype) / (self.window - 1)
        scores = self.router(torch.cat([hidden.detach(), seen.detach(), context], dim=-1))
        nothing = torch.stack([torch.zeros_like(context[:, 0]), (context[:, 0] == 0) * -1e4], dim=-1)
        logits = torch.stack([tabular, self.temporal_head(seen).squeeze(-1)], dim=-1)
        return logits, torch.softmax(scores + nothing, dim=-1)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, F + 1) raw → (B, 5): the columns of ``moe_outputs.OUTPUTS``."""
        logits, weights = self.parts(inputs)
        chances = torch.sigmoid(logits)
        mixed = (chances * weights).sum(-1, keepdim=True)
        return torch.cat([mixed, chances, weights], dim=-1)
