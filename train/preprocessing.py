"""Raw columns to what networks like, inside the exported graph and learned from training rows alone.

Shapes: B rows, F numeric and C categorical columns that are kept, K bins of the piecewise-linear encoding.

What is no number has a defined meaning: NaN is "missing" (every network learns what that means, since training hides columns at
random), infinities and values outside of the training range are the nearest value seen in training, and a category that is unseen,
rare or no code at all is category 0, "other".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

RARE = 10
"""A category seen fewer times than this in the training rows is "other"."""
PIECE = 8192
"""Rows that are encoded at once while learning from all of them."""
TINY = 1e-6
FAR = 1e30
"""Where the bins begin that a column with few distinct values does not need: no value ever reaches them."""
Array = np.ndarray[Any, Any]


class Encoded(NamedTuple):
    """Rows as networks take them.

    ``values`` (B, F): as they came, within bounds, NaN where missing; ``steps`` (B, F, K): piecewise-linear encoding, zeros where missing;
    ``numbers`` (B, 2 F): standardised logarithms and normal quantiles, zeros where missing; ``missing`` (B, F): 1 where the value is
    NaN; ``codes`` (B, C) int64.
    """

    values: Tensor
    steps: Tensor
    numbers: Tensor
    missing: Tensor
    codes: Tensor

    def flat(self) -> Tensor:
        """(B, F + C) values and codes, as trees take them.

        The values are the given ones and not their logarithms: a split is often a value that occurs, and the last bit of a logarithm
        depends on how many rows are computed at once.
        """
        return torch.cat([self.values, self.codes.to(self.values.dtype)], dim=-1)


class Preprocessing(nn.Module):
    """Signed log1p, piecewise-linear encoding (Gorishniy 2022, section 3.2), normal quantiles, category codes.

    The bins' edges are quantiles and, from a decision tree per column, places where the share of attacks changes (section 3.2.2).
    Columns that are constant in the training rows are left out.
    """

    numeric: Tensor
    presence: Tensor
    categorical: Tensor
    low: Tensor
    width: Tensor
    mass: Tensor
    centre: Tensor
    scale: Tensor
    known: Tensor

    def __init__(
        self,
        rows: Tensor,
        truth: Tensor | None = None,
        *,
        n_bins: int = 24,
        categories: Sequence[tuple[int, int]] = (),
        presence: Sequence[int] = (),
    ) -> None:
        """``rows`` (N, all) raw, ``truth`` (N,) 0 or 1; ``categories``: (column, size of its table); ``presence``: columns of which
        only the sign counts.
        """
        super().__init__()
        coded = dict(categories)
        numeric = [column for column in range(rows.shape[1]) if column not in coded and _varies(rows[:, column])]
        self.sizes = tuple(size for _, size in categories)
        self.register_buffer("numeric", torch.tensor(numeric, dtype=torch.long))
        self.register_buffer("categorical", torch.tensor(list(coded), dtype=torch.long))
        self.register_buffer("presence", torch.tensor([column in set(presence) for column in numeric], dtype=torch.bool))
        self.register_buffer("known", _known(rows, categories))
        values = self.values(rows)
        low, width, mass = _bins(_logarithm(values).numpy(), None if truth is None else truth.numpy(), n_bins)
        self.register_buffer("low", torch.from_numpy(low))
        self.register_buffer("width", torch.from_numpy(width))
        self.register_buffer("mass", torch.from_numpy(mass))
        self.register_buffer("centre", torch.zeros(2 * len(numeric)))
        self.register_buffer("scale", torch.ones(2 * len(numeric)))
        self._standardise(values)

    @property
    def n_features(self) -> int:
        """F."""
        return len(self.numeric)

    @property
    def n_bins(self) -> int:
        """K."""
        return self.low.shape[1]

    def forward(self, rows: Tensor) -> Encoded:
        """(B, all) raw → ``Encoded``."""
        values = self.values(rows)
        missing = torch.isnan(values)
        steps = self.steps(values)
        return Encoded(values, steps, self._numbers(values, steps, missing), missing.to(steps.dtype), self.codes(rows))

    def values(self, rows: Tensor) -> Tensor:
        """(B, all) raw → (B, F): bounded, only the sign where only presence counts, NaN where missing."""
        chosen = rows[:, self.numeric].clamp(-1e12, 1e12)
        return torch.where(self.presence & ~torch.isnan(chosen), torch.sign(chosen), chosen)

    def steps(self, values: Tensor) -> Tensor:
        """(B, F) → (B, F, K): how far each bin is filled."""
        filled = ((_logarithm(values).unsqueeze(-1) - self.low) / self.width).clamp(0.0, 1.0)
        return torch.nan_to_num(filled, nan=0.0)

    def codes(self, rows: Tensor) -> Tensor:
        """(B, all) raw → (B, C) codes below ``sizes``; 0 for what is unknown."""
        if not self.sizes:
            return torch.zeros(rows.shape[0], 0, dtype=torch.long, device=rows.device)
        given = torch.nan_to_num(rows[:, self.categorical], nan=0.0, posinf=0.0, neginf=0.0).round()
        most = self.known.shape[1]
        codes = torch.where((given >= 0) & (given < most), given, 0.0).long()
        known = self.known.unsqueeze(0).expand(rows.shape[0], -1, -1).gather(2, codes.unsqueeze(-1)).squeeze(-1)
        return codes * known

    def _numbers(self, values: Tensor, steps: Tensor, missing: Tensor) -> Tensor:
        """(B, 2 F) standardised logarithms, then normal quantiles."""
        below = (steps * self.mass).sum(-1)
        normal = torch.erfinv((2 * below - 1).clamp(-0.99, 0.99))
        both = torch.cat([_logarithm(values), normal], dim=-1)
        told = ((both - self.centre) / self.scale).clamp(-4.0, 4.0)
        return torch.where(torch.cat([missing, missing], dim=-1), 0.0, told)

    def _standardise(self, values: Tensor) -> None:
        missing = torch.isnan(values)
        known = ~torch.cat([missing, missing], dim=-1)
        steps = (self.steps(part) for part in torch.split(values, PIECE))
        below = torch.cat([(part * self.mass).sum(-1) for part in steps]) if len(values) else values
        both = torch.cat([_logarithm(values), torch.erfinv((2 * below - 1).clamp(-0.99, 0.99))], dim=-1).double()
        both = torch.where(known, both, 0.0)
        count = known.sum(0).clamp(min=1)
        centre = both.sum(0) / count
        spread = (torch.where(known, (both - centre) ** 2, 0.0).sum(0) / count).sqrt()
        self.centre.copy_(centre)
        self.scale.copy_(torch.where(spread > TINY, spread, 1.0))


def _logarithm(values: Tensor) -> Tensor:
    """Signed log1p."""
    return torch.sign(values) * torch.log1p(values.abs())


def _varies(column: Tensor) -> bool:
    """Two different values at least, or some missing and some not."""
    missing = torch.isnan(column)
    known = column[~missing]
    return bool(len(known) and ((known != known[0]).any() or missing.any()))


def _known(rows: Tensor, categories: Sequence[tuple[int, int]]) -> Tensor:
    """(C, largest size) 1 for the codes that are frequent enough; code 0 is "other" and never counts."""
    found = torch.zeros(len(categories), max((size for _, size in categories), default=1), dtype=torch.long)
    for place, (column, size) in enumerate(categories):
        given = torch.nan_to_num(rows[:, column], nan=0.0).clamp(0, size - 1).long()
        found[place, :size] = (torch.bincount(given, minlength=size) >= RARE).long()
    found[:, 0] = 0
    return found


def _bins(values: Array, truth: Array | None, n_bins: int) -> tuple[Array, Array, Array]:
    """Lower edge, width and share of the training rows of each bin: three (F, K) float32."""
    edges = [_edges(column[~np.isnan(column)], None if truth is None else truth[~np.isnan(column)], n_bins) for column in values.T]
    most = max((len(found) - 1 for found in edges), default=1)
    low = np.full((len(edges), most), FAR, dtype=np.float32)
    width = np.ones_like(low)
    mass = np.zeros_like(low)
    for place, found in enumerate(edges):
        count = len(found) - 1
        low[place, :count] = found[:-1]
        width[place, :count] = np.diff(found)
        column = values[:, place]
        # The share of rows above a bin's lower edge up to its upper one; what lies on the lowest edge is below everything.
        counted = np.histogram(-column[~np.isnan(column)], bins=-found[::-1])[0][::-1]
        mass[place, :count] = counted / max(1, len(column))
    return low, width, mass


def _edges(column: Array, truth: Array | None, n_bins: int) -> Array:
    """Increasing float32 edges of at most ``n_bins`` bins: half of them quantiles, half splits of a tree that knows the label."""
    quantiles = np.unique(np.quantile(column, np.linspace(0, 1, n_bins // 2 + 1), method="nearest"))
    wanted = n_bins - len(quantiles) + 1
    found = quantiles
    if truth is not None and wanted > 1 and len(np.unique(truth)) > 1:
        from sklearn.tree import DecisionTreeClassifier

        tree = DecisionTreeClassifier(max_leaf_nodes=wanted, min_samples_leaf=max(4, len(column) // 2000), random_state=0)
        inner = tree.fit(column[:, None], truth).tree_
        splits = inner.threshold[inner.feature >= 0].astype(np.float32)
        found = np.unique(np.concatenate([quantiles, splits]))
    found = found.astype(np.float32)
    apart = np.concatenate([[True], np.diff(found) > TINY])
    found = found[apart]
    return found if len(found) > 1 else np.array([found[0], found[0] + 1], dtype=np.float32)
