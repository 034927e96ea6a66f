"""The evaluator that policies name: a local MLflow model folder and pinned rows → counts that add up.

    counts = evaluate(Path("model"), Path("rows.csv"), {"dataset": "cicids2017"})

Works for the mixture (with each expert and the router), for the tabular expert alone and for the XGBoost baseline. ``context: false``
in the settings measures every row as if it came alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from train import datasets
from train.flows import STREAM, Flows
from train.metrics import classes, part
from train.moe_outputs import OUTPUTS

MOST_ROWS = 8192
"""Rows of one call: a pyfunc makes one forward pass over all that it gets."""
CONTEXT = 31
"""Earlier rows that a call repeats: at least the longest window less one."""
Array = np.ndarray[Any, Any]


def evaluate(model: Path, data: Path, settings: Mapping[str, object]) -> dict[str, object]:
    """Measure a model; returns a document of ``promotion/counts/v1``. Raises ValueError when it answers what is no probability."""
    flows = datasets.load(str(settings.get("dataset", "cicids2017")), [data])
    if settings.get("context") is False:
        flows = flows.without_context()
    began = time.perf_counter()
    answer = predict(model, flows)
    seconds = time.perf_counter() - began
    parts = {"model": part(answer[:, 0], flows.attack)}
    sums: dict[str, float] = {}
    if answer.shape[1] == len(OUTPUTS):
        named = dict(zip(OUTPUTS, answer.T, strict=True))
        parts |= {name: part(named[name], flows.attack) for name in ("tabular", "temporal")}
        sums = {name: float(named[name].sum()) for name in OUTPUTS if name.startswith("router.")}
    return {
        "schema": "promotion/counts/v1",
        "rows": len(flows),
        "seconds": seconds,
        "positive": "attack",
        "parts": parts,
        "classes": classes(answer[:, 0], flows.attack, flows.kinds),
        "sums": sums,
    }


def predict(model: Path | str, flows: Flows) -> Array:
    """(N, 1) or (N, 5): what the model answers for each row, in calls of at most 8,192 rows that repeat the context at each cut."""
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(str(model))
    inputs = loaded.metadata.get_input_schema()
    columns = inputs.input_names() if inputs is not None else [*flows.columns, STREAM]
    frame = flows.frame()[columns]
    if "xgboost" in loaded.metadata.flavors:
        frame = frame.replace([np.inf, -np.inf], np.nan)  # XGBoost refuses infinities; NaN is its own "missing"
    order = np.argsort(flows.stream, kind="stable")
    found: list[Array] = []
    for first, start, stop in _pieces(len(flows)):
        answer = np.asarray(loaded.predict(frame.iloc[order[first:stop]]), dtype=np.float64)
        found.append(answer.reshape(stop - first, -1)[start - first :])
    answers = np.concatenate(found)
    back = np.empty_like(answers)
    back[order] = answers
    return back


def _pieces(count: int) -> Iterator[tuple[int, int, int]]:
    """(first row of the call, first row whose answer counts, end)."""
    step = MOST_ROWS - CONTEXT
    for start in range(0, count, step):
        yield max(0, start - CONTEXT), start, min(count, start + step)
