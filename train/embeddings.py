"""Embeddings of encoded columns (Gorishniy et al. 2022, "On Embeddings for Numerical Features in Tabular Deep Learning").

Shapes: B rows, F numeric and C categorical columns, K bins, D width of an embedding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from train.preprocessing import Encoded


class ColumnEmbeddings(nn.Module):
    """One embedding a column: the filled bins times learned directions, "missing" and each category a learned vector of its own."""

    def __init__(self, *, n_features: int, n_bins: int, sizes: Sequence[int], d_embedding: int) -> None:
        super().__init__()
        self.steps = nn.Parameter(torch.empty(n_features, n_bins, d_embedding))
        self.missing = nn.Parameter(torch.empty(n_features, d_embedding))
        self.bias = nn.Parameter(torch.empty(n_features, d_embedding))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(d_embedding**-0.5), d_embedding**-0.5)
        self.categories = nn.ModuleList(nn.Embedding(size, d_embedding) for size in sizes)
        for table in self.categories:
            assert isinstance(table, nn.Embedding)
            nn.init.uniform_(table.weight, -(d_embedding**-0.5), d_embedding**-0.5)

    def forward(self, rows: Encoded) -> Tensor:
        """→ (B, F + C, D)."""
        numeric = torch.einsum("bfk,fkd->bfd", rows.steps, self.steps) + rows.missing.unsqueeze(-1) * self.missing + self.bias
        coded = [table(rows.codes[:, place]).unsqueeze(1) for place, table in enumerate(self.categories)]
        return torch.cat([numeric, *coded], dim=1)
