"""The evaluators that ``promotion`` brings for tables: which figures they give, what they are told, and their identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from promotion import __version__

CLASSIFICATION, REGRESSION = "tabular-classification", "tabular-regression"
LABELS, PROBABILITY, VALUE = "labels", "probability", "value"
ENTRY_POINTS = {CLASSIFICATION: "promotion.tabular:classification", REGRESSION: "promotion.tabular:regression"}
SUFFIXES = (".csv", ".parquet")
_MADE_OF = (
    *("tabular.py", "answers.py", "blocks.py", "resampling.py"),
    *("classification/outcomes.py", "classification/replicates.py", "regression/outcomes.py", "regression/replicates.py"),
)
_ALWAYS = ("rows", "seconds_per_row", "size_bytes", "age_days")
_OF_LABELS = ("f1", "precision", "recall", "accuracy", "macro_f1", "false_alarm_rate", "class.*.recall", "class.*.support")
_OF_PROBABILITIES = ("roc_auc", "pr_auc", "log_loss", "brier")
_OF_NUMBERS = ("mae", "rmse", "r2", "bias")


@cache
def digest() -> str:
    """Sha256 (hex) over this program's version and the modules that measure: another release measures again."""
    whole = hashlib.sha256(__version__.encode())
    for name in _MADE_OF:
        path = Path(__file__).parent / name
        whole.update(hashlib.sha256(name.encode()).digest())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def figures(evaluator: str, settings: Mapping[str, object]) -> Sequence[str]:
    """The figures that an evaluator (a key of ENTRY_POINTS) gives of an output, as names or shell patterns."""
    if evaluator == REGRESSION:
        return (*_OF_NUMBERS, *_ALWAYS)
    holds = settings.get("holds", settings.get("output"))
    return (*_OF_LABELS, *(() if holds == LABELS else _OF_PROBABILITIES), *_ALWAYS)


def gives(evaluator: str, settings: Mapping[str, object], metric: str) -> bool:
    """Whether a figure, or one of a pattern of figures, can come from an evaluator and its output."""
    return any(fnmatchcase(metric, one) or fnmatchcase(one, metric) for one in figures(evaluator, settings))
