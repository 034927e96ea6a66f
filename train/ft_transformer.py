"""FT-Transformer over the tabular view of one flow (Gorishniy et al. 2021, "Revisiting Deep Learning Models for Tabular Data").

Shapes: B rows, D = d_block, T tokens: the CLS token, then one a column.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.embeddings import ColumnEmbeddings
from train.preprocessing import Encoded


class Block(nn.Module):
    """Pre-norm attention and a GEGLU feed-forward. NOTE[DIFF]: GEGLU of width 4/3 D where the paper has ReGLU."""

    def __init__(self, *, d_block: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        if d_block % n_heads:
            msg = f"d_block must be a multiple of n_heads, however: {d_block=}, {n_heads=}"
            raise ValueError(msg)
        d_hidden = d_block * 4 // 3
        self.n_heads = n_heads
        self.norm_attention = nn.LayerNorm(d_block)
        self.query = nn.Linear(d_block, d_block)
        self.key_value = nn.Linear(d_block, 2 * d_block)
        self.out = nn.Linear(d_block, d_block)
        self.norm_hidden = nn.LayerNorm(d_block)
        self.hidden = nn.Linear(d_block, 2 * d_hidden)
        self.back = nn.Linear(d_hidden, d_block)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor, *, first: bool = False) -> Tensor:
        """(B, T, D) → (B, T, D), or with ``first`` (B, 1, D): the last block answers for the CLS token alone (section 3.3)."""
        normed = self.norm_attention(x_BTD)
        asked, x_BTD = (normed[:, :1], x_BTD[:, :1]) if first else (normed, x_BTD)
        x_BTD = x_BTD + self.dropout(self._attend(asked, normed))
        value, gate = self.hidden(self.norm_hidden(x_BTD)).chunk(2, dim=-1)
        out: Tensor = x_BTD + self.dropout(self.back(value * functional.gelu(gate)))
        return out

    def _attend(self, asked: Tensor, seen: Tensor) -> Tensor:
        parts = (self.query(asked), *self.key_value(seen).chunk(2, dim=-1))
        heads = (part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in parts)
        mixed: Tensor = functional.scaled_dot_product_attention(*heads)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class FTTransformer(nn.Module):
    """Tokens, blocks, and the CLS token's representation."""

    def __init__(
        self, *, n_features: int, n_bins: int, sizes: Sequence[int], d_block: int, n_blocks: int, n_heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.embeddings = ColumnEmbeddings(n_features=n_features, n_bins=n_bins, sizes=sizes, d_embedding=d_block)
        self.cls = nn.Parameter(torch.empty(1, 1, d_block).uniform_(-(d_block**-0.5), d_block**-0.5))
        self.blocks = nn.ModuleList(Block(d_block=d_block, n_heads=n_heads, dropout=dropout) for _ in range(n_blocks))
        self.norm = nn.LayerNorm(d_block)

    def forward(self, rows: Encoded) -> Tensor:
        """→ (B, D)."""
        columns: Tensor = self.embeddings(rows)
        x_BTD = torch.cat([self.cls.expand(columns.shape[0], -1, -1), columns], dim=1)
        for place, block in enumerate(self.blocks):
            x_BTD = block(x_BTD, first=place == len(self.blocks) - 1)
        normed: Tensor = self.norm(x_BTD[:, 0])
        return normed
