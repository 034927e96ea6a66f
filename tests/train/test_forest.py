"""A random forest saved as a Booster answers as scikit-learn's own does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xgboost
from sklearn.ensemble import RandomForestClassifier

from train.forest import _above, booster


def test_the_booster_answers_as_the_forest_missing_values_and_ties_included(tmp_path: Path) -> None:
    source = np.random.default_rng(0)
    # Few distinct values: many rows stand exactly on a threshold or share a leaf with the other class.
    values = np.concatenate([source.integers(-3, 4, (2_000, 3)), source.normal(size=(2_000, 2)) * 1e6], axis=1).astype(np.float32)
    truth = (values[:, 0] + values[:, 1] * source.random(2_000) + values[:, 3] / 1e6) > 0.5
    forest = RandomForestClassifier(64, random_state=0).fit(values[:1_000], truth[:1_000])
    names = ["a", "b", "c", "d", "e"]
    made = booster(forest, names)
    made.save_model(tmp_path / "model.json")
    loaded = xgboost.Booster(model_file=str(tmp_path / "model.json"))
    assert loaded.feature_names == names
    answer = loaded.inplace_predict(values, validate_features=False)
    np.testing.assert_allclose(answer, forest.predict_proba(values)[:, 1], atol=1e-6, rtol=0)
    assert answer.max() <= 1
    missing = values.copy()
    missing[::3, 3] = np.nan
    expected = forest.predict_proba(np.nan_to_num(missing))[:, 1]
    np.testing.assert_allclose(loaded.inplace_predict(missing, validate_features=False), expected, atol=1e-6, rtol=0)
    assert np.abs(expected - forest.predict_proba(values)[:, 1]).max() > 0.05


def test_x_below_the_next_float_is_x_up_to_the_threshold() -> None:
    source = np.random.default_rng(1)
    thresholds = np.concatenate([source.normal(size=500), source.integers(-9, 9, 50).astype(float), [0.0, 0.5, 1e30]])
    near = thresholds.astype(np.float32)
    for values in (near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))):
        assert np.array_equal(values < _above(thresholds), values.astype(np.float64) <= thresholds)


def test_a_forest_whose_size_is_no_power_of_two_is_refused() -> None:
    forest = RandomForestClassifier(3, random_state=0).fit(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="power of two"):
        booster(forest, list("abcd"))
