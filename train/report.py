"""One document about a model on rows, for people and for ``report.json``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from train.evaluation import predict
from train.flows import Flows
from train.metrics import classes, figures
from train.moe_outputs import OUTPUTS

THRESHOLD = 0.5


def report(model: Path, flows: Flows) -> dict[str, Any]:
    """Measure a model folder."""
    return scored(predict(model, flows), flows)


def scored(answer: np.ndarray[Any, Any], flows: Flows) -> dict[str, Any]:
    """Figures from (N, 1) or (N, 5) answers: the model's own, each expert's forced alone, the router's mean weights, by class."""
    found: dict[str, Any] = {**figures(answer[:, 0], flows.attack), "rows": len(flows), "threshold": THRESHOLD}
    found |= {"experts": {}, "router": {}, "classes": classes(answer[:, 0], flows.attack, flows.kinds)}
    if answer.shape[1] == len(OUTPUTS):
        named = dict(zip(OUTPUTS, answer.T, strict=True))
        found["experts"] = {name: figures(named[name], flows.attack)["attack_f1"] for name in ("tabular", "temporal")}
        found["router"] = {name.removeprefix("router."): float(named[name].mean()) for name in OUTPUTS[3:]}
    return found


def document(found: dict[str, Any]) -> str:
    """The figures as JSON; what could not be measured (an AUC of one class) is null."""
    return json.dumps(_finite(found), indent=2, sort_keys=True, allow_nan=False)


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
