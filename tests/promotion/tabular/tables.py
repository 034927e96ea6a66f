"""Tables with a label that two columns tell, and real boosters that learned it: saved as JSON by MLflow, no pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = ("age", "visits", "spent")


def rows(count: int = 600, *, seed: int = 7, labels: tuple[Any, ...] = ("no", "yes")) -> pd.DataFrame:
    """Customers with a few rows each; ``churned`` is told by two of the columns, ``value`` is a number that they tell."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame(random.normal(size=(count, len(COLUMNS))).round(4), columns=list(COLUMNS))
    table["visits"] = random.integers(0, 9, size=count)
    told = table["age"] + 0.5 * table["spent"] + random.normal(scale=0.3, size=count)
    table["churned"] = np.array(labels, dtype=object)[np.digitize(told, np.linspace(-1, 1, len(labels) + 1)[1:-1])]
    table["value"] = (1000 + 40 * told).round(3)
    table["customer"] = [f"c{number // 3}" for number in range(count)]
    return table


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save(folder: Path, model: Any, *, signature: Any = None) -> Path:
    """Save a booster, or one of XGBoost's scikit-learn classes, as MLflow does; by default the three columns are its signature."""
    import mlflow.xgboost
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    types = {"age": "double", "visits": "long", "spent": "double"}
    signature = signature or ModelSignature(Schema([ColSpec(types[name], name) for name in COLUMNS]))
    mlflow.xgboost.save_model(model, folder, model_format="json", signature=signature, pip_requirements=["xgboost"])
    return folder


def classifier(*, labels: int = 2, seed: int = 1, rounds: int = 8) -> Any:
    """An ``XGBClassifier``, which answers with the numbers of labels."""
    import xgboost as xgb

    table = rows(seed=seed, labels=tuple(range(labels)))
    return xgb.XGBClassifier(n_estimators=rounds, max_depth=3, n_jobs=1).fit(table[list(COLUMNS)], table["churned"].astype(int))


def booster(*, labels: int = 2, seed: int = 1, rounds: int = 8) -> Any:
    """A ``Booster``, which answers with the probability of the last of two labels, or with one for each of more."""
    return classifier(labels=labels, seed=seed, rounds=rounds).get_booster()


def regressor(*, seed: int = 1, rounds: int = 30) -> Any:
    """An ``XGBRegressor`` of ``value``, which answers with numbers."""
    import xgboost as xgb

    table = rows(seed=seed)
    return xgb.XGBRegressor(n_estimators=rounds, max_depth=3, n_jobs=1).fit(table[list(COLUMNS)], table["value"])


def speechless(model: Any) -> Any:
    """The same booster with leaves that add up to infinity less infinity."""
    import xgboost as xgb

    document = json.loads(model.save_raw("json"))
    for number, tree in enumerate(document["learner"]["gradient_booster"]["model"]["trees"]):
        for place, child in enumerate(tree["left_children"]):
            if child == -1:
                tree["split_conditions"][place] = (1e39, -1e39)[number % 2]
    found = xgb.Booster()
    found.load_model(bytearray(json.dumps(document).encode()))
    return found
