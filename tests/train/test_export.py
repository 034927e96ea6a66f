"""The exported graph: any number of rows, the training side's answers, and nothing that leaks from one stream to another."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow.pyfunc import PyFuncModel, load_model

from train import tracking
from train.config import Settings
from train.fit import Trained
from train.flows import NO_CONTEXT, Flows
from train.moe import Router
from train.moe_outputs import OUTPUTS

# MLflow hands its own read-only copy of the rows to torch, which says so once in a process.
pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")


@pytest.fixture(scope="module")
def loaded(exported: Path) -> PyFuncModel:
    return load_model(str(exported))


def many(flows: Flows, count: int) -> Flows:
    """Rows of several streams and of none, with what is no number among them."""
    source = np.random.RandomState(count)
    rows = np.sort(source.randint(0, len(flows), count))
    values = flows.values[rows].copy()
    odd = source.random_sample(values.shape)
    values[odd < 0.02] = np.nan
    values[(odd > 0.02) & (odd < 0.03)] = np.inf
    values[(odd > 0.03) & (odd < 0.04)] = -np.inf
    return replace(flows.take(rows), values=values, stream=source.randint(NO_CONTEXT, 4, count))


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6, 8192])
def test_exported_answers_are_those_of_the_training_side(
    loaded: PyFuncModel, trained: Trained, flows: Flows, settings: Settings, count: int
) -> None:
    assert settings.window == 5  # so the counts are one, two, the window less one, the window, one more, the most of a call
    some = many(flows, count)
    answer: np.ndarray = np.asarray(loaded.predict(some.frame()))
    with torch.no_grad():
        expected = trained.model(torch.from_numpy(some.inputs())).numpy()
    assert answer.shape == (count, len(OUTPUTS))
    np.testing.assert_allclose(answer, expected, atol=1e-5, rtol=0)


def test_a_router_that_trusts_context_is_exported_as_it_is(trained: Trained, flows: Flows, tmp_path: Path) -> None:
    model = copy.deepcopy(trained.model)
    for part in model.modules():
        if isinstance(part, Router):
            part.trust_context = True
    tracking.save(model, flows, tmp_path / "model", {"seed": 0})
    some = many(flows, 60)
    answer: np.ndarray = np.asarray(load_model(str(tmp_path / "model")).predict(some.frame()))
    with torch.no_grad():
        expected, without = (one(torch.from_numpy(some.inputs())).numpy() for one in (model, trained.model))
    np.testing.assert_allclose(answer, expected, atol=1e-5, rtol=0)
    assert np.abs(answer - without).max() > 1e-4, "it weighs rows with context otherwise"


def test_a_stream_is_answered_alike_alone_and_among_others(loaded: PyFuncModel, flows: Flows) -> None:
    some = many(flows, 700)
    together: np.ndarray = np.asarray(loaded.predict(some.frame()))
    alone: np.ndarray
    for stream in range(4):
        mine = np.flatnonzero(some.stream == stream)
        alone = np.asarray(loaded.predict(some.take(mine).frame()))
        np.testing.assert_allclose(alone, together[mine], atol=1e-6, rtol=0)
    for row in np.flatnonzero(some.stream == NO_CONTEXT)[:20]:
        alone = np.asarray(loaded.predict(some.take(np.array([row])).frame()))
        np.testing.assert_allclose(alone[0], together[row], atol=1e-6, rtol=0)


def test_columns_in_another_order_give_the_same_answers(loaded: PyFuncModel, flows: Flows) -> None:
    frame = many(flows, 60).frame()
    mixed = frame[np.random.RandomState(0).permutation(frame.columns)]
    assert np.array_equal(np.asarray(loaded.predict(mixed)), np.asarray(loaded.predict(frame)))
