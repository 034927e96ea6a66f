"""Counts that add up over shards, and the figures that people ask for."""

from __future__ import annotations

from typing import Any

import numpy as np

from train.flows import ATTACK, BENIGN

BINS = 200
Array = np.ndarray[Any, Any]


def part(scores: Array, attack: Array, *, threshold: float = 0.5) -> dict[str, object]:
    """Confusion (rows true, columns predicted; benign first) and a histogram of P(attack) in 200 equal bins, by truth.

    Raises ValueError for scores that are not between 0 and 1, NaN included.
    """
    wrong = ~((scores >= 0) & (scores <= 1))
    if wrong.any():
        msg = f"{int(wrong.sum())} of {len(scores)} rows got a score that is no probability"
        raise ValueError(msg)
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


def figures(scores: Array, attack: Array, *, threshold: float = 0.5) -> dict[str, float]:
    """Attack-F1, macro-F1, precision, recall, ROC-AUC, PR-AUC by scikit-learn; AUCs are NaN where one class is missing."""
    from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

    predicted = scores >= threshold
    both = 0 < int(attack.sum()) < len(attack)
    return {
        "attack_f1": float(f1_score(attack, predicted, zero_division=0)),
        "macro_f1": float(f1_score(attack, predicted, average="macro", zero_division=0)),
        "precision": float(precision_score(attack, predicted, zero_division=0)),
        "recall": float(recall_score(attack, predicted, zero_division=0)),
        "roc_auc": float(roc_auc_score(attack, scores)) if both else float("nan"),
        "pr_auc": float(average_precision_score(attack, scores)) if both else float("nan"),
    }
