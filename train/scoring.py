"""A model folder's answers for rows: one forward pass for each piece of at most 8,192 rows, and nothing between rows and graph.

A pyfunc makes one pass over all that it gets and takes a DataFrame; here the columns are put in order by name, pieces of the rows
are given to the graph as one float32 array, and the rows that a window needs are repeated at each cut.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from train.errors import TrainError
from train.flows import NO_CONTEXT, STREAM, Flows
from train.moe_outputs import OUTPUTS

MOST_ROWS = 8192
"""Rows that a model takes in one call."""
PIECE = 2048
"""Rows of our own calls: a transformer's activations of 8,192 rows leave the processor's cache, and take hundreds of megabytes."""
CONTEXT = 31
"""Earlier rows that a call repeats: at least the longest window less one."""
THRESHOLD = 0.5
ROUNDING = 1e-6
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A loaded model: names of the columns that it takes and gives, in order, and its forward pass on float32 rows.

    ``outputs``: P(attack) as ``attack``, then each expert's own, then the router's weights as ``router.<expert>``.
    ``threshold``: from this P(attack) on a row is told an attack. ``categories``: column → the words whose places are its codes.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    threshold: float
    forward: Callable[[Array], Array]
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def experts(self) -> tuple[str, ...]:
        """Those whose own answer can be seen."""
        return tuple(name for name in self.outputs[1:] if not name.startswith("router."))

    @property
    def looks_back(self) -> bool:
        """Whether context can change an answer: a model without experts answers each row by itself."""
        return bool(self.experts) and STREAM in self.inputs


def load(folder: Path) -> Scorer:
    """Read a model folder that ``fit`` or ``baseline`` left; runs no code and no pickle of it. Raises TrainError."""
    from mlflow.models import Model

    if not (folder / "MLmodel").is_file():
        raise TrainError(f"{folder} is not a model folder", hint="name the folder model/ that fit --out left")
    described = Model.load(str(folder))
    schema, metadata = (described.signature.inputs if described.signature else None), described.metadata or {}
    if schema is None or not schema.has_input_names():
        raise TrainError(f"{folder} does not name its columns", hint="save it with a signature of named columns, as fit does")
    inputs = tuple(schema.input_names())
    forward = _booster(folder, inputs) if "xgboost" in described.flavors else _graph(folder, len(inputs))
    outputs = tuple(metadata.get("outputs") or _outputs(folder, described.signature.outputs))
    return Scorer(inputs, outputs, float(metadata.get("threshold", THRESHOLD)), forward, metadata.get("categories", {}))


def _outputs(folder: Path, schema: Any) -> tuple[str, ...]:  # noqa: ANN401 - MLflow's Schema
    """What a model that does not name its outputs gives, by their number."""
    width = schema.inputs[0].shape[-1] if schema is not None and schema.is_tensor_spec() else 1
    if width not in {1, len(OUTPUTS)}:
        raise TrainError(f"{folder} answers {width} columns without saying which", hint="train it again: newer models name their outputs")
    return OUTPUTS[:width]


def _graph(folder: Path, width: int) -> Callable[[Array], Array]:
    import mlflow.pytorch
    import torch

    with _without_pickle():
        module = mlflow.pytorch.load_model(str(folder))

    def forward(rows: Array) -> Array:
        if rows.shape[1] != width:
            msg = f"rows must have {width} columns, however: {rows.shape=}"
            raise ValueError(msg)
        with torch.inference_mode():
            answer: Array = module(torch.from_numpy(rows)).numpy()
        return answer

    return forward


def _booster(folder: Path, inputs: tuple[str, ...]) -> Callable[[Array], Array]:
    import mlflow.xgboost

    with _without_pickle():
        booster = mlflow.xgboost.load_model(str(folder))
    if tuple(booster.feature_names or inputs) != inputs:
        raise TrainError(f"{folder}: signature and trees name other columns", hint="train it again")

    def forward(rows: Array) -> Array:
        # XGBoost refuses infinities; NaN is its own "missing".
        answer: Array = booster.inplace_predict(np.where(np.isfinite(rows), rows, np.float32(np.nan)), validate_features=False)
        return answer.reshape(len(rows), 1)

    return forward


@contextmanager
def _without_pickle() -> Iterator[None]:
    """MLflow loads pickles unless this says no."""
    name = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def score(scorer: Scorer, flows: Flows) -> Iterator[tuple[Array, Array]]:
    """(n,) places in ``flows`` and (n, outputs) float64 answers, piece by piece; every row once. Raises TrainError.

    Rows are taken stream by stream, in their order within it.
    """
    places = _places(scorer, flows)
    order = np.argsort(flows.stream, kind="stable")
    sorted_streams = flows.stream[order]
    for first, start, stop in pieces(sorted_streams):
        rows = order[first:stop]
        answer = scorer.forward(_inputs(flows, rows, places))
        yield order[start:stop], _rounded(answer[start - first :].astype(np.float64))


def _rounded(answer: Array) -> Array:
    """Weights that add up to 1 in float32 may miss it by a little; what misses [0, 1] by more is left for others to refuse."""
    inside = np.clip(answer, 0.0, 1.0)
    found: Array = np.where(np.abs(answer - inside) <= ROUNDING, inside, answer)
    return found


def pieces(streams: Array) -> Iterator[tuple[int, int, int]]:
    """Sorted (N,) streams → (first row of the call, first row whose answer counts, end); what comes before a stream is not repeated."""
    step = PIECE - CONTEXT
    for start in range(0, len(streams), step):
        begins = start if streams[start] == NO_CONTEXT else int(np.searchsorted(streams, streams[start]))
        yield max(0, begins, start - CONTEXT), start, min(len(streams), start + step)


def _places(scorer: Scorer, flows: Flows) -> list[int]:
    """Where each input of the model stands among the rows' columns."""
    columns = {name: place for place, name in enumerate([*flows.columns, STREAM])}
    missing = [name for name in scorer.inputs if name not in columns]
    if missing:
        raise TrainError(
            f"the model takes {len(missing)} columns that these rows do not have: {', '.join(missing[:3])}",
            hint="is --dataset the one that the model was trained on?",
        )
    for name, words in flows.categories.items():
        if name in scorer.inputs and list(words) != list(scorer.categories.get(name, ())):
            raise TrainError(
                f"the codes of {name} in these rows stand for other words than those that the model learned",
                hint="use the version of train/ that trained it, or train it again",
            )
    return [columns[name] for name in scorer.inputs]


def _inputs(flows: Flows, rows: Array, places: list[int]) -> Array:
    """(n, inputs) float32. Streams are counted anew from 0: float32 tells only the first 2 ** 24 whole numbers apart."""
    streams = flows.stream[rows]
    joined = np.empty((len(rows), len(flows.columns) + 1), dtype=np.float32)
    with np.errstate(over="ignore"):
        joined[:, :-1] = flows.values[rows]
    joined[:, -1] = np.where(streams == NO_CONTEXT, NO_CONTEXT, np.cumsum(np.diff(streams, prepend=streams[:1]) != 0))
    return joined if places == list(range(joined.shape[1])) else np.ascontiguousarray(joined[:, places])


def predict(model: Path | str | Scorer, flows: Flows) -> Array:
    """(N, outputs) float64: what the model answers for each row, in the order of the rows. Raises TrainError."""
    scorer = model if isinstance(model, Scorer) else load(Path(model))
    found = np.empty((len(flows), len(scorer.outputs)))
    for rows, answer in score(scorer, flows):
        found[rows] = answer
    return found
