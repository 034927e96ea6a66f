"""Training: the tabular expert alone, or the mixture on top of a pretrained tabular expert."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from train import calibration, shortcuts
from train.batches import Batch, Rows
from train.checkpoint import Checkpoint
from train.config import Settings
from train.flows import Flows, split
from train.moe import Mixture, Parts, TabularExpert
from train.preprocessing import Preprocessing
from train.training import Phase, run
from train.trees import grow

Stage = Literal["tabular", "mixture"]
Array = np.ndarray[Any, Any]
THRESHOLD = 0.5
"""The decision point of every model made here.

It is part of the probabilities and not searched on validation rows: those are of the same days as training rows, and a threshold that
fits them best is worse on other days. Training puts the decision at 0.5; where rows come without order, calibration shifts it by what
experts say about stretches of training rows that they have not seen (``calibration.teach``).
"""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model in evaluation mode and on the CPU, the rows that it learned from, and those that chose its epoch and temperatures."""

    model: nn.Module
    training: Flows
    validation: Flows
    threshold: float = THRESHOLD


@dataclass(frozen=True, slots=True)
class Work:
    """What every phase of one training shares."""

    settings: Settings
    rows: Rows
    judged: Rows
    rates: Tensor
    kept: Checkpoint

    def phase(self, name: str, epochs: int, loss: Any, score: Any) -> Phase:  # noqa: ANN401 - of the phase's own model
        """A phase with these settings."""
        return Phase(name, epochs, lambda model, batch: loss(model, batch, self.settings), score, self.rates)


def fit(flows: Flows, settings: Settings, stage: Stage, checkpoint: Path | None = None) -> Trained:
    """Train on the training rows of the split; the same seed gives the same model on CPU. Zero epochs: an untrained model.

    ``checkpoint``: a file that is written after each epoch and from which a killed run goes on; it is left behind when training is
    done (remove it once the model is saved). Raises TrainError when it is of another run.
    """
    with _deterministic():
        return _fit(flows, settings, stage, checkpoint)


def _fit(flows: Flows, settings: Settings, stage: Stage, checkpoint: Path | None) -> Trained:
    kept, aside = split(flows, share=settings.validation, block=settings.block, seed=settings.seed)
    training, validation = flows.take(kept), flows.take(aside)
    torch.manual_seed(settings.seed)
    inputs = torch.from_numpy(training.inputs())
    preprocessing = _preprocessing(training, inputs, settings)
    rates, weight = hidden_and_weighted(preprocessing, inputs, training.attack, settings)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    preprocessing.to(device)
    rows, judged = _rows(preprocessing, training, settings), _rows(preprocessing, validation, settings)
    rows.weight = torch.from_numpy(weight).to(device)
    work = Work(settings, rows, judged, rates, Checkpoint(checkpoint, _identity(flows, settings, stage)))
    model = _tabular(work) if stage == "tabular" else _mixture(work)
    return Trained(model.eval().cpu(), training, validation)


def _tabular(work: Work) -> TabularExpert:
    """The tabular expert alone, calibrated on validation rows."""
    model = TabularExpert(work.rows.preprocessing, work.settings).to(work.rows.truth.device)
    run(model, work.phase("tabular", work.settings.epochs, tabular_loss, _tabular_score), work.rows, work.judged, work.settings, work.kept)
    if work.settings.epochs:
        with torch.no_grad():
            logits = torch.cat([model.logits(batch.current) for batch in work.judged.in_order(context=False)])
        calibration.calibrate(model, logits.cpu(), work.judged.truth.cpu(), work.judged.weight.cpu())
    return model


