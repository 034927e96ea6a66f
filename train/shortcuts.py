"""Columns that alone nearly give the label away in training (Geirhos et al. 2020, "Shortcut learning in deep neural networks").

A testbed's time-to-live or the like is such a column: it tells which machine sent the traffic, not whether it is an attack. A model
that leans on it fails on other captures, so training hides it more often than others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
SHORTCUT = 0.95
"""ROC-AUC from which on a column alone is a shortcut."""
LEAVES = 16
MOST = 20.0
"""No row counts more than this many times its share."""


def separation(values: Array, truth: Array) -> Array:
    """(N, F), (N,) bool → (F,) ROC-AUC of the best few splits of each column alone. NaN is a value of its own."""
    from sklearn.metrics import roc_auc_score

    found = [roc_auc_score(truth, _leaves(column[:, None], truth)[1]) for column in values.T]
    return np.array(found)


def balanced(values: Array, truth: Array, columns: Sequence[int], strength: float) -> Array:
    """(N,) float32 weights with mean 1: with strength 1, both classes weigh alike wherever these columns put them; with 0, all rows do."""
    if strength == 0 or not len(columns):
        return np.ones(len(truth), dtype=np.float32)
    leaves, _ = _leaves(values[:, columns], truth)
    weight = np.ones(len(truth))
    for leaf in np.unique(leaves):
        here = leaves == leaf
        for kind in (False, True):
            mine = here & (truth == kind)
            if 0 < mine.sum() < here.sum():
                weight[mine] = min(MOST, here.sum() / 2 / mine.sum()) ** strength
    return np.asarray(weight / weight.mean(), dtype=np.float32)


def _leaves(values: Array, truth: Array) -> tuple[Array, Array]:
    """(N,) leaf of each row in a small tree, and the share of attacks in that leaf."""
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=20, random_state=0)
    tree.fit(values, truth)
    return tree.apply(values), tree.predict_proba(values)[:, -1]
