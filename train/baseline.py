"""What people would use instead, on the same rows and the same split: XGBoost and random forest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from train.config import Settings
from train.flows import Flows, split
from train.forest import booster

Kind = Literal["xgboost", "random-forest"]
ARCHITECTURES: dict[Kind, str] = {"xgboost": "XGBoost", "random-forest": "RandomForest"}
TREES, DEPTH = 300, 8
FOREST = 256
"""Trees of the random forest; a power of two, so that it can be saved exactly."""
PARAMETERS: dict[Kind, dict[str, str]] = {
    "xgboost": {"trees": str(TREES), "max_depth": str(DEPTH), "learning_rate": "0.1"},
    "random-forest": {"trees": str(FOREST), "learning_rate": "none"},
}
"""As they are logged with a run."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A fitted baseline as a Booster, whose prediction is P(attack)."""

    kind: Kind
    model: Any
    training: Flows
    validation: Flows

    def predict(self, flows: Flows) -> np.ndarray[Any, Any]:
        """(N,) P(attack)."""
        import xgboost

        return np.asarray(self.model.predict(xgboost.DMatrix(finite(flows), feature_names=list(flows.columns))), dtype=np.float64)


def finite(flows: Flows) -> np.ndarray[Any, Any]:
    """(N, F) float32, as an exported model gets them; what is infinite in it is NaN, "missing" to XGBoost, which refuses infinities."""
    with np.errstate(over="ignore"):
        values = flows.values.astype(np.float32)
    values[~np.isfinite(values)] = np.nan
    return values


def fit(flows: Flows, settings: Settings, kind: Kind) -> Baseline:
    """Fit on the training rows of the same split that the networks use."""
    kept, aside = split(flows, share=settings.validation, block=settings.block, seed=settings.seed)
    training, validation = flows.take(kept), flows.take(aside)
    model = _boosted(training, settings) if kind == "xgboost" else _forest(training, settings)
    return Baseline(kind, model, training, validation)


def _boosted(training: Flows, settings: Settings) -> Any:  # noqa: ANN401 - XGBoost has no types
    import xgboost

    matrix = xgboost.DMatrix(finite(training), label=training.attack.astype(float), feature_names=list(training.columns))
    parameters = {"objective": "binary:logistic", "max_depth": DEPTH, "eta": 0.1, "tree_method": "hist", "seed": settings.seed}
    return xgboost.train(parameters, matrix, TREES)


def _forest(training: Flows, settings: Settings) -> Any:  # noqa: ANN401
    """Missing values are 0, as they are to the Booster that it becomes."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(FOREST, n_jobs=-1, random_state=settings.seed).fit(np.nan_to_num(finite(training)), training.attack)
    return booster(forest, list(training.columns))
