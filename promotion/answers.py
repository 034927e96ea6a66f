"""What a model's answer to a block of rows means: labels, probabilities, or one column of a table with either; or why it cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from promotion.builtin import LABELS, PROBABILITY, VALUE

Array = np.ndarray[Any, Any]
OTHER = "(another)"
"""Stands for every label that the dataset does not have: each model on the same rows then has the same labels."""
_MOST_LABELS = 199
_ROUNDING = 1e-3
_LEAST = 1e-15
"""Of a probability whose logarithm is taken, as scikit-learn does."""


@dataclass(frozen=True)
class Asked:
    """What is asked for: the dataset's ``labels`` in order, the place of the positive one, and the settings of the evaluation."""

    labels: Sequence[str]
    positive: int
    settings: Mapping[str, Any]

    @property
    def all(self) -> list[str]:
        """The labels that can be told, ``OTHER`` last."""
        return [*self.labels, OTHER]

    @cached_property
    def index(self) -> pd.Index[Any]:
        """The labels, to look places up."""
        return pd.Index(self.labels)


@dataclass(frozen=True)
class Told:
    """Of n rows: places of the labels that were told, the positive label's probabilities, and what is summed; each (n,)."""

    predicted: Array
    score: Array | None
    means: Mapping[str, Array]


def text_of(values: Iterable[Any]) -> list[str]:
    """Labels as text that is the same however they are kept: 1, 1.0 and "1" are one label, True and "true" another."""
    found = list(values)
    known = {value: _text(value) for value in set(map(_plain, found))}
    return [known[_plain(value)] for value in found]


def _plain(value: Any) -> tuple[str, Any]:  # noqa: ANN401 - whatever a model answers
    """A value that can be looked up; True and 1 are equal to Python, hence the type's name."""
    value = value.item() if isinstance(value, np.generic) else value
    return type(value).__name__, value


