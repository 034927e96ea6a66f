"""The figures that follow from counts of classes; NaN where one is not defined (0/0)."""

from __future__ import annotations

import math

from promotion.classification.counts import Counts, Part, Scores
from promotion.counting import WHOLE, ratio


def figures(counts: Counts) -> dict[str, float]:
    """Every figure that the counts give by themselves, by name."""
    found: dict[str, float] = {}
    for name, part in counts.parts.items():
        prefix = "" if name == WHOLE else f"{name}."
        found |= {f"{prefix}{figure}": value for figure, value in _of_part(part, counts.positive).items()}
    for name, one in counts.classes.items():
        found[f"class.{name}.recall"] = ratio(one.correct, one.support)
        found[f"class.{name}.support"] = float(one.support)
    return found


def _of_part(part: Part, positive: str) -> dict[str, float]:
    size = range(len(part.labels))
    support = [sum(row) for row in part.confusion]
    predicted = [sum(part.confusion[true][column] for true in size) for column in size]
    hits = [part.confusion[index][index] for index in size]
    rows = sum(support)
    at = part.labels.index(positive)
    # Macro: over the labels that occur, as truth or as prediction; the others have nothing to be right or wrong about.
    by_label = [ratio(2 * hits[i], support[i] + predicted[i]) for i in size if support[i] + predicted[i]]
    found = {
        "f1": ratio(2 * hits[at], support[at] + predicted[at]),
        "precision": ratio(hits[at], predicted[at]),
        "recall": ratio(hits[at], support[at]),
        "accuracy": ratio(sum(hits), rows),
        "macro_f1": ratio(math.fsum(by_label), len(by_label)),
        "false_alarm_rate": ratio(predicted[at] - hits[at], rows - support[at]),
    }
    if part.scores is not None:
        found |= {"roc_auc": _roc_auc(part.scores), "pr_auc": _pr_auc(part.scores)}
    return found


def _roc_auc(scores: Scores) -> float:
    """The chance that a positive row scores above a negative one; rows of one bin count as ties (one half)."""
    twice, below = 0, 0
    for positive, negative in zip(scores.positive, scores.negative, strict=True):
        twice += positive * (2 * below + negative)
        below += negative
    return ratio(twice, 2 * sum(scores.positive) * below)


def _pr_auc(scores: Scores) -> float:
    """Average precision over the bins, from the highest score down: sum of precision × gain in recall."""
    total = sum(scores.positive)
    hits = seen = 0
    area = []
    for positive, negative in zip(reversed(scores.positive), reversed(scores.negative), strict=True):
        hits += positive
        seen += positive + negative
        if positive:
            area.append(hits / seen * (positive / total))
    return math.fsum(area) if total else math.nan
