"""The exported folder answers as the model did in training, and the evaluator's counts add up."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow.pyfunc import PyFuncModel, load_model

from train import evaluation, tracking
from train.baseline import fit as fit_baseline
from train.config import Settings
from train.datasets.synthetic import write
from train.evaluation import evaluate, predict
from train.fit import Trained
from train.flows import NO_CONTEXT, STREAM, Flows
from train.metrics import BINS, classes, figures, part
from train.report import document, scored

# MLflow hands its own read-only copy of the rows to torch, which says so once in a process.
pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")


def direct(trained: Trained, flows: Flows) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(trained.model(torch.from_numpy(flows.inputs())))


@pytest.fixture(scope="module")
def loaded(exported: Path) -> PyFuncModel:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        return load_model(str(exported))


@pytest.mark.parametrize("rows", [1, 2, 4, 5, 300])
def test_the_exported_model_answers_as_in_training(
    loaded: PyFuncModel, trained: Trained, flows: Flows, settings: Settings, rows: int
) -> None:
    assert settings.window == 5  # so the cases are one row, two, the window less one, the window, many
    some = flows.take(np.arange(100, 100 + rows))
    answer: np.ndarray = np.asarray(loaded.predict(some.frame()))
    assert answer.shape == (rows, 5)
    np.testing.assert_allclose(answer, direct(trained, some), atol=1e-5, rtol=0)


def test_columns_in_another_order_give_the_same_answers(loaded: PyFuncModel, flows: Flows) -> None:
    frame = flows.take(np.arange(60)).frame()
    mixed = frame[list(reversed(frame.columns))]
    assert list(mixed.columns) != list(frame.columns)
    assert np.array_equal(np.asarray(loaded.predict(mixed)), np.asarray(loaded.predict(frame)))


def test_the_signature_names_double_columns_with_the_stream_last(loaded: PyFuncModel, flows: Flows) -> None:
    schema = loaded.metadata.get_input_schema()
    assert schema.input_names() == [*flows.columns, STREAM]
    assert {column.type.name for column in schema.inputs} == {"double"}


def test_the_folder_holds_no_pickle_but_torchs_own_sample_inputs(exported: Path) -> None:
    files = [file for file in exported.rglob("*") if file.is_file()]
    archives = [file for file in files if file.suffix == ".pt2"]
    assert len(archives) == 1
    assert not [file.name for file in files if file.suffix in {".pkl", ".pickle", ".pth", ".pt", ".joblib"}]
    with zipfile.ZipFile(archives[0]) as archive:
        pickles = [
            name
            for name in archive.namelist()
            if name.endswith((".pkl", ".pt")) or b"torch._utils" in archive.read(name)[:4096] or archive.read(name)[:2] == b"\x80\x02"
        ]
    assert {name.split("/", 1)[1] for name in pickles} <= {"data/sample_inputs/model.pt"}


def test_predict_in_pieces_equals_one_call_whatever_the_streams(exported: Path, flows: Flows, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = np.where(np.arange(900) < 700, np.arange(900) % 3, NO_CONTEXT)
    some = replace(flows, stream=streams)
    whole = predict(exported, some)
    monkeypatch.setattr(evaluation, "MOST_ROWS", 100)
    pieces = list(evaluation._pieces(900))
    assert len(pieces) > 10
    assert all(before[2] == after[1] for before, after in pairwise(pieces))
    np.testing.assert_allclose(predict(exported, some), whole, atol=1e-5, rtol=0)


def test_predict_answers_in_the_order_of_the_rows(exported: Path, trained: Trained, flows: Flows) -> None:
    some = replace(flows.take(np.arange(90)), stream=np.arange(90) % 4)
    np.testing.assert_allclose(predict(exported, some), direct(trained, some), atol=1e-5, rtol=0)


def test_the_counts_add_up(exported: Path, rows_file: Path, flows: Flows) -> None:
    found = evaluate(exported, rows_file, {"dataset": "synthetic"})
    attacks = int(flows.attack.sum())
    assert found["schema"] == "promotion/counts/v1"
    assert found["rows"] == 900
    assert isinstance(found["parts"], dict)
    assert isinstance(found["sums"], dict)
    assert isinstance(found["classes"], dict)
    assert set(found["parts"]) == {"model", "tabular", "temporal"}
    for one in found["parts"].values():
        benign, attack = one["confusion"]
        assert (sum(benign), sum(attack)) == (900 - attacks, attacks)
        assert (sum(one["scores"]["negative"]), sum(one["scores"]["positive"])) == (900 - attacks, attacks)
        # A threshold of 0.5 is an edge of the bins: both tell the same.
        assert sum(one["scores"]["positive"][BINS // 2 :]) == attack[1]
    assert sum(found["sums"].values()) == pytest.approx(900, abs=1e-3)
    assert sum(one["support"] for one in found["classes"].values()) == 900
    matrix = found["parts"]["model"]["confusion"]
    assert sum(one["correct"] for one in found["classes"].values()) == matrix[0][0] + matrix[1][1]


def test_shards_by_stream_add_up_to_the_whole(exported: Path, flows: Flows) -> None:
    some = replace(flows, stream=np.arange(900) // 300)
    whole = predict(exported, some)[:, 0]
    shards = [some.take(some.stream == stream) for stream in range(3)]
    parts = [np.array(part(predict(exported, shard)[:, 0], shard.attack)["confusion"]) for shard in shards]
    assert np.sum(parts, axis=0).tolist() == part(whole, some.attack)["confusion"]


def test_without_context_rows_are_measured_alone(exported: Path, rows_file: Path) -> None:
    alone = evaluate(exported, rows_file, {"dataset": "synthetic", "context": False})
    assert isinstance(alone["sums"], dict)
    assert alone["sums"]["router.temporal"] == pytest.approx(0, abs=1e-6)
    assert evaluate(exported, rows_file, {"dataset": "synthetic"})["sums"] != alone["sums"]


@pytest.mark.parametrize("bad", [np.nan, -0.01, 1.01, np.inf])
def test_a_score_that_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="1 of 3 rows got a score that is no probability"):
        part(np.array([0.2, bad, 0.9]), np.array([False, True, True]))


def test_a_model_that_answers_nan_is_refused(trained: Trained, flows: Flows, rows_file: Path, tmp_path: Path) -> None:
    class Broken(torch.nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs[:, :5] * torch.nan

    tracking.save(Broken(), flows, tmp_path / "model", {})
    with pytest.raises(ValueError, match="900 of 900 rows"):
        evaluate(tmp_path / "model", rows_file, {"dataset": "synthetic"})


def test_counts_and_classes_of_known_scores() -> None:
    scores, attack = np.array([0.0, 0.5, 1.0, 0.4999, 0.9]), np.array([False, False, True, True, True])
    counted = part(scores, attack)
    assert counted["confusion"] == [[1, 1], [1, 2]]
    assert isinstance(counted["scores"], dict)
    assert [place for place, count in enumerate(counted["scores"]["positive"]) if count] == [99, 180, 199]
    told = classes(scores, attack, np.array(["BENIGN", "BENIGN", "Bot", "Bot", "DoS"]))
    assert told == {"BENIGN": {"support": 2, "correct": 1}, "Bot": {"support": 2, "correct": 1}, "DoS": {"support": 1, "correct": 1}}
    assert figures(scores, attack)["attack_f1"] == pytest.approx(2 / 3)


def test_an_area_that_one_class_cannot_have_is_null_in_json(flows: Flows) -> None:
    benign = flows.take(~flows.attack)
    text = document(scored(np.full((len(benign), 1), 0.1), benign))
    assert '"roc_auc": null' in text
    assert "NaN" not in text


def test_the_xgboost_baseline_is_measured_by_the_same_evaluator(flows: Flows, settings: Settings, rows_file: Path, tmp_path: Path) -> None:
    fitted = fit_baseline(flows, settings, "xgboost")
    tracking.save(fitted.model, flows, tmp_path / "model", {})
    found = evaluate(tmp_path / "model", rows_file, {"dataset": "synthetic"})
    assert isinstance(found["parts"], dict)
    assert set(found["parts"]) == {"model"}
    assert found["sums"] == {}
    answer = predict(tmp_path / "model", flows)
    assert answer.shape == (900, 1)
    np.testing.assert_allclose(answer[:, 0], fitted.predict(flows), atol=1e-6)
    infinite = flows.values.copy()
    infinite[:, 3] = np.inf
    assert np.isfinite(predict(tmp_path / "model", replace(flows, values=infinite))).all()


def test_the_random_forest_takes_what_is_no_number(flows: Flows, settings: Settings) -> None:
    values = flows.values.copy()
    values[::7, 3], values[::5, 4] = np.nan, np.inf
    broken = replace(flows, values=values)
    scores = fit_baseline(broken, settings, "random-forest").predict(broken)
    assert figures(scores, flows.attack)["attack_f1"] > 0.8


def test_a_thousand_more_rows_cost_no_more_calls_than_needed(tmp_path: Path) -> None:
    write(tmp_path / "one.csv", rows=1, seed=0)
    assert list(evaluation._pieces(evaluation.MOST_ROWS - evaluation.CONTEXT)) == [(0, 0, 8161)]
    assert list(evaluation._pieces(8162)) == [(0, 0, 8161), (8130, 8161, 8162)]
    assert list(evaluation._pieces(0)) == []