def _mixture(work: Work) -> Mixture:
    """Experts on half of the stretches answer about the other half; experts on all rows; the router from the honest answers."""
    settings = work.settings
    honest = _honest(work) if settings.epochs else None
    torch.manual_seed(settings.seed + 1)
    model = _untrained(work, work.rows)
    pretraining = min(settings.pretraining, settings.epochs // 2)
    run(model.tabular, work.phase("tabular", pretraining, tabular_loss, _tabular_score), work.rows, work.judged, settings, work.kept)
    whole = work.phase("mixture", settings.epochs - pretraining, networks_loss, _networks_score)
    run(model, whole, work.rows, work.judged, settings, work.kept)
    if honest is not None:
        calibration.teach(model.cpu().router, honest, settings)
        model.tabular.slope.copy_(model.router.slope.data[:1])
        model.tabular.shift.copy_(model.router.shift.data[:1])
    return model


def _honest(work: Work) -> calibration.Honest:
    """What experts that saw every other stretch of the training rows say about the rest, with context and without."""
    settings, rows = work.settings, work.rows
    stretch = torch.arange(len(rows)) * settings.stretches // len(rows)
    seen, other = (rows.only(torch.nonzero(stretch % 2 == part).squeeze(1)) for part in (0, 1))
    torch.manual_seed(settings.seed + 3)
    model = _untrained(work, seen)
    run(model, work.phase("honest", settings.honest, networks_loss, _networks_score), seen, work.judged, settings, work.kept)
    found = [answers(model.eval(), other, context=context) for context in (True, False)]
    parts = Parts(*(torch.cat(pair).cpu() for pair in zip(*found, strict=True)))
    truth, weight = (torch.cat([part, part]).cpu() for part in (other.truth, other.weight))
    return calibration.Honest(parts, truth, weight, natural=bool((rows.weight == 1).all()))


def _untrained(work: Work, rows: Rows) -> Mixture:
    """A mixture with grown trees and new networks."""
    x, truth, weight = (part.cpu().numpy() for part in (rows.flat(), rows.truth, rows.weight))
    trees = grow(x, truth, weight, work.settings, seed=work.settings.seed)
    return Mixture(TabularExpert(rows.preprocessing, work.settings), trees, work.settings).to(rows.truth.device)


def _preprocessing(training: Flows, inputs: Tensor, settings: Settings) -> Preprocessing:
    places = {name: place for place, name in enumerate(training.columns)}
    return Preprocessing(
        inputs[:, :-1],
        torch.from_numpy(training.attack.astype(np.float32)),
        n_bins=settings.bins,
        categories=[(places[name], len(training.categories[name])) for name in training.categorical],
        presence=[places[name] for name in settings.presence if name in places],
    )


def hidden_and_weighted(preprocessing: Preprocessing, inputs: Tensor, attack: Array, settings: Settings) -> tuple[Tensor, Array]:
    """How often each column is hidden (F + C,), and what each training row weighs (N,).

    Rows in capture order keep the class mix of their network, which the next capture will have as well. Rows without any order were
    chosen by somebody: their class mix tells nothing about the next ones, and weights take it out where a shortcut puts them.
    """
    strength = 0.0 if (inputs[:, -1] >= 0).any() else settings.shortcut_balance
    values = preprocessing.values(inputs[:, :-1]).numpy()
    coded = preprocessing.codes(inputs[:, :-1]).numpy()
    columns = np.concatenate([values, coded], axis=1)
    told = shortcuts.separation(columns, attack) > shortcuts.SHORTCUT
    rates = torch.full((columns.shape[1],), settings.column_dropout)
    rates[torch.from_numpy(told)] = settings.shortcut_dropout
    return rates, shortcuts.balanced(columns, attack, np.flatnonzero(told).tolist(), strength)


def _rows(preprocessing: Preprocessing, flows: Flows, settings: Settings) -> Rows:
    device = preprocessing.low.device
    truth = torch.from_numpy(flows.attack.astype(np.float32)).to(device)
    return Rows(preprocessing, torch.from_numpy(flows.inputs()).to(device), truth, length=settings.window)


def _identity(flows: Flows, settings: Settings, stage: Stage) -> dict[str, str]:
    """What a checkpoint must agree on."""
    return {"data": f"{flows.digest} {len(flows)}", "stage": stage} | {name: str(value) for name, value in asdict(settings).items()}


def _softened(truth: Tensor, settings: Settings) -> Tensor:
    return truth * (1 - 2 * settings.smoothing) + settings.smoothing


def tabular_loss(model: TabularExpert, batch: Batch, settings: Settings) -> Tensor:
    """Weighted cross-entropy."""
    each = functional.binary_cross_entropy_with_logits(model.logits(batch.current), _softened(batch.truth, settings), reduction="none")
    return (each * batch.weight).mean()


def networks_loss(model: Mixture, batch: Batch, settings: Settings) -> Tensor:
    """Weighted cross-entropy of each network's own answer: experts do not know of each other."""
    truth = _softened(batch.truth, settings)
    temporal = model.temporal(batch.current, model.temporal.flows(batch.earlier), batch.window, batch.mask)
    own = torch.stack([model.tabular.logits(batch.current), temporal], dim=-1)
    each = functional.binary_cross_entropy_with_logits(own, truth.unsqueeze(-1).expand_as(own), reduction="none")
    return (each.sum(-1) * batch.weight).mean()


def answers(model: Mixture, rows: Rows, *, context: bool) -> Parts:
    """The parts of the mixture's answers about all rows."""
    with torch.no_grad():
        found = [
            model.parts(batch.current, model.trees(batch.current.flat()), model.temporal.flows(batch.earlier), batch.window, batch.mask)
            for batch in rows.in_order(context=context)
        ]
    return Parts(*(torch.cat(part) for part in zip(*found, strict=True)))


def _tabular_score(model: TabularExpert, rows: Rows) -> float:
    with torch.no_grad():
        logits = torch.cat([model.logits(batch.current) for batch in rows.in_order(context=False)])
    return float(calibration.nll(logits, rows.truth))


def _networks_score(model: Mixture, rows: Rows) -> float:
    """Both networks alike, with and without context alike."""
    found = [answers(model, rows, context=context).logits[:, place] for context in (True, False) for place in (0, 2)]
    return sum(float(calibration.nll(logits, rows.truth)) for logits in found) / len(found)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Torch's deterministic algorithms while training, and as they were before afterwards."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(mode=True, warn_only=torch.cuda.is_available())
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(mode=before)
