"""The loop that both stages share: AdamW, warm-up and cosine, averaged weights, early stopping, checkpoints at the end of epochs.

Every epoch draws its random numbers from a seed of its own, and the learning rate is a function of the step: a resumed run needs no
state of a generator or of a schedule to repeat what an uninterrupted one does.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from train.batches import Batch, Rows
from train.checkpoint import Checkpoint
from train.config import Settings
from train.progress import Progress

WARM = 0.1
Loss = Callable[[Any, Batch], Tensor]


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of training. ``loss`` learns from a batch; ``score`` judges validation rows, less is better."""

    name: str
    epochs: int
    loss: Loss
    score: Callable[[Any, Rows], float]
    rates: Tensor


def run(model: nn.Module, phase: Phase, training: Rows, validation: Rows, settings: Settings, checkpoint: Checkpoint) -> None:
    """Train; the model ends with the averaged weights of its best epoch."""
    optimizer = torch.optim.AdamW(_groups(model, settings.weight_decay), lr=settings.learning_rate)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.average))  # type: ignore[no-untyped-call]
    state: dict[str, Any] = {"epoch": 0, "best": math.inf, "since": 0, "kept": _copy(model)}
    found = checkpoint.read()
    done = found["done"] if found is not None else {}
    if phase.name in done:
        model.load_state_dict(done[phase.name])
        return
    if found is not None and found["phase"] == phase.name:
        model.load_state_dict(found["model"])
        average.load_state_dict(found["average"])
        optimizer.load_state_dict(found["optimizer"])
        state = found["state"]
    each = math.ceil(len(training) / settings.batch_size)
    progress = Progress(phase.name, steps=phase.epochs * each, done=state["epoch"] * each)
    while state["epoch"] < phase.epochs and state["since"] < settings.patience:
        torch.manual_seed(zlib.crc32(f"{settings.seed} {phase.name} {state['epoch']}".encode()))
        loss = _epoch(model, average, optimizer, phase, training, settings, progress)
        score = phase.score(average.module.eval(), validation)
        state["epoch"] += 1
        better = score < state["best"]
        state |= {"best": score, "since": 0, "kept": _copy(average.module)} if better else {"since": state["since"] + 1}
        parts = {"model": model.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
        checkpoint.write({"phase": phase.name, "state": state, "done": done, **parts})
        progress.epoch(state["epoch"], phase.epochs, f"loss {loss:.4f}, validation {score:.4f}{' *' if better else ''}")
    model.load_state_dict(state["kept"])
    checkpoint.write({"phase": "", "done": done | {phase.name: state["kept"]}})


def _epoch(
    model: nn.Module, average: AveragedModel, optimizer: torch.optim.Optimizer, phase: Phase, rows: Rows, settings: Settings,
    progress: Progress,
) -> float:  # fmt: skip
    """One pass over the training rows → the mean loss."""
    model.train()
    total = torch.zeros(())
    for batch in rows.at_random(settings.batch_size, phase.rates, settings.context_dropout):
        rate = settings.learning_rate * _pace(progress.done / progress.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        value = phase.loss(model, batch)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(model)
        loss = value.item()
        progress.step(loss)
        total += loss * len(batch.truth)
    return float(total) / len(rows)


def _pace(done: float) -> float:
    """Share of training done → factor of the learning rate: a linear warm-up, then half a cosine."""
    return (done + 1e-3) / (WARM + 1e-3) if done < WARM else 0.5 + 0.5 * math.cos(math.pi * (done - WARM) / (1 - WARM))


def _groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Biases, norms and embeddings do not decay (Gorishniy 2021, section E.2)."""
    plain = [weight for name, weight in model.named_parameters() if weight.ndim < 2 or "embeddings" in name]
    told = {id(weight) for weight in plain}
    return [
        {"params": [weight for weight in model.parameters() if id(weight) not in told], "weight_decay": decay},
        {"params": plain, "weight_decay": 0.0},
    ]


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
