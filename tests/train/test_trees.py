"""Trees as tensors say what XGBoost says, and are grown without what they are asked about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import xgboost

from train.config import Settings
from train.trees import boosted, grow

KINDS = {
    "boosted": {"trees": 1, "tree_rounds": 30, "tree_depth": 5, "tree_rate": 0.2},
    "forest": {"trees": 32, "tree_rounds": 1, "tree_depth": 9, "tree_rate": 1.0, "tree_leaf": 3.0, "tree_columns": 0.3},
    "both": {"trees": 4, "tree_rounds": 5, "tree_depth": 3},
    "stumps": {"trees": 1, "tree_rounds": 4, "tree_depth": 1},
}


def rows(seed: int) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.RandomState(seed)
    x = source.normal(size=(800, 6)).astype(np.float32)
    truth = (x[:, 0] * x[:, 1] > 0).astype(np.float32)
    x[source.random_sample(x.shape) < 0.1] = np.nan
    x[:, 5] = source.randint(0, 4, 800)
    return x, truth


@pytest.mark.parametrize("kind", KINDS)
def test_trees_say_what_xgboost_says_of_known_and_of_missing_values(settings: Settings, kind: str) -> None:
    x, truth = rows(0)
    weight = np.linspace(0.5, 2, len(x))
    chosen = replace(settings, **KINDS[kind])  # type: ignore[arg-type]
    booster = boosted(x, truth, weight, chosen, seed=1)
    unseen = np.concatenate([rows(1)[0], np.full((1, 6), np.nan, dtype=np.float32), x])
    found = torch.sigmoid(grow(x, truth, weight, chosen, seed=1)(torch.from_numpy(unseen))).numpy()
    np.testing.assert_allclose(found, booster.predict(xgboost.DMatrix(unseen)), atol=1e-6, rtol=0)
    assert np.ptp(found) > 0.05


def test_a_value_on_a_split_goes_where_xgboost_sends_it(settings: Settings) -> None:
    x = np.arange(40, dtype=np.float32)[:, None]
    trees = grow(x, (x[:, 0] >= 17).astype(np.float32), np.ones(40), replace(settings, **KINDS["stumps"]), seed=0)  # type: ignore[arg-type]
    edge = float(trees.threshold[trees.below != trees.above][0])
    said = trees(torch.tensor([[edge - 0.5], [edge], [edge + 0.5]]))
    assert said[0] < 0 < said[1] == said[2]


def test_the_same_seed_grows_the_same_trees_and_another_seed_others(settings: Settings) -> None:
    x, truth = rows(0)
    first, again, other = (grow(x, truth, np.ones(800), replace(settings, tree_rows=0.5), seed=seed).leaf for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.equal(first, other)
