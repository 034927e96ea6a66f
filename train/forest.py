"""A random forest as a Booster: XGBoost's JSON instead of a pickle, with the forest's own answers.

scikit-learn saves a forest as pickle, or as skops with node indices that nobody checks; no gate accepts either. Its trees are trees all
the same: each becomes one of a Booster whose leaves hold the share of attacks, divided by the number of trees, and whose sum is
P(attack). A power of two of them makes the division exact.

- scikit-learn goes left where x <= t, with x in float32 and t in float64; XGBoost where x < t, in float32: the next float32 above t.
- scikit-learn was given 0 for what is missing; a missing value goes where 0 would.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_LEAF = -1


def booster(forest: Any, columns: list[str]) -> Any:  # noqa: ANN401 - libraries without types
    """A fitted RandomForestClassifier of two classes → an xgboost.Booster whose prediction is (N,) P(second class)."""
    import xgboost

    count = len(forest.estimators_)
    if count & (count - 1):
        msg = f"the number of trees must be a power of two, however: {count=}"
        raise ValueError(msg)
    # XGBoost's own frame around the trees, whatever its version writes there.
    nothing = xgboost.DMatrix(np.zeros((1, len(columns)), dtype=np.float32), label=[0.0], feature_names=columns)
    parameters = {"objective": "reg:squarederror", "base_score": 0.0, "num_parallel_tree": count}
    frame = json.loads(xgboost.train(parameters, nothing, 1).save_raw("json"))
    frame["learner"]["gradient_booster"]["model"]["trees"] = [
        _tree(number, one.tree_, len(columns), count) for number, one in enumerate(forest.estimators_)
    ]
    made = xgboost.Booster()
    made.load_model(bytearray(json.dumps(frame, separators=(",", ":")).encode()))
    return made


def _tree(number: int, tree: Any, features: int, count: int) -> dict[str, Any]:  # noqa: ANN401
    """One tree in XGBoost's JSON schema; a leaf keeps its value where a split keeps its condition."""
    nodes, order = tree.node_count, _by_level(tree)
    place = np.empty(nodes, dtype=np.int64)
    place[order] = np.arange(nodes)
    threshold, feature = tree.threshold[order], tree.feature[order]
    left, right = tree.children_left[order], tree.children_right[order]
    inner = left != _LEAF
    left, right = np.where(inner, place[left], _LEAF), np.where(inner, place[right], _LEAF)
    shares = (tree.value[:, 0, 1] / tree.value[:, 0].sum(1) / count)[order]
    conditions = np.where(inner, _above(threshold), shares).astype(np.float32)
    parents = np.full(nodes, 2**31 - 1, dtype=np.int64)
    for children in (left, right):
        parents[children[inner]] = np.flatnonzero(inner)
    zeros = [0.0] * nodes
    return {
        "base_weights": shares.astype(np.float32).tolist(),
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
        "default_left": (inner & (threshold >= 0)).astype(int).tolist(),
        "id": number,
        "left_children": left.tolist(),
        "loss_changes": zeros,
        "parents": parents.tolist(),
        "right_children": right.tolist(),
        "split_conditions": conditions.tolist(),
        "split_indices": np.where(inner, feature, 0).tolist(),
        "split_type": [0] * nodes,
        "sum_hessian": zeros,
        "tree_param": {"num_deleted": "0", "num_feature": str(features), "num_nodes": str(nodes), "size_leaf_vector": "1"},
    }


def _by_level(tree: Any) -> Array:  # noqa: ANN401
    """The nodes from the root down, so that siblings are neighbours: XGBoost takes the right child to be the one after the left."""
    levels = [np.zeros(1, dtype=np.int64)]
    while levels[-1].size:
        inner = levels[-1][tree.children_left[levels[-1]] != _LEAF]
        levels.append(np.stack([tree.children_left[inner], tree.children_right[inner]], axis=1).ravel())
    return np.concatenate(levels)


def _above(thresholds: Array) -> Array:
    """The least float32 above each float64 threshold: x < it, for float32 x, exactly where x <= threshold."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, near, np.nextafter(near, np.float32(np.inf)))
