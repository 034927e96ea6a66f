"""The ways past MLflow's pyfunc give its answers, bit by bit; what they cannot take goes through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.xgboost
import numpy as np
import pandas as pd
import pytest
import xgboost
from mlflow.models import ModelSignature
from mlflow.pyfunc import PyFuncModel, load_model
from mlflow.types import ColSpec, Schema

from promotion.domain import ModelVersionRef
from promotion.serving.columns import Refused, Table
from promotion.serving.forward import SMALL, Served, _graph, outputs_of
from promotion.serving.loading import _loaded
from tests.models import FEATURES, tiny_booster

SIGNATURE = ModelSignature(Schema([ColSpec("double", column) for column in FEATURES]), Schema([ColSpec("float")]))


def saved(folder: Path, model: Any) -> tuple[Served, PyFuncModel]:
    mlflow.xgboost.save_model(model, folder, signature=SIGNATURE, model_format="json", pip_requirements=["xgboost"])
    return _loaded(folder, ModelVersionRef("trees", 1, "0" * 64), 1), load_model(str(folder))


def said(served: Served, given: list[list[float]]) -> np.ndarray:
    return served.predict(Table(given)).values[:, 0]  # noqa: PD011 - an Answer's


def rows(count: int) -> list[list[float]]:
    """With missing values, and with some beyond what a float of 32 bits holds."""
    random = np.random.default_rng(count)
    values = random.normal(size=(count, len(FEATURES)))
    values[random.random(values.shape) < 0.1] = np.nan
    values[random.random(values.shape) < 0.05] *= 1e30
    return [[float(one) for one in row] for row in values]


@pytest.mark.parametrize("count", [1, 3, 500])
def test_a_booster_answers_as_pyfunc_does(tmp_path: Path, count: int) -> None:
    served, model = saved(tmp_path / "model", tiny_booster(3))
    assert served.direct
    given = rows(count)
    expected = np.asarray(model.predict(pd.DataFrame(given, columns=list(FEATURES))), dtype=np.float64)
    assert np.array_equal(said(served, given), expected)


def test_a_number_beyond_32_bits_is_refused_with_its_place_as_pyfunc_refuses_it(tmp_path: Path) -> None:
    served, model = saved(tmp_path / "model", tiny_booster(3))
    given = [[0.5, 0.5, 0.5], [0.5, 1e39, 0.5]]
    with pytest.raises(xgboost.core.XGBoostError):
        model.predict(pd.DataFrame(given, columns=list(FEATURES)))
    with pytest.raises(Refused, match="too large for the model") as refused:
        served.predict(Table(given))
    assert (refused.value.faults[0].row, refused.value.faults[0].column) == (1, FEATURES[1])


def test_a_classifier_of_xgboost_decides_itself_what_it_answers(tmp_path: Path) -> None:
    classifier = xgboost.XGBClassifier(n_estimators=2, max_depth=2, n_jobs=1)
    classifier.fit(pd.DataFrame(np.eye(3)[[0, 1, 2, 0]], columns=list(FEATURES)), [0, 1, 1, 0])
    served, model = saved(tmp_path / "model", classifier)
    assert not served.direct
    given = rows(20)
    expected = np.asarray(model.predict(pd.DataFrame(given, columns=list(FEATURES))), dtype=np.float64)
    assert np.array_equal(said(served, given), expected)


@pytest.mark.parametrize("given", [["p", "p"], ["p", "\ud800"], ["p"], "pq", None])
def test_outputs_whose_names_cannot_be_told_apart_or_written_go_by_number(given: object) -> None:
    assert outputs_of({"outputs": ["p", "q"]}, SIGNATURE, 2) == ("p", "q")
    assert outputs_of({"outputs": given}, SIGNATURE, 2) == ("output_0", "output_1")
    named = ModelSignature(SIGNATURE.inputs, Schema([ColSpec("float", name) for name in "ab"]))
    assert outputs_of({"outputs": given}, named, 2) == ("a", "b")


def test_a_graph_computes_few_rows_in_one_thread_and_many_in_all(exported: Path) -> None:
    import torch

    call = _graph(exported, 3)
    before = torch.get_num_threads()
    try:
        for count, threads in ((1, 1), (SMALL + 1, 3), (SMALL, 1)):
            call(np.zeros((count, 3)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
