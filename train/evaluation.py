"""The evaluators that policies name: a local MLflow model folder and pinned rows → what the model said of them.

    blocks = outcomes(Path("model"), Path("rows.csv"), {"dataset": "cicids2017"})
    counts = evaluate(Path("model"), Path("rows.csv"), {"dataset": "cicids2017"})

Works for the mixture (with each expert and the router), for the tabular expert alone and for the baselines. ``context: false``
in the settings measures every row as if it came alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from train import datasets
from train.blocks import following, joined
from train.errors import TrainError
from train.flows import ATTACK, BENIGN, Flows
from train.metrics import check, classes, part
from train.scoring import Scorer, load, predict, score

SETTINGS = frozenset({"dataset", "context"})
ROUTER = "router."
"""What stands before the names of an expert's weights."""
ENTROPY = "router_entropy"
Array = np.ndarray[Any, Any]


def outcomes(model: Path, data: Path, settings: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    """What a model folder says of each row of a file, as blocks of ``promotion/outcomes/v1`` of at most 8,192 rows.

    ``settings``: ``dataset`` (a name that ``train.datasets`` knows; cicids2017) and ``context`` (true; false: every row alone).
    Arrays are numpy's, (n,): ``index`` of the row in the file from 0, ``group`` of rows that go together, ``truth`` and
    ``predicted`` as places in ``labels``, ``score`` P(attack). Raises TrainError.
    """
    scorer, offset = load(model), 0
    for flows, before in following(_rows(data, settings)):
        for block in of_flows(scorer, flows, before):
            yield block | {"index": block["index"] + offset}
        offset += len(flows) - before


def of_flows(scorer: Scorer, flows: Flows, before: int = 0) -> Iterator[dict[str, Any]]:
    """The same for a loaded model and rows in memory, of which the first ``before`` are context alone; ``index`` counts behind them."""
    began = time.perf_counter()
    for rows, answer in _behind(before, score(scorer, flows)):
        seconds = time.perf_counter() - began
        check(answer)
        named = dict(zip(scorer.outputs, answer.T, strict=True))
        yield {
            "schema": "promotion/outcomes/v1",
            "positive": ATTACK,
            "labels": [BENIGN, ATTACK],
            "seconds": seconds,
            "index": rows - before,
            "group": flows.group[rows],
            "truth": flows.attack[rows].astype(np.int64),
            "class": flows.kinds[rows],
            "parts": {
                name: {"predicted": (scores >= scorer.threshold).astype(np.int64), "score": scores}
                for name, scores in (("model", named[ATTACK]), *((expert, named[expert]) for expert in scorer.experts))
            },
            "values": _values(named),
        }
        began = time.perf_counter()


def _behind(before: int, scored: Iterator[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
    for rows, answer in scored:
        new = rows >= before
        if new.any():
            yield rows[new], answer[new]


def _values(named: Mapping[str, Array]) -> dict[str, Array]:
    """The router's weights, and their entropy as a share of the most there can be: 0 is one expert alone, 1 all alike."""
    weights = {name: np.clip(given, 0, 1) for name, given in named.items() if name.startswith(ROUTER)}
    if not weights:
        return {}
    share = np.stack(list(weights.values()))
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(0) / max(np.log(len(share)), 1e-9)
    return {**weights, ENTROPY: np.clip(entropy, 0, 1)}


def evaluate(model: Path, data: Path, settings: Mapping[str, object]) -> dict[str, object]:
    """Measure a model; returns a document of ``promotion/counts/v1``. Raises TrainError when it answers what is no probability."""
    scorer, flows = load(model), joined(list(_rows(data, settings)))
    began = time.perf_counter()
    answer = predict(scorer, flows)
    seconds = time.perf_counter() - began
    named = dict(zip(scorer.outputs, answer.T, strict=True))
    threshold = scorer.threshold
    parts = {"model": named[ATTACK]} | {name: named[name] for name in scorer.experts}
    return {
        "schema": "promotion/counts/v1",
        "rows": len(flows),
        "seconds": seconds,
        "positive": ATTACK,
        "parts": {name: part(scores, flows.attack, threshold=threshold) for name, scores in parts.items()},
        "classes": classes(named[ATTACK], flows.attack, flows.kinds, threshold=threshold),
        "sums": {name: float(weights.sum()) for name, weights in named.items() if name.startswith(ROUTER)},
    }


def read(dataset: str, paths: list[Path]) -> Iterator[Flows]:
    """The rows of files, block by block. Raises TrainError."""
    yield from datasets.blocks(dataset, paths)


def _rows(data: Path, settings: Mapping[str, object]) -> Iterator[Flows]:
    unknown = sorted(set(settings) - SETTINGS)
    if unknown:
        raise TrainError(f"there is no setting {unknown[0]!r}", hint=f"an evaluation's settings are {', '.join(sorted(SETTINGS))}")
    for flows in read(str(settings.get("dataset", "cicids2017")), [data]):
        yield flows.without_context() if settings.get("context") is False else flows
