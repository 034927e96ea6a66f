"""FT-Transformer over the tabular view of one flow (Gorishniy et al. 2021, "Revisiting Deep Learning Models for Tabular Data").

Shapes: B rows, F features, D = d_block, T = F + 1 tokens (the first is the CLS token).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Tokenizer(nn.Module):
    """Each feature becomes a token of its own: value times a learned direction, plus a learned bias (section 3.3)."""

    def __init__(self, *, n_features: int, d_block: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_features, d_block))
        self.bias = nn.Parameter(torch.empty(n_features, d_block))
        self.cls = nn.Parameter(torch.empty(1, d_block))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(d_block**-0.5), d_block**-0.5)

    def forward(self, x_BF: Tensor) -> Tensor:
        """(B, F) → (B, T, D)."""
        tokens = x_BF.unsqueeze(-1) * self.weight + self.bias
        return torch.cat([self.cls.expand(x_BF.shape[0], -1, -1), tokens], dim=1)


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
        self.query_key_value = nn.Linear(d_block, 3 * d_block)
        self.out = nn.Linear(d_block, d_block)
        self.norm_hidden = nn.LayerNorm(d_block)
        self.hidden = nn.Linear(d_block, 2 * d_hidden)
        self.back = nn.Linear(d_hidden, d_block)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """(B, T, D) → (B, T, D)."""
        x_BTD = x_BTD + self.dropout(self._attend(self.norm_attention(x_BTD)))
        value, gate = self.hidden(self.norm_hidden(x_BTD)).chunk(2, dim=-1)
        out: Tensor = x_BTD + self.dropout(self.back(value * functional.gelu(gate)))
        return out

    def _attend(self, x_BTD: Tensor) -> Tensor:
        heads = (part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in self.query_key_value(x_BTD).chunk(3, dim=-1))
        mixed: Tensor = functional.scaled_dot_product_attention(*heads)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class FTTransformer(nn.Module):
    """Tokens, blocks, and the CLS token's representation."""

    def __init__(self, *, n_features: int, d_block: int, n_blocks: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.tokenizer = Tokenizer(n_features=n_features, d_block=d_block)
        self.blocks = nn.ModuleList(Block(d_block=d_block, n_heads=n_heads, dropout=dropout) for _ in range(n_blocks))
        self.norm = nn.LayerNorm(d_block)

    def forward(self, x_BF: Tensor) -> Tensor:
        """(B, F) → (B, D)."""
        x_BTD: Tensor = self.tokenizer(x_BF)
        for block in self.blocks:
            x_BTD = block(x_BTD)
        normed: Tensor = self.norm(x_BTD[:, 0])
        return normed
