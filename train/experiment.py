"""From rows to a model folder: the networks and the baselines, on the same rows and the same split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from train import tracking
from train.config import Settings
from train.errors import TrainError
from train.flows import Flows, split
from train.scoring import THRESHOLD

Kind = Literal["tabular", "mixture", "xgboost", "random-forest"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ARCHITECTURES: dict[Kind, str] = {
    "tabular": "FT-Transformer",
    "mixture": "MoE-FTTransformer-CNN-Trees",
    "xgboost": "XGBoost",
    "random-forest": "RandomForest",
}


@dataclass(frozen=True, slots=True)
class Made:
    """A saved model, the rows that it was not trained on, and the parameters that its run logs."""

    kind: Kind
    folder: Path
    validation: Flows
    parameters: dict[str, str]

    @property
    def architecture(self) -> str:
        """The kind's name for people."""
        return ARCHITECTURES[self.kind]


def make(
    kind: Kind, flows: Flows, settings: Settings, folder: Path, *, dataset: str, checkpoint: Path | None = None, again: bool = False
) -> Made:
    """Train on the training rows of the split and save the model folder. Raises TrainError.

    ``checkpoint``: where a network's training goes on after a kill; removed once the folder is there. ``again``: a folder that is
    there already is taken as it is if it was made of the same rows with the same parameters, and is refused otherwise.
    """
    parameters = _parameters(kind, settings) | {"dataset": dataset, "split": _split(settings)}
    rows = _rows_digest(flows)
    described = {"architecture": ARCHITECTURES[kind], "data_digest": flows.digest, "rows_digest": rows, "parameters": parameters}
    if again and folder.exists():
        _same(folder, described)
        return Made(kind, folder, flows.take(_aside(flows, settings)), parameters)
    if kind in {"tabular", "mixture"}:
        from train.fit import fit

        # Another part of the same files is another training.
        checkpoint = checkpoint and checkpoint.with_name(f"{checkpoint.stem}-{rows[:12]}.pt")
        trained = fit(flows, settings, "tabular" if kind == "tabular" else "mixture", checkpoint)
        model, validation, threshold = trained.model, trained.validation, trained.threshold
    else:
        from train import baseline

        fitted = baseline.fit(flows, settings, "xgboost" if kind == "xgboost" else "random-forest")
        model, validation, threshold = fitted.model, fitted.validation, THRESHOLD
    tracking.save(model, flows, folder, {**described, "threshold": threshold})
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
        checkpoint.with_name(f"{checkpoint.name}.new").unlink(missing_ok=True)
    return Made(kind, folder, validation, parameters)


def _parameters(kind: Kind, settings: Settings) -> dict[str, str]:
    """What a run logs: the settings of a network, those of a baseline with the same split and seed."""
    if kind in {"tabular", "mixture"}:
        return settings.parameters()
    from train.baseline import PARAMETERS

    shared = {name: settings.parameters()[name] for name in ("seed", "validation", "block")}
    return {**PARAMETERS["xgboost" if kind == "xgboost" else "random-forest"], **shared}


def _aside(flows: Flows, settings: Settings) -> Any:  # noqa: ANN401 - a mask
    return split(flows, share=settings.validation, block=settings.block, seed=settings.seed)[1]


def _split(settings: Settings) -> str:
    return f"blocks of {settings.block} rows, {settings.validation:.0%} kept back, seed {settings.seed}"


def _rows_digest(flows: Flows) -> str:
    """Which rows of the files these are, and in which order."""
    found = hashlib.sha256()
    for array in (flows.values, flows.stream, flows.attack):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _same(folder: Path, described: dict[str, Any]) -> None:
    """Raise TrainError unless the folder was made of the same."""
    from mlflow.models import Model

    found = (Model.load(str(folder)).metadata or {}) if (folder / "MLmodel").is_file() else {}
    other = sorted(key for key, value in described.items() if found.get(key) != value)
    if other:
        raise TrainError(f"{folder} is of another training: {', '.join(other)} differ", hint="remove it, or name another folder with --out")
