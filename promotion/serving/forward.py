"""A loaded model: what it takes, what it gives, and the shortest way from checked rows to its answer.

MLflow's pyfunc makes a DataFrame of each request, enforces the signature column by column and converts to an array again; of a
request with one row that is most of the time. The columns are checked already, so graphs (pt2) and boosters get one float32 array, as
pyfunc would give it to them. Any other model goes through pyfunc.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promotion.errors import UsageError
from promotion.serving.columns import TYPES, Column, Columns, Table, arrays, matrix, refuse

if TYPE_CHECKING:
    import numpy as np

    from promotion.domain import ModelVersionRef

SMALL = 64
"""Up to so many rows, requests are computed side by side, each in one thread; larger ones take turns, each with all threads."""
_TURNS = threading.Lock()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says: ``values`` (rows, outputs), as float64 where they are numbers, else as they are."""

    values: np.ndarray[Any, Any]
    numbers: bool


@dataclass(frozen=True, slots=True)
class Served:
    """One version, loaded. ``direct``: it takes one array of all columns. ``sample`` is one row by column that it answers."""

    ref: ModelVersionRef
    columns: Columns
    outputs: tuple[str, ...]
    direct: bool
    call: Callable[[Any], Any]
    sample: Mapping[str, Any]
    quick: bool = False
    """Whether a row takes less than a hop to another thread and back, so that few rows are best answered where they are read."""

    def predict(self, table: Table) -> Answer:
        """Check the rows and ask the model; raises Refused for rows that do not fit, or that it has no finite answer for."""
        import numpy as np

        given = matrix(table, self.columns) if self.direct else arrays(table, self.columns)
        answer = self.ask(given, len(table.rows))
        if answer.numbers:
            good = np.isfinite(answer.values).all(axis=1)
            if not good.all():
                raise refuse("the model gives no finite number for this row", row=int(np.argmin(good)))
        return answer

    def ask(self, given: Any, rows: int) -> Answer:  # noqa: ANN401 - an array, or arrays by name
        """The model's answer as it is, in the right shape; raises UsageError for another shape."""
        import numpy as np

        if rows > SMALL:
            with _TURNS:
                said = self.call(given)
        else:
            said = self.call(given)
        values = np.asarray(said)
        values = values.reshape(rows, 1) if values.shape == (rows,) else values
        if values.ndim != 2 or len(values) != rows or not values.shape[1]:
            msg = f"{self.ref.name}/{self.ref.version} answers {rows} rows with the shape {values.shape}"
            raise UsageError(msg, hint="a model that is served gives one row of outputs for each row")
        numbers = values.dtype.kind in "fiub"
        return Answer(values.astype(np.float64) if numbers else values.astype(object), numbers)


def columns_of(signature: Any, metadata: Mapping[str, Any]) -> Columns:  # noqa: ANN401 - MLflow's ModelSignature
    """The columns that a signature names, with the words of categories; raises UsageError where it names none."""
    schema = signature.inputs if signature is not None else None
    if schema is None or not schema.has_input_names() or schema.is_tensor_spec():
        raise UsageError(
            "the model's signature names no columns", hint="log it with a signature of named columns (ColSpec): requests go by their names"
        )
    tables = metadata.get("categories")
    found = []
    for one in schema.inputs:
        kind = getattr(one.type, "name", "")
        if kind not in TYPES:
            raise UsageError(
                f"column {one.name!r} is of type {one.type}, which cannot be served", hint=f"served are {', '.join(sorted(TYPES))}"
            )
        words = tables.get(one.name) if isinstance(tables, dict) else None
        coded = {str(word): code for code, word in enumerate(words)} if isinstance(words, list) and words else None
        found.append(Column(one.name, kind, one.required, not one.required, coded))
    return Columns(tuple(found))


def outputs_of(metadata: Mapping[str, Any], signature: Any, width: int) -> tuple[str, ...]:  # noqa: ANN401 - MLflow's
    """Names of the outputs: the metadata's ``outputs``, else the signature's, else numbers. No two are equal, and all can be written."""
    given = metadata.get("outputs")
    schema = signature.outputs
    named = schema is not None and not schema.is_tensor_spec() and schema.has_input_names()
    for names in (given if isinstance(given, list) else [], schema.input_names() if named else []):
        told = tuple(map(str, names))
        if len(told) == len(set(told)) == width and all(one.isprintable() for one in told):
            return told
    return ("prediction",) if width == 1 else tuple(f"output_{place}" for place in range(width))


def caller(folder: Path, flavours: Mapping[str, Any], columns: Columns, threads: int) -> tuple[Callable[[Any], Any], bool]:
    """Load what a folder holds: how to call it, and whether it takes one array. Raises what MLflow raises."""
    numbers = all(one.type != "string" or one.words is not None for one in columns.all)
    if numbers and "pytorch" in flavours:
        return _graph(folder, threads), True
    if numbers and "xgboost" in flavours:
        booster = _booster(folder, columns, threads)
        if booster is not None:
            return booster, True
    return _pyfunc(folder), False


def _graph(folder: Path, threads: int) -> Callable[[Any], Any]:
    import mlflow.pytorch
    import numpy as np
    import torch

    module = mlflow.pytorch.load_model(str(folder), map_location="cpu")

    def call(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        with np.errstate(over="ignore"):
            given = torch.from_numpy(rows.astype(np.float32))
        # The number is each thread's own. Handing pieces of few rows to other threads takes longer than computing them.
        torch.set_num_threads(1 if len(rows) <= SMALL else threads)
        with torch.inference_mode():
            answer: np.ndarray[Any, Any] = module(given).numpy()
        return answer

    return call


def _booster(folder: Path, columns: Columns, threads: int) -> Callable[[Any], Any] | None:
    """A Booster takes an array; one of XGBoost's scikit-learn classes decides itself what it answers, so that goes through pyfunc."""
    import mlflow.xgboost
    import numpy as np
    import xgboost

    booster = mlflow.xgboost.load_model(str(folder))
    if not isinstance(booster, xgboost.Booster) or "categorical" in str(booster.feature_types):
        return None
    if tuple(booster.feature_names or columns.names) != columns.names:
        raise UsageError(
            "the signature and the trees name other columns", hint="log the model again with the columns that it was trained on"
        )
    booster.set_param({"nthread": threads})

    def call(rows: np.ndarray[Any, Any]) -> Any:  # noqa: ANN401 - XGBoost has no types
        with np.errstate(over="ignore"):
            given = rows.astype(np.float32)
        # XGBoost refuses infinities, without their place; NaN is its own "missing".
        infinite = np.argwhere(np.isinf(given))
        if len(infinite):
            row, place = map(int, infinite[0])
            raise refuse("the number is too large for the model, which computes in 32 bits", row=row, column=columns.names[place])
        return booster.inplace_predict(given, validate_features=False)

    return call


def _pyfunc(folder: Path) -> Callable[[Any], Any]:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(folder))

    def call(given: Mapping[str, np.ndarray[Any, Any]]) -> Any:  # noqa: ANN401 - what the model answers
        import pandas as pd

        return model.predict(pd.DataFrame(dict(given)))

    return call
