"""What people would use instead, on the same rows and the same split: XGBoost and random forest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from train.config import Settings
from train.flows import Flows, split

Kind = Literal["xgboost", "random-forest"]
TREES, DEPTH, FORESTS = 300, 8, 200


@dataclass(frozen=True, slots=True)
class Baseline:
    """A fitted baseline: a Booster, or a scikit-learn classifier."""

    kind: Kind
    model: Any
    training: Flows
    validation: Flows

    def predict(self, flows: Flows) -> np.ndarray[Any, Any]:
        """(N,) P(attack)."""
        values = finite(flows)
        if self.kind == "xgboost":
            import xgboost

            return np.asarray(self.model.predict(xgboost.DMatrix(values, feature_names=list(flows.columns))), dtype=np.float64)
        return np.asarray(self.model.predict_proba(np.nan_to_num(values))[:, 1], dtype=np.float64)


def finite(flows: Flows) -> np.ndarray[Any, Any]:
    """The values with infinities as NaN, which both libraries can be given."""
    return np.where(np.isfinite(flows.values), flows.values, np.nan)


def fit(flows: Flows, settings: Settings, kind: Kind) -> Baseline:
    """Fit on the training rows of the same split that the networks use."""
    kept, aside = split(flows, share=settings.validation, block=settings.block, seed=settings.seed)
    training, validation = flows.take(kept), flows.take(aside)
    values = finite(training)
    if kind == "xgboost":
        import xgboost

        matrix = xgboost.DMatrix(values, label=training.attack.astype(float), feature_names=list(training.columns))
        parameters = {"objective": "binary:logistic", "max_depth": DEPTH, "eta": 0.1, "tree_method": "hist", "seed": settings.seed}
        return Baseline(kind, xgboost.train(parameters, matrix, TREES), training, validation)
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(FORESTS, n_jobs=-1, random_state=settings.seed)
    return Baseline(kind, forest.fit(np.nan_to_num(values), training.attack), training, validation)
