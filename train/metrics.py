"""The figures that people ask for, by scikit-learn: from scores row by row, or from counts that stand for the rows.

scikit-learn takes a weight for each sample, so a bin of a histogram is a sample whose weight is its count: rows and counts go
through the same code. What is not defined (0/0, an area of one class) is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from train.errors import TrainError
from train.flows import ATTACK, BENIGN

BINS = 200
RECALLS = (0.95, 0.99)
"""The recalls at which the false-alarm rate is told."""
CALIBRATION_BINS = 15
"""Equal bins over [0, 1] of the expected calibration error (Guo et al. 2017)."""
Array = np.ndarray[Any, Any]
NAN = float("nan")


def figures(scores: Array, attack: Array, *, threshold: float = 0.5) -> dict[str, float]:
    """Every figure of (N,) P(attack) in [0, 1] and (N,) bool truth, exactly. Raises TrainError for what is no probability."""
    check(scores)
    predicted = scores >= threshold
    confusion = np.array([[np.sum((attack == truth) & (predicted == said)) for said in (False, True)] for truth in (False, True)])
    ones = np.ones(len(scores))
    return decided(confusion) | ranked(attack, scores, ones) | {"calibration_error": calibration_error(calibration(scores, attack))}


def check(scores: Array) -> None:
    """Raise TrainError unless every score is in [0, 1]; NaN is not. (N,), or (N, K) for several scores of each row."""
    right = (scores >= 0) & (scores <= 1)
    wrong = ~(right if right.ndim == 1 else right.all(-1))
    if wrong.any():
        raise TrainError(
            f"{int(wrong.sum())} of {len(scores)} rows got a score that is no probability",
            hint="the model is broken: train it again, with a lower learning rate",
        )


def decided(confusion: Array) -> dict[str, float]:
    """What follows from (2, 2) counts, [truth, predicted], benign first: attack-F1, macro-F1, precision, recall, false-alarm rate."""
    from sklearn.metrics import precision_recall_fscore_support

    names = ("attack_f1", "macro_f1", "precision", "recall", "false_alarm_rate")
    if not confusion.any():
        return dict.fromkeys(names, NAN)
    precision, recall, f1, _ = precision_recall_fscore_support(
        [0, 0, 1, 1], [0, 1, 0, 1], labels=[0, 1], sample_weight=confusion.reshape(4), zero_division=np.nan
    )
    # Macro: over the labels that occur, as truth or as prediction; another has nothing to be right or wrong about.
    benign = confusion[0].sum()
    values = (f1[1], np.nanmean(f1), precision[1], recall[1], confusion[0, 1] / benign if benign else NAN)
    return dict(zip(names, map(float, values), strict=True))


def ranked(attack: Array, scores: Array, weights: Array) -> dict[str, float]:
    """What follows from the order of scores alone: areas under the curves, and the false-alarm rate at fixed recall.

    All (N,): bool truth, scores in any unit, how many rows each stands for. The rate at a recall is that of the highest threshold
    that reaches it.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    names = ["roc_auc", "pr_auc", *(at_recall(recall) for recall in RECALLS)]
    kept = weights > 0
    attack, scores, weights = attack[kept], scores[kept], weights[kept]
    if attack.all() or not attack.any():
        return dict.fromkeys(names, NAN)
    alarms, found, _ = roc_curve(attack, scores, sample_weight=weights, drop_intermediate=False)
    rates = [alarms[np.argmax(found >= recall)] for recall in RECALLS]
    areas = [score(attack, scores, sample_weight=weights) for score in (roc_auc_score, average_precision_score)]
    return dict(zip(names, map(float, [*areas, *rates]), strict=True))


def at_recall(recall: float) -> str:
    """The name of the false-alarm rate at a recall."""
    return f"false_alarm_rate_at_recall_{recall}"


UNIT = 2.0**-32
"""Sums of probabilities are kept as whole numbers of this: they add up exactly, and 2 ** 31 rows fit."""


def fixed(values: Array) -> Array:
    """Values in [0, 1] as whole numbers of UNIT."""
    return np.rint(values / UNIT).astype(np.int64)


def calibration(scores: Array, attack: Array) -> Array:
    """(3, 15) int64, by bin of P(attack): rows, attacks among them, the sum of their scores in UNIT."""
    bins = np.minimum((scores * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    found = np.zeros((3, CALIBRATION_BINS), dtype=np.int64)
    for row, amount in zip(found, (np.ones(len(bins), dtype=np.int64), attack.astype(np.int64), fixed(scores)), strict=True):
        np.add.at(row, bins, amount)
    return found


def calibration_error(counts: Array) -> float:
    """Expected calibration error: the mean over rows of |share of attacks − mean score| in the row's bin; in [0, 1]."""
    rows, attacks, total = counts
    return float(np.abs(attacks - total * UNIT).sum() / rows.sum()) if rows.any() else NAN


def part(scores: Array, attack: Array, *, threshold: float = 0.5) -> dict[str, object]:
    """Confusion (rows true, columns predicted; benign first) and a histogram of P(attack) in 200 equal bins, by truth.

    Raises TrainError for scores that are not between 0 and 1, NaN included.
    """
    check(scores)
    predicted = scores >= threshold
    confusion = [[int(((attack == truth) & (predicted == said)).sum()) for said in (False, True)] for truth in (False, True)]
    bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    histogram = {
        name: np.bincount(bins[attack == truth], minlength=BINS).tolist() for name, truth in (("positive", True), ("negative", False))
    }
    return {"labels": [BENIGN, ATTACK], "confusion": confusion, "scores": histogram}


def classes(scores: Array, attack: Array, kinds: Array, *, threshold: float = 0.5) -> dict[str, dict[str, int]]:
    """By the dataset's own label: its rows, and how many were rightly told attack or benign."""
    right = (scores >= threshold) == attack
    return {str(kind): {"support": int((kinds == kind).sum()), "correct": int(right[kinds == kind].sum())} for kind in np.unique(kinds)}
