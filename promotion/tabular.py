"""The evaluators for tables: read the rows, ask the model through MLflow's pyfunc block by block, yield what it said of each row.

They run where every evaluator runs, in the confined child. What does not fit (no such column, an answer of another shape, NaN) is raised,
with the row and the column: the version is then not measured. A model whose signature names columns gets those; another one all columns
but the label and the group.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from promotion.answers import Array, Asked, labels_of, numbers, text_of, told

BLOCK = 8192
"""Rows that a model is asked at once: its memory is not to grow with the dataset."""
_KINDS: Mapping[str, tuple[str, str]] = {
    "double": ("biuf", "float64"),
    "float": ("biuf", "float32"),
    "long": ("biu", "int64"),
    "integer": ("biu", "int32"),
    "boolean": ("b", "bool"),
}
"""By the signature's type: the kinds of columns that become it, and what they become."""


@dataclass(frozen=True)
class Rows:
    """A dataset: the ``table`` without its truth, the ``truth`` as it stands there, a number for each row's group (None: no groups).

    ``group`` is the name of their column, which a model takes only if its signature names it.
    """

    table: pd.DataFrame
    truth: pd.Series[Any]
    groups: Array | None
    group: str | None


def classification(model: Path, dataset: Path, settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Blocks of ``promotion/outcomes/v1``: settings as ``policies/evaluations.yaml`` has them for ``tabular-classification``."""
    rows = _rows(dataset, settings["label"], settings.get("group"), text=True)
    truth = text_of(rows.truth)
    labels = labels_of(truth, settings)
    places = pd.Index(labels).get_indexer(pd.Index(truth))
    asked = Asked(labels, labels.index(text_of([settings["positive"]])[0]), settings)
    for some, said, seconds in _answers(model, rows):
        answer = told(said, places[some], asked, some.start)
        yield {
            "schema": "promotion/outcomes/v1",
            "positive": labels[asked.positive],
            "labels": asked.all,
            "seconds": seconds,
            "index": np.arange(some.start, some.stop),
            **({} if rows.groups is None else {"group": rows.groups[some]}),
            "truth": places[some],
            "class": np.array(truth[some], dtype=str),
            "parts": {"model": {"predicted": answer.predicted, "score": answer.score}},
            "values": answer.means,
        }


def regression(model: Path, dataset: Path, settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Blocks of ``promotion/regression-outcomes/v1``: settings as ``policies/evaluations.yaml`` has them for ``tabular-regression``."""
    rows = _rows(dataset, settings["target"], settings.get("group"), text=False)
    truth = _true_numbers(rows.truth)
    # Near the mean is enough, and its first digits are the same whichever library added the numbers up.
    origin = float(f"{truth.mean():.3g}")
    for some, said, seconds in _answers(model, rows):
        yield {
            "schema": "promotion/regression-outcomes/v1",
            "seconds": seconds,
            "index": np.arange(some.start, some.stop),
            **({} if rows.groups is None else {"group": rows.groups[some]}),
            "origin": origin,
            "truth": truth[some],
            "parts": {"model": {"predicted": numbers(said, some.stop - some.start, settings["output"], some.start)}},
        }


def _true_numbers(column: pd.Series[Any]) -> Array:
    if column.dtype.kind not in "iuf":
        raise ValueError(f"column {column.name!r} of the dataset holds {column.dtype}, where numbers are wanted")
    found: Array = column.to_numpy(dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"row {int(np.argmin(np.isfinite(found)))} of the dataset has no finite {column.name!r}")
    return found


def _rows(dataset: Path, truth: str, group: str | None, *, text: bool) -> Rows:
    """Read the file; raises ValueError for a column that it lacks, a row without truth or group, and for no rows."""
    asked = [name for name in (truth, group) if name is not None]
    # As text where they stand as text: "01" is not 1, and a group's name must not depend on how numbers are printed.
    named = {name: "str" for name in asked if text or name == group}
    table = pd.read_parquet(dataset) if dataset.suffix == ".parquet" else pd.read_csv(dataset, dtype=named, low_memory=False)
    for name in asked:
        if name not in table.columns:
            raise ValueError(f"the dataset has no column {name!r}; it has {', '.join(map(str, table.columns[:20]))}")
        if table[name].isna().any():
            raise ValueError(f"row {int(table[name].isna().argmax())} of the dataset has no {name!r}")
    if not len(table):
        raise ValueError("the dataset has no rows")
    groups = None if group is None else _numbers(table[group])
    return Rows(table.drop(columns=[truth]), table[truth], groups, group)


def _numbers(groups: pd.Series[Any]) -> Array:
    """A number for each group that follows from its name alone, so that every evaluation of a dataset resamples alike."""
    codes, names = pd.factorize(groups)
    hashed = [int.from_bytes(hashlib.blake2b(str(name).encode(), digest_size=8).digest(), "little", signed=True) for name in names]
    found: Array = np.array(hashed, dtype=np.int64)[codes]
    return found


def _answers(model: Path, rows: Rows) -> Iterator[tuple[slice, Any, float]]:
    """Block by block: which rows, what the model answered, and the seconds that it took."""
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(str(model))
    inputs = _inputs(rows, loaded.metadata.signature)
    for start in range(0, len(rows.truth), BLOCK):
        some = slice(start, min(start + BLOCK, len(rows.truth)))
        given = inputs[some] if isinstance(inputs, np.ndarray) else inputs.iloc[some].reset_index(drop=True)
        began = time.perf_counter()
        said = loaded.predict(given)
        yield some, said, time.perf_counter() - began


def _inputs(rows: Rows, signature: Any) -> pd.DataFrame | Array:  # noqa: ANN401 - MLflow's ModelSignature
    """What the model takes of the rows, in the types of its signature; raises ValueError for what is not there or does not fit."""
    schema = None if signature is None else signature.inputs
    table = rows.table
    if schema is None or not schema.has_input_names():
        table = table if rows.group is None else table.drop(columns=[rows.group])
        return table.to_numpy(dtype=schema.inputs[0].type) if schema is not None and schema.is_tensor_spec() else table
    names = [one.name for one in schema.inputs]
    if rows.truth.name in names:
        raise ValueError(f"the model takes {rows.truth.name!r} as an input: it would be told the truth")
    lacking = [one.name for one in schema.inputs if one.name not in table.columns and getattr(one, "required", True)]
    if lacking:
        raise ValueError(f"the dataset lacks columns that the model takes: {', '.join(lacking[:20])}")
    return pd.DataFrame({one.name: _typed(table[one.name], one) for one in schema.inputs if one.name in table.columns})


def _typed(column: pd.Series[Any], one: Any) -> pd.Series[Any]:  # noqa: ANN401 - MLflow's ColSpec or TensorSpec
    """A column in the type that the signature says; MLflow itself refuses whole numbers where a float is declared."""
    kind = getattr(one.type, "name", "")
    if kind == "string":
        return column if pd.api.types.is_string_dtype(column) else column.map(str, na_action="ignore")
    if kind not in _KINDS:
        return column
    kinds, wanted = _KINDS[kind]
    if column.dtype.kind not in kinds:
        raise ValueError(f"column {one.name!r} holds {column.dtype}, where the model takes {kind}")
    return column.astype(wanted)
