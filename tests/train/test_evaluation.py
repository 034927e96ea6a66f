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

from train import blocks, evaluation, scoring, tracking
from train.baseline import fit as fit_baseline
from train.blocks import following
from train.config import Settings
from train.errors import TrainError
from train.evaluation import ENTROPY, evaluate, outcomes
from train.fit import Trained
from train.flows import NO_CONTEXT, STREAM, Flows
from train.metrics import BINS, classes, figures, part
from train.moe_outputs import EXPERTS, OUTPUTS
from train.report import measure
from train.scoring import Scorer, load, pieces, predict
from train.tally import fold

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


@pytest.fixture(scope="module")
def scorer(exported: Path) -> Scorer:
    return load(exported)


@pytest.mark.parametrize("rows", [1, 2, 4, 5, 300])
def test_the_exported_model_answers_as_in_training(
    loaded: PyFuncModel, trained: Trained, flows: Flows, settings: Settings, rows: int
) -> None:
    assert settings.window == 5  # so the cases are one row, two, the window less one, the window, many
    some = flows.take(np.arange(100, 100 + rows))
    answer: np.ndarray = np.asarray(loaded.predict(some.frame()))
    assert answer.shape == (rows, len(OUTPUTS))
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


def test_predict_in_pieces_equals_one_call_whatever_the_streams(scorer: Scorer, flows: Flows, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = np.where(np.arange(900) < 700, np.arange(900) % 3, NO_CONTEXT)
    some = replace(flows, stream=streams)
    whole = predict(scorer, some)
    monkeypatch.setattr(scoring, "PIECE", 100)
    cut = list(pieces(np.sort(streams)))
    assert len(cut) > 10
    assert all(before[2] == after[1] for before, after in pairwise(cut))
    np.testing.assert_allclose(predict(scorer, some), whole, atol=1e-5, rtol=0)


def test_predict_answers_in_the_order_of_the_rows(scorer: Scorer, trained: Trained, flows: Flows) -> None:
    some = replace(flows.take(np.arange(90)), stream=np.arange(90) % 4)
    np.testing.assert_allclose(predict(scorer, some), direct(trained, some), atol=1e-5, rtol=0)


def test_the_counts_add_up(exported: Path, rows_file: Path, flows: Flows) -> None:
    found = evaluate(exported, rows_file, {"dataset": "synthetic"})
    attacks = int(flows.attack.sum())
    assert found["schema"] == "promotion/counts/v1"
    assert found["rows"] == 900
    assert isinstance(found["parts"], dict)
    assert isinstance(found["sums"], dict)
    assert isinstance(found["classes"], dict)
    assert set(found["parts"]) == {"model", *EXPERTS}
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


def test_shards_by_stream_add_up_to_the_whole(scorer: Scorer, flows: Flows) -> None:
    some = replace(flows, stream=np.arange(900) // 300)
    whole = predict(scorer, some)[:, 0]
    shards = [some.take(some.stream == stream) for stream in range(3)]
    parts = [np.array(part(predict(scorer, shard)[:, 0], shard.attack)["confusion"]) for shard in shards]
    assert np.sum(parts, axis=0).tolist() == part(whole, some.attack)["confusion"]


def test_without_context_rows_are_measured_alone(exported: Path, scorer: Scorer, rows_file: Path, flows: Flows) -> None:
    alone = evaluate(exported, rows_file, {"dataset": "synthetic", "context": False})
    by_itself = np.concatenate([predict(scorer, flows.take(np.array([row]))) for row in range(0, 900, 90)])
    answer = predict(scorer, flows.without_context())
    np.testing.assert_allclose(answer[::90], by_itself, atol=1e-6, rtol=0)
    assert alone["sums"] == pytest.approx({name: answer[:, place].sum() for place, name in enumerate(OUTPUTS) if "router." in name})
    assert evaluate(exported, rows_file, {"dataset": "synthetic"})["sums"] != alone["sums"]


@pytest.mark.parametrize("bad", [np.nan, -0.01, 1.01, np.inf])
def test_a_score_that_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(TrainError, match="1 of 3 rows got a score that is no probability"):
        part(np.array([0.2, bad, 0.9]), np.array([False, True, True]))


def test_a_model_that_answers_nan_is_refused(trained: Trained, flows: Flows, rows_file: Path, tmp_path: Path) -> None:
    class Broken(torch.nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs[:, : len(OUTPUTS)] * torch.nan

    tracking.save(Broken(), flows, tmp_path / "model", {})
    with pytest.raises(TrainError, match="900 of 900 rows"):
        evaluate(tmp_path / "model", rows_file, {"dataset": "synthetic"})
    with pytest.raises(TrainError, match=r"\d+ of 900 rows got a score that is no probability"):
        list(outcomes(tmp_path / "model", rows_file, {"dataset": "synthetic"}))


@pytest.mark.parametrize(("score", "read"), [(1 + 1.2e-7, 1.0), (-1e-8, 0.0), (1.001, None), (-0.001, None), (np.nan, None)])
def test_what_rounding_adds_is_no_mistake_of_the_model(flows: Flows, score: float, read: float | None) -> None:
    model = Scorer(flows.columns, ("attack",), 0.5, lambda rows: np.full((len(rows), 1), score, dtype=np.float32))
    if read is None:
        with pytest.raises(TrainError, match="900 of 900 rows got a score that is no probability"):
            list(evaluation.of_flows(model, flows))
    else:
        assert {float(one) for block in evaluation.of_flows(model, flows) for one in block["parts"]["model"]["score"]} == {read}


def test_counts_and_classes_of_known_scores() -> None:
    scores, attack = np.array([0.0, 0.5, 1.0, 0.4999, 0.9]), np.array([False, False, True, True, True])
    counted = part(scores, attack)
    assert counted["confusion"] == [[1, 1], [1, 2]]
    assert isinstance(counted["scores"], dict)
    assert [place for place, count in enumerate(counted["scores"]["positive"]) if count] == [99, 180, 199]
    told = classes(scores, attack, np.array(["BENIGN", "BENIGN", "Bot", "Bot", "DoS"]))
    assert told == {"BENIGN": {"support": 2, "correct": 1}, "Bot": {"support": 2, "correct": 1}, "DoS": {"support": 1, "correct": 1}}
    assert figures(scores, attack)["attack_f1"] == pytest.approx(2 / 3)


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
    infinite, missing = flows.values.copy(), flows.values.copy()
    infinite[:, 3], missing[:, 3] = np.inf, np.nan
    one, other = (predict(tmp_path / "model", replace(flows, values=values)) for values in (infinite, missing))
    assert np.array_equal(one, other)


def test_the_random_forest_is_measured_by_the_same_evaluator(flows: Flows, settings: Settings, rows_file: Path, tmp_path: Path) -> None:
    values = flows.values.copy()
    values[::7, 3], values[::5, 4], values[::3, 5] = np.nan, np.inf, 1e300
    broken = replace(flows, values=values)
    fitted = fit_baseline(broken, settings, "random-forest")
    tracking.save(fitted.model, flows, tmp_path / "model", {})
    answer = predict(tmp_path / "model", broken)[:, 0]
    np.testing.assert_allclose(answer, fitted.predict(broken), atol=1e-6)
    assert figures(answer, flows.attack)["attack_f1"] > 0.8
    assert evaluate(tmp_path / "model", rows_file, {"dataset": "synthetic"})["rows"] == 900


def test_pieces_repeat_the_rows_of_their_own_stream_alone() -> None:
    step = scoring.PIECE - scoring.CONTEXT
    none, one = np.full(3 * step, NO_CONTEXT), np.zeros(2 * step + 1, dtype=np.int64)
    assert list(pieces(none)) == [(0, 0, step), (step, step, 2 * step), (2 * step, 2 * step, 3 * step)]
    assert list(pieces(one)) == [(0, 0, step), (step - 31, step, 2 * step), (2 * step - 31, 2 * step, 2 * step + 1)]
    young = np.concatenate([np.zeros(step - 5, dtype=np.int64), np.ones(9, dtype=np.int64)])
    assert list(pieces(young)) == [(0, 0, step), (step - 5, step, step + 4)]
    assert list(pieces(np.zeros(0, dtype=np.int64))) == []
    assert scoring.PIECE <= scoring.MOST_ROWS


@pytest.mark.parametrize(("sizes", "passes"), [((900,), 1), ((100, 0, 1, 799), 2), ((*[37] * 24, 12), 25)])
def test_rows_that_come_in_blocks_are_answered_as_those_of_one(
    scorer: Scorer, flows: Flows, sizes: tuple[int, ...], passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = replace(flows, stream=np.where(np.arange(900) % 7 == 0, NO_CONTEXT, np.arange(900) // 13 % 6))
    edges = np.cumsum([0, *sizes])
    cut = [some.take(np.arange(start, stop)) for start, stop in pairwise(edges)]
    expected = measure(scorer, some)
    monkeypatch.setattr(blocks, "GATHERED", 30)
    passed = list(following(cut))
    assert len(passed) == passes
    scored = [predict(scorer, rows)[before:] for rows, before in passed]
    np.testing.assert_allclose(np.concatenate(scored), predict(scorer, some), atol=1e-5, rtol=0)
    assert sum(before for _, before in passed) <= 6 * scoring.CONTEXT * (len(passed) - 1)
    found = measure(scorer, cut)
    for ours, theirs in ((found.ordered, expected.ordered), (found.shuffled, expected.shuffled)):
        assert ours.rows == theirs.rows == 900
        assert ours.figures()["roc_auc"] == pytest.approx(theirs.figures()["roc_auc"], abs=1e-3)


def test_streams_with_large_numbers_stay_apart_in_float32(scorer: Scorer, flows: Flows) -> None:
    """As float32, 2 ** 24 and the number after it are one."""
    some = replace(flows.take(np.arange(60)), stream=2**24 + np.arange(60) % 2)
    small = replace(some, stream=np.arange(60) % 2)
    assert np.array_equal(predict(scorer, some), predict(scorer, small))
    joined = replace(some, stream=np.zeros(60, dtype=np.int64))
    assert np.abs(predict(scorer, some) - predict(scorer, joined)).max() > 1e-4


def test_outcomes_tell_of_each_row_once_what_the_model_said(exported: Path, rows_file: Path, flows: Flows) -> None:
    told_ = list(outcomes(exported, rows_file, {"dataset": "synthetic"}))
    assert all(len(block["index"]) <= 8192 for block in told_)
    index = np.concatenate([block["index"] for block in told_])
    assert sorted(index.tolist()) == list(range(900))
    answer = dict(zip(OUTPUTS, predict(exported, flows).T, strict=True))
    for block in told_:
        rows = block["index"]
        assert (block["schema"], block["positive"], block["labels"]) == ("promotion/outcomes/v1", "attack", ["benign", "attack"])
        assert set(block) == {"schema", "positive", "labels", "seconds", "index", "group", "truth", "class", "parts", "values"}
        assert np.array_equal(block["truth"], flows.attack[rows])
        assert np.array_equal(block["class"], flows.kinds[rows])
        assert {array.dtype.name for array in (block["index"], block["group"], block["truth"])} == {"int64"}
        assert set(block["parts"]) == {"model", *EXPERTS}
        for name, told in block["parts"].items():
            assert np.array_equal(told["score"], answer["attack" if name == "model" else name][rows])
            assert np.array_equal(told["predicted"], told["score"] >= 0.5)
            assert (told["score"].dtype.name, told["predicted"].dtype.name) == ("float64", "int64")
        assert set(block["values"]) == {*(f"router.{name}" for name in EXPERTS), ENTROPY}
        assert block["seconds"] > 0


def test_outcomes_and_counts_agree(exported: Path, rows_file: Path) -> None:
    for settings in ({"dataset": "synthetic"}, {"dataset": "synthetic", "context": False}):
        counts, tally = evaluate(exported, rows_file, settings), fold(outcomes(exported, rows_file, settings))
        assert isinstance(counts["parts"], dict)
        for place, name in enumerate(tally.parts):
            assert counts["parts"][name]["confusion"] == tally.confusion[place].tolist()
        told = {name: (one["support"], one["correct"]) for name, one in tally.by_class().items()}
        assert isinstance(counts["classes"], dict)
        assert told == {name: (one["support"], one["correct"]) for name, one in counts["classes"].items()}


def test_the_threshold_of_the_model_decides(trained: Trained, flows: Flows, rows_file: Path, tmp_path: Path) -> None:
    tracking.save(trained.model, flows, tmp_path / "model", {"threshold": 0.03})
    assert load(tmp_path / "model").threshold == 0.03
    block = next(outcomes(tmp_path / "model", rows_file, {"dataset": "synthetic"}))
    assert np.array_equal(block["parts"]["model"]["predicted"], block["parts"]["model"]["score"] >= 0.03)


def test_columns_are_found_by_name_and_one_that_lacks_is_told(scorer: Scorer, flows: Flows) -> None:
    other = replace(flows, columns=flows.columns[::-1], values=flows.values[:, ::-1])
    assert np.array_equal(predict(scorer, other), predict(scorer, flows))
    less = replace(flows, columns=flows.columns[2:], values=flows.values[:, 2:])
    with pytest.raises(TrainError, match="takes 2 columns that these rows do not have: Flow Duration, ") as caught:
        predict(scorer, less)
    assert caught.value.hint == "is --dataset the one that the model was trained on?"


def test_codes_that_stand_for_other_words_are_refused(trained: Trained, flows: Flows, tmp_path: Path) -> None:
    name = flows.columns[0]
    ours = replace(flows, categorical=(name,), categories={name: ("other", "tcp", "udp")})
    tracking.save(trained.model, ours, tmp_path / "model", {})
    scorer = load(tmp_path / "model")
    assert np.array_equal(predict(scorer, ours), predict(scorer, flows))
    with pytest.raises(TrainError, match=f"the codes of {name} in these rows stand for other words"):
        predict(scorer, replace(ours, categories={name: ("other", "udp", "tcp")}))


def test_a_setting_that_does_not_exist_is_refused(exported: Path, rows_file: Path) -> None:
    with pytest.raises(TrainError, match="there is no setting 'contxt'"):
        list(outcomes(exported, rows_file, {"dataset": "synthetic", "contxt": False}))