def _text(named: tuple[str, Any]) -> str:
    _, value = named
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in {"true", "false"}:
            return text.lower()
        whole = text.removesuffix(".0").removeprefix("-")
        return text.removesuffix(".0") if text.endswith(".0") and whole.isascii() and whole.isdigit() else text
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def labels_of(truth: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    """The labels of a dataset in the order of a model's columns: as the policy says, else sorted, numbers by their value.

    Raises ValueError where there are too many, or the policy names others.
    """
    found = set(truth)
    if len(found) > _MOST_LABELS:
        raise ValueError(f"the label {settings['label']!r} has {len(found):,} values: too many for classes (at most {_MOST_LABELS})")
    (positive,) = text_of([settings["positive"]])
    named = text_of(settings["labels"]) if settings.get("labels") else sorted(found, key=_order)
    if lacking := sorted(found - set(named)):
        raise ValueError(f"the dataset has the label {lacking[0]!r}, which the policy does not list under labels")
    if positive not in named:
        raise ValueError(f"no row of the dataset has the positive label {positive!r}; there are {', '.join(named[:10])}")
    if len(set(named)) < len(named) or OTHER in named:
        raise ValueError(f"labels must differ, and none may be {OTHER!r}")
    return named


def _order(label: str) -> tuple[float, str]:
    try:
        return float(label), ""
    except ValueError:
        return np.inf, label


def told(said: Any, truth: Array, asked: Asked, first: int) -> Told:  # noqa: ANN401 - whatever a model answers
    """Read a model's answer to the rows from ``first`` on, whose truth is given as places in the labels. Raises ValueError."""
    output = asked.settings["output"]
    table = _complete(said, len(truth), None if output in {LABELS, PROBABILITY} else output, first)
    if asked.settings.get("holds", PROBABILITY if output != LABELS else LABELS) == LABELS:
        return Told(_labels(table, asked, first), None, {})
    return _probabilities(table, truth, asked, first)


def numbers(said: Any, rows: int, output: str, first: int) -> Array:  # noqa: ANN401 - whatever a model answers
    """(rows,) what a model answers to the rows from ``first`` on, as float64. Raises ValueError for what are no numbers, one a row."""
    table = _complete(said, rows, None if output == VALUE else output, first)
    if table.shape[1] > 1:
        names = ", ".join(map(str, table.columns[:20]))
        raise ValueError(f"the model answers with {table.shape[1]} columns ({names}): name the one that holds the number by output")
    column = table.iloc[:, 0]
    if column.dtype.kind not in "iuf":
        raise ValueError(f"the model answers with {column.dtype}, not with numbers")
    found: Array = column.to_numpy(dtype=np.float64)
    if not np.isfinite(found).all():
        at = int(np.argmin(np.isfinite(found)))
        raise ValueError(f"row {first + at}: the model answers {found[at]:g}")
    return found


def _complete(said: Any, rows: int, column: str | None, first: int) -> pd.DataFrame:  # noqa: ANN401 - whatever a model answers
    """The answer as a table, or that column of it, in which nothing is missing."""
    table = _table(said, rows)
    if column is not None:
        if column not in table.columns:
            raise ValueError(f"the model's answer has no column {column!r}; it has {', '.join(map(str, table.columns[:20]))}")
        table = table[[column]]
    if table.isna().to_numpy().any():
        raise ValueError(f"row {first + int(table.isna().any(axis=1).to_numpy().argmax())}: the model answers NaN, or nothing")
    return table


def _table(said: Any, rows: int) -> pd.DataFrame:  # noqa: ANN401 - whatever a model answers
    """The answer as a table of as many rows as were asked about."""
    if isinstance(said, pd.DataFrame | pd.Series):
        table = pd.DataFrame(said)
    elif isinstance(said, Mapping):
        table = pd.DataFrame(dict(said))
    else:
        array = np.asarray(said)
        if array.ndim not in {1, 2}:
            raise ValueError(f"the model answers {rows} rows with the shape {array.shape}: one row of answers for each is wanted")
        table = pd.DataFrame(array)
    if len(table) != rows or not table.shape[1]:
        raise ValueError(f"the model answers {rows} rows with {len(table)} rows of {table.shape[1]} columns")
    return table


def _labels(table: pd.DataFrame, asked: Asked, first: int) -> Array:
    if table.shape[1] > 1:
        raise ValueError(f"the model answers with {table.shape[1]} columns, not with labels: say output: probability, or name a column")
    column = table.iloc[:, 0]
    if column.dtype.kind == "f" and (odd := ~np.isclose(column % 1, 0)).any():
        at = int(np.argmax(odd))
        raise ValueError(f"row {first + at}: the model answers {column.iloc[at]:g}, which is no label: say output: probability")
    found = asked.index.get_indexer(pd.Index(text_of(column)))
    if (found < 0).all():
        raise ValueError(
            f"row {first}: the model answers {text_of(column[:1])[0]!r}; the dataset's labels are {', '.join(asked.labels[:10])}"
        )
    return np.where(found < 0, len(asked.labels), found)


def _probabilities(table: pd.DataFrame, truth: Array, asked: Asked, first: int) -> Told:
    if odd := [dtype for dtype in table.dtypes if dtype.kind != "f"]:
        raise ValueError(f"the model answers with {odd[0]}, not with probabilities: say output: labels")
    given = _in_order(table, asked).to_numpy(dtype=np.float64)
    count = len(asked.labels)
    if given.shape[1] == 1 and count != 2:
        raise ValueError(f"the model answers with one probability, where the dataset has {count} labels")
    if given.shape[1] not in {1, count}:
        raise ValueError(f"the model answers with {given.shape[1]} columns, where the dataset has {count} labels: list labels in its order")
    wrong = ~((given >= -_ROUNDING) & (given <= 1 + _ROUNDING)).all(axis=1)
    if given.shape[1] > 1:
        wrong |= np.abs(given.sum(axis=1) - 1) > _ROUNDING
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"row {first + at}: the model answers {', '.join(f'{one:g}' for one in given[at][:10])}, which are no probabilities"
        )
    given = given.clip(0, 1)
    score = given[:, 0] if given.shape[1] == 1 else given[:, asked.positive]
    of_truth = np.where(truth == asked.positive, score, 1 - score) if count == 2 else given[np.arange(len(truth)), truth]
    values = {
        "log_loss": -np.log(of_truth.clip(_LEAST)),
        "brier": (score - (truth == asked.positive)) ** 2,
    }
    if count == 2:
        predicted = np.where(score > asked.settings.get("threshold", 0.5), asked.positive, 1 - asked.positive)
    else:
        predicted = given.argmax(axis=1)
    return Told(predicted, score, values)


def _in_order(table: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """Columns that bear the labels' names, in the labels' order; others as they come."""
    names = [] if isinstance(table.columns, pd.RangeIndex) else text_of(table.columns)
    if table.shape[1] == len(asked.labels) and set(names) == set(asked.labels):
        return table.iloc[:, [names.index(label) for label in asked.labels]]
    return table
