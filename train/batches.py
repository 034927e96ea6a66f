"""Rows ready for training: encoded once, drawn at random with their windows, with columns and context hidden at random.

Shapes: N rows, B of them in a batch, F numeric and C categorical columns, W window.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from train.conv1d import window
from train.preprocessing import Encoded, Preprocessing

PIECE = 8192
HALF = 0.5


class Batch(NamedTuple):
    """``current``: B rows; ``earlier``: the B · W rows of their windows, without ``steps``; ``window``, ``mask`` (B, W) point into them;
    ``truth`` and ``weight`` (B,).
    """

    current: Encoded
    earlier: Encoded
    window: Tensor
    mask: Tensor
    truth: Tensor
    weight: Tensor


class Hidden(NamedTuple):
    """What is hidden from a batch: ``columns`` (B, F + C) and ``context`` (B, W), both true where hidden."""

    columns: Tensor
    context: Tensor


class Rows:
    """N rows with the window of each."""

    def __init__(self, preprocessing: Preprocessing, inputs: Tensor, truth: Tensor, *, length: int) -> None:
        """``inputs`` (N, columns + 1) raw, the stream last. Weights are 1 until somebody sets them."""
        self.preprocessing = preprocessing
        self.truth, self.weight = truth, torch.ones_like(truth)
        with torch.no_grad():
            parts = [preprocessing(part) for part in torch.split(inputs[:, :-1], PIECE)]
        self.values = torch.cat([part.values for part in parts])
        self.numbers = torch.cat([part.numbers for part in parts])
        self.missing = torch.cat([part.missing for part in parts])
        self.codes = torch.cat([part.codes for part in parts])
        self.index, self.mask = window(inputs[:, -1].long(), length=length)

    def only(self, rows: Tensor) -> Rows:
        """Some of the rows, in this order; windows lose the rows that are left out."""
        rows = rows.to(self.truth.device)
        place = torch.full((len(self),), -1, device=rows.device)
        place[rows] = torch.arange(len(rows), device=rows.device)
        made = copy.copy(self)
        for name in ("truth", "weight", "values", "numbers", "missing", "codes"):
            setattr(made, name, getattr(self, name)[rows])
        index = place[self.index[rows]]
        made.mask = self.mask[rows] & (index >= 0)
        made.index = index.clamp(min=0)
        return made

    def __len__(self) -> int:
        return len(self.truth)

    def flat(self) -> Tensor:
        """(N, F + C), as trees take them."""
        return torch.cat([self.values, self.codes.to(self.values.dtype)], dim=-1)

    def batch(self, rows: Tensor, hidden: Hidden | None = None) -> Batch:
        """The batch of these rows, complete or with something hidden. A column is hidden from a whole window."""
        index, mask = self.index[rows], self.mask[rows]
        codes, missing = self.codes[index], self.missing[index]
        numbers, values = self.numbers[index], self.values[rows]
        if hidden is not None:
            mask = mask & ~hidden.context
            lost, other = torch.split(hidden.columns, [values.shape[1], codes.shape[2]], dim=1)
            values = values.masked_fill(lost, torch.nan)
            codes = codes.masked_fill(other.unsqueeze(1), 0)
            missing = missing.masked_fill(lost.unsqueeze(1), 1.0)
            numbers = numbers.masked_fill(torch.cat([lost, lost], dim=1).unsqueeze(1), 0.0)
        steps = self.preprocessing.steps(values)
        current = Encoded(values, steps, numbers[:, -1], missing[:, -1], codes[:, -1])
        earlier = Encoded(values[:0], steps[:0], numbers.flatten(0, 1), missing.flatten(0, 1), codes.flatten(0, 1))
        places = torch.arange(index.numel(), device=index.device).view_as(index)
        return Batch(current, earlier, places, mask, self.truth[rows], self.weight[rows])

    def in_order(self, *, context: bool, size: int = 1024) -> Iterator[Batch]:
        """Every row once, nothing hidden but, if asked, all context."""
        for rows in torch.split(torch.arange(len(self), device=self.truth.device), size):
            found = self.batch(rows)
            alone = found.mask.clone()
            alone[:, :-1] = False
            yield found if context else found._replace(mask=alone)

    def at_random(self, size: int, rates: Tensor, context_dropout: float) -> Iterator[Batch]:
        """Every row once, in torch's own random order. ``rates`` (F + C,): how often each column is hidden.

        Half of the rows whose context is hidden lose it all, the others all but their last few flows.
        """
        length = self.index.shape[1]
        back = torch.arange(length - 1, -1, -1)
        for rows in torch.split(torch.randperm(len(self)), size):
            count = len(rows)
            columns = torch.rand(count, len(rates)) < rates
            kept = torch.where(torch.rand(count) < HALF, 0, torch.randint(0, length, (count,)))
            kept = torch.where(torch.rand(count) < context_dropout, kept, length)
            device = self.truth.device
            hidden = Hidden(columns.to(device), (back > kept.unsqueeze(1)).to(device))
            yield self.batch(rows.to(device), hidden)
