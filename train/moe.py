"""The mixture: experts and a router that weighs them, from raw columns to probabilities.

Shapes: B rows, inputs of all raw columns and the stream as the last one, E experts in the order of ``moe_outputs.EXPERTS``, W window,
D = d_block, C = d_conv.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.config import Settings
from train.conv1d import TemporalCNN, window
from train.ft_transformer import FTTransformer
from train.moe_outputs import EXPERTS
from train.preprocessing import Encoded, Preprocessing
from train.trees import Trees


class TabularExpert(nn.Module):
    """One flow by itself. ``forward`` ignores the stream and answers (B, 1)."""

    slope: Tensor
    shift: Tensor

    def __init__(self, preprocessing: Preprocessing, settings: Settings) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.body = FTTransformer(
            n_features=preprocessing.n_features,
            n_bins=preprocessing.n_bins,
            sizes=preprocessing.sizes,
            d_block=settings.d_block,
            n_blocks=settings.n_blocks,
            n_heads=settings.n_heads,
            dropout=settings.dropout,
        )
        self.head = nn.Linear(settings.d_block, 1)
        self.register_buffer("slope", torch.ones(1))
        self.register_buffer("shift", torch.zeros(1))

    def logits(self, rows: Encoded) -> Tensor:
        """→ (B,)."""
        out: Tensor = self.head(self.body(rows)).squeeze(-1)
        return out

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, columns + 1) raw → (B, 1) P(attack)."""
        return torch.sigmoid(self.logits(self.preprocessing(inputs[:, :-1])) * self.slope + self.shift).unsqueeze(-1)


class Parts(NamedTuple):
    """What the mixture is made of, for one batch.

    ``logits`` (B, E): the experts', before calibration; ``context`` (B,): the share of the window that there is, 0 for a row that
    comes alone; ``numbers`` (B, 2 F): what the router sees of the row.
    """

    logits: Tensor
    context: Tensor
    numbers: Tensor


class Router(nn.Module):
    """Calibrates the experts and weighs them. ``bound``: no expert gets more than e^(2 bound) times the weight of another.

    Unless ``temporal_alone``, the temporal expert gets nothing where there is no context. With ``trust_context`` the router looks at the
    experts' answers alone where there is context: what it learns of single rows of one stretch does not hold in the next.

    Calibration is a slope and a shift of the logit (Platt 1999): the shift puts the decision at 0.5.
    """

    temperature: Tensor

    def __init__(self, *, n_numbers: int, bound: float, temporal_alone: bool = True, trust_context: bool = False) -> None:
        super().__init__()
        self.bound = bound
        self.temporal_alone = temporal_alone
        self.trust_context = trust_context
        self.slope = nn.Parameter(torch.ones(len(EXPERTS)))
        self.shift = nn.Parameter(torch.zeros(len(EXPERTS)))
        self.register_buffer("temperature", torch.ones(1))
        self.first = nn.Linear(len(EXPERTS) + 1 + n_numbers, 32)
        self.last = nn.Linear(32, len(EXPERTS))

    def calibrated(self, logits: Tensor) -> Tensor:
        """(B, E) → (B, E)."""
        return logits * self.slope + self.shift

    def forward(self, parts: Parts) -> Tensor:
        """→ (B, E) weights that add up to 1."""
        told = torch.tanh(self.calibrated(parts.logits) / 4)
        numbers = parts.numbers
        if self.trust_context:
            numbers = numbers * (parts.context == 0).to(numbers.dtype).unsqueeze(-1)
        known = torch.cat([told, parts.context.unsqueeze(-1), numbers], dim=-1)
        scores = self.bound * torch.tanh(self.last(functional.gelu(self.first(known)))) / self.temperature
        if not self.temporal_alone:
            silent = torch.zeros_like(scores, dtype=torch.bool)
            silent[:, EXPERTS.index("temporal")] = parts.context == 0
            scores = scores.masked_fill(silent, -torch.inf)
        return torch.softmax(scores, dim=-1)


class Mixture(nn.Module):
    """All experts and the router. The temporal expert looks at the current flow alone where there is no context."""

    def __init__(self, tabular: TabularExpert, trees: Trees, settings: Settings) -> None:
        super().__init__()
        seen = tabular.preprocessing
        self.window = settings.window
        self.tabular = tabular
        self.trees = trees
        self.temporal = TemporalCNN(
            n_features=seen.n_features,
            sizes=seen.sizes,
            d_conv=settings.d_conv,
            dropout=settings.dropout,
            n_bins=seen.n_bins if settings.temporal_bins else 0,
        )
        self.router = Router(
            n_numbers=2 * seen.n_features,
            bound=settings.router_bound,
            temporal_alone=settings.temporal_alone,
            trust_context=settings.trust_context,
        )

    def parts(self, rows: Encoded, votes: Tensor, flows: Tensor, index: Tensor, mask: Tensor) -> Parts:
        """``votes`` (B,): the trees' logits; ``flows`` (N, C): what ``temporal.flows`` makes of the rows that ``index`` (B, W) points to;
        ``mask`` as ``window`` gives it.
        """
        logits = torch.stack([self.tabular.logits(rows), votes, self.temporal(rows, flows, index, mask)], dim=-1)
        return Parts(logits, (mask.sum(1) - 1).to(logits.dtype) / (self.window - 1), rows.numbers)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, columns + 1) raw → (B, 1 + 2 E): the columns of ``moe_outputs.OUTPUTS``."""
        rows = self.tabular.preprocessing(inputs[:, :-1])
        index, mask = window(_stream(inputs[:, -1]), length=self.window)
        parts = self.parts(rows, self.trees(rows.flat()), self.temporal.flows(rows), index, mask)
        chances, weights = torch.sigmoid(self.router.calibrated(parts.logits)), self.router(parts)
        return torch.cat([(chances * weights).sum(-1, keepdim=True), chances, weights], dim=-1)


def _stream(column: Tensor) -> Tensor:
    """What is no whole number from 0 on is no stream, hence no context."""
    told = torch.nan_to_num(column, nan=-1.0, posinf=-1.0, neginf=-1.0)
    return torch.where(told < 0, -1.0, told).round().long()
