"""Training: the tabular expert alone, or the mixture on top of a pretrained tabular expert."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from train.config import Settings
from train.flows import NO_CONTEXT, Flows, split
from train.moe import Mixture, Preprocessing, TabularExpert

Stage = Literal["tabular", "mixture"]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model in evaluation mode and the rows that chose it."""

    model: nn.Module
    training: Flows
    validation: Flows


def fit(flows: Flows, settings: Settings, stage: Stage) -> Trained:
    """Train on the training rows of the split; the same seed gives the same model on CPU. Zero epochs: an untrained model."""
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(mode=True)
    kept, aside = split(flows, share=settings.validation, block=settings.block, seed=settings.seed)
    training, validation = flows.take(kept), flows.take(aside)
    rows = torch.from_numpy(training.inputs())
    truth = torch.from_numpy(training.attack.astype(np.float32))
    tabular = TabularExpert(Preprocessing(rows[:, :-1]), settings)
    model: nn.Module = tabular
    if stage == "tabular":
        _train(tabular, rows, truth, settings, epochs=settings.epochs, loss=lambda inputs, wanted: _tabular_loss(tabular, inputs, wanted))
    else:
        pretraining = min(settings.pretraining, settings.epochs // 2)
        _train(tabular, rows, truth, settings, epochs=pretraining, loss=lambda inputs, wanted: _tabular_loss(tabular, inputs, wanted))
        mixture = Mixture(tabular, settings)
        rest = settings.epochs - pretraining
        _train(mixture, rows, truth, settings, epochs=rest, loss=lambda inputs, wanted: _mixture_loss(mixture, inputs, wanted, settings))
        model = mixture
    return Trained(model.eval(), training, validation)


def _train(model: nn.Module, rows: Tensor, truth: Tensor, settings: Settings, *, epochs: int, loss: Any) -> None:  # noqa: ANN401
    """AdamW with a warm-up and a cosine, on contiguous stretches of rows so that windows stay whole."""
    if epochs == 0 or len(rows) == 0:
        return
    model.train()
    source = np.random.RandomState(settings.seed + 1)
    steps = epochs * (1 + -(-len(rows) // settings.batch_size))
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=steps, pct_start=0.1)
    for epoch in range(epochs):
        total = 0.0
        for indices in _stretches(len(rows), settings.batch_size, source):
            inputs = rows[indices]
            if source.random_sample() < settings.context_dropout:
                inputs = inputs.clone()
                inputs[:, -1] = NO_CONTEXT
            value = loss(inputs, truth[indices])
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += value.item() * len(indices)
        sys.stderr.write(f"  epoch {epoch + 1}/{epochs} of {type(model).__name__}: loss {total / len(rows):.4f}\n")


def _stretches(count: int, size: int, source: np.random.RandomState) -> Iterator[Tensor]:
    """Every row once, as stretches of neighbours that begin elsewhere in each epoch, in random order."""
    start = int(source.randint(size))
    edges = [0, *range(start or size, count, size), count]
    pieces = [(a, b) for a, b in pairwise(edges) if b > a]
    for place in source.permutation(len(pieces)):
        yield torch.arange(*pieces[place])


def _tabular_loss(model: TabularExpert, inputs: Tensor, truth: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(model.logits(model.preprocessing(inputs[:, :-1]))[0], truth)


def _mixture_loss(model: Mixture, inputs: Tensor, truth: Tensor, settings: Settings) -> Tensor:
    """Cross-entropy of the mixed probability, of each expert's own, and the balance of the router's load (its squared mean)."""
    logits, weights = model.parts(inputs)
    mixed = (torch.sigmoid(logits) * weights).sum(-1).clamp(1e-6, 1 - 1e-6)
    loss = functional.binary_cross_entropy(mixed, truth)
    own = functional.binary_cross_entropy_with_logits(logits, truth.unsqueeze(-1).expand_as(logits))
    balance = weights.shape[-1] * (weights.mean(0) ** 2).sum()
    return loss + settings.expert * own + settings.balance * balance
