"""Counts that add up, and the figures that follow from them.

An evaluator yields counts, never metrics: counts of shards merge exactly, and whoever reads evidence can compute every figure again.
They are the output of model code, hence untrusted: parsed strictly, bounded. Of models that tell classes (``promotion/counts/v1``):

    {"schema": "promotion/counts/v1", "rows": 1000, "seconds": 0.8, "positive": "attack",
     "parts": {"model": {"labels": ["attack", "benign"],
                         "confusion": [[480, 20], [10, 490]],              rows: true label, columns: predicted
                         "scores": {"positive": [200 integers], "negative": [200 integers]}},
               "tabular": {…}},                                              parts of a composite model, each alone
     "classes": {"DDoS": {"support": 120, "correct": 118}},
     "sums": {"router.tabular": 421.5}}                                      a sum over rows; the figure is its mean

Histogram ``scores`` have 200 equal bins over [0, 1] of the positive class's probability, for the rows that are truly positive
and truly negative. Of models that tell numbers (``promotion/regression-counts/v1``):

    {"schema": "promotion/regression-counts/v1", "rows": 1000, "seconds": 0.8,
     "truth": {"origin": 250.0, "total": -12.5, "squares": 88000.0},       sums of truth − origin, and of its square
     "parts": {"model": {"error": 31.0, "absolute": 402.5, "squared": 380.2}},   sums of prediction − truth, its size, its square
     "sums": {…}}

Figures of classes: ``f1``, ``precision``, ``recall``, ``accuracy``, ``macro_f1``, ``roc_auc``, ``pr_auc``, ``false_alarm_rate``, and
``class.<NAME>.recall`` and ``class.<NAME>.support``. Of numbers: ``mae``, ``rmse``, ``r2``, ``bias``. Of both: ``rows``,
``seconds_per_row``; ``<part>.f1`` and so on for the other parts; each sum's mean by its own name. What is not defined (0/0) is NaN,
which passes no gate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from promotion.classification import counts as of_classes
from promotion.classification import figures as of_confusion
from promotion.counting import ABLATION, LESS_IS_BETTER, MORE_IS_BETTER, WHOLE, CountsError, ratio
from promotion.regression import counts as of_numbers

Counts = of_classes.Counts | of_numbers.Counts


def parse(given: object) -> Counts:
    """Check a counts document; raises CountsError with every problem and where it stands in the document."""
    schema = given.get("schema") if isinstance(given, Mapping) else None
    kind = of_numbers.Counts if schema == of_numbers.SCHEMA else of_classes.Counts
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, one['loc'])) or 'counts'}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()[:5]
        ]
        hint = f"an evaluator must yield documents of {of_classes.SCHEMA} or {of_numbers.SCHEMA}"
        raise CountsError("; ".join(problems), hint=hint) from error


def document(counts: Counts) -> dict[str, Any]:
    """The counts as plain JSON values, every key present."""
    return counts.model_dump(by_alias=True)


def merge(one: Counts, other: Counts) -> Counts:
    """The counts of two disjoint sets of rows as one; exact but for the rounding of sums of floats.

    Raises CountsError when they are not counts of one evaluation: another kind, other parts, labels, sums.
    """
    if isinstance(one, of_classes.Counts) and isinstance(other, of_classes.Counts):
        return parse(of_classes.merge(one, other))
    if isinstance(one, of_numbers.Counts) and isinstance(other, of_numbers.Counts):
        return parse(of_numbers.merge(one, other))
    raise CountsError("these counts are not of one evaluation: some are of classes, some of numbers", hint="yield one kind alone")


def figures(counts: Counts) -> dict[str, float]:
    """Every figure that the counts give, by name; NaN where it is not defined."""
    own = of_confusion.figures(counts) if isinstance(counts, of_classes.Counts) else of_numbers.figures(counts)
    means = {name: ratio(value, counts.rows) for name, value in counts.sums.items()}
    return {"rows": float(counts.rows), "seconds_per_row": ratio(counts.seconds, counts.rows), **own, **means}


_ABLATED = frozenset({*of_classes.OF_PART, *of_numbers.OF_PART}) & (LESS_IS_BETTER | MORE_IS_BETTER)
"""Figures of which a composite model has an ``ablation``."""


def best_part(counts: Counts, figure: str) -> str | None:
    """The single part of a composite model whose figure is best; None where no other part has it."""
    return _best(counts, figures(counts), figure) if figure in _ABLATED else None


def derived(counts: Counts) -> Mapping[str, float]:
    """Every figure, and what follows from several of them: ``ablation.<figure>`` of a composite model."""
    known = figures(counts)
    best = {figure: _best(counts, known, figure) for figure in sorted(_ABLATED & known.keys())}
    return known | {f"{ABLATION}.{figure}": known[figure] - known[f"{part}.{figure}"] for figure, part in best.items() if part is not None}


def _best(counts: Counts, known: Mapping[str, float], figure: str) -> str | None:
    found = [(known.get(f"{name}.{figure}", math.nan), name) for name in counts.parts if name != WHOLE]
    told = [(value, name) for value, name in found if not math.isnan(value)]
    return (min if figure in LESS_IS_BETTER else max)(told, default=(0, None))[1]
