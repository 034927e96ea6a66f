"""Decision trees as tensors: an expert that XGBoost grows and that the exported graph walks.

One of many trees grown side by side (a random forest, Breiman 2001), one after the other (boosting, Friedman 2001) or both is the same
sum of leaves, so the settings choose.

Shapes: B rows, F numeric and C categorical columns, T trees, and all trees' nodes in one row of M.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from train.config import Settings

Array = np.ndarray[Any, Any]
_LEAF = -1


class Trees(nn.Module):
    """The sum of one leaf of every tree. Missing values go where training sent them."""

    root: Tensor
    feature: Tensor
    threshold: Tensor
    below: Tensor
    above: Tensor
    lost: Tensor
    leaf: Tensor

    def __init__(self, trees: list[dict[str, Any]], *, depth: int) -> None:
        """``trees``: in XGBoost's JSON schema; ``depth``: of the deepest."""
        super().__init__()
        self.depth = depth
        sizes = [len(tree["left_children"]) for tree in trees]
        first = np.cumsum([0, *sizes[:-1]])
        own = np.arange(sum(sizes))
        left, right = (
            np.concatenate([np.asarray(tree[side], dtype=np.int64) + start for tree, start in zip(trees, first, strict=True)])
            for side in ("left_children", "right_children")
        )
        inner = np.concatenate([np.asarray(tree["left_children"]) != _LEAF for tree in trees])
        condition = np.concatenate([np.asarray(tree["split_conditions"], dtype=np.float32) for tree in trees])
        to_left = np.concatenate([np.asarray(tree["default_left"]) == 1 for tree in trees])
        left, right = np.where(inner, left, own), np.where(inner, right, own)  # a leaf leads to itself
        self.register_buffer("root", torch.from_numpy(first))
        self.register_buffer(
            "feature", torch.from_numpy(np.where(inner, np.concatenate([tree["split_indices"] for tree in trees]), 0).astype(np.int64))
        )
        self.register_buffer("threshold", torch.from_numpy(condition))
        self.register_buffer("below", torch.from_numpy(left))
        self.register_buffer("above", torch.from_numpy(right))
        self.register_buffer("lost", torch.from_numpy(np.where(to_left, left, right)))
        self.register_buffer("leaf", torch.from_numpy(np.where(inner, 0.0, condition).astype(np.float32)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, F + C), NaN where missing → (B,) logits."""
        place = self.root.expand(x.shape[0], -1)
        for _ in range(self.depth):
            value = x.gather(1, self.feature[place])
            after = torch.where(value < self.threshold[place], self.below[place], self.above[place])
            place = torch.where(torch.isnan(value), self.lost[place], after)
        return self.leaf[place].sum(-1)


def grow(x: Array, truth: Array, weight: Array, settings: Settings, *, seed: int) -> Trees:
    """(N, F + C), (N,), (N,) → trees that tell attacks, of the settings' kind. The same seed gives the same trees."""
    booster = boosted(x, truth, weight, settings, seed=seed)
    model = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]
    return Trees(model["trees"], depth=settings.tree_depth)


def boosted(x: Array, truth: Array, weight: Array, settings: Settings, *, seed: int) -> Any:  # noqa: ANN401 - a Booster
    """The Booster that ``grow`` turns into tensors."""
    import xgboost

    parameters = {
        "objective": "binary:logistic",
        "base_score": 0.5,
        "tree_method": "hist",
        "max_depth": settings.tree_depth,
        "eta": settings.tree_rate,
        "num_parallel_tree": settings.trees,
        "min_child_weight": settings.tree_leaf,
        "subsample": settings.tree_rows,
        "colsample_bynode": settings.tree_columns,
        "seed": seed,
    }
    return xgboost.train(parameters, xgboost.DMatrix(x, label=truth.astype(float), weight=weight), settings.tree_rounds)
