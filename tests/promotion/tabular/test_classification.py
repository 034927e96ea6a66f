"""The evaluator for tables and classes: its figures are scikit-learn's, and what it cannot read is told with the row or the column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from promotion.answers import OTHER, Asked, labels_of, text_of, told
from promotion.figures import figures
from promotion.outcomes import fold
from promotion.tabular import classification
from tests.promotion.tabular import tables

BASE = {"label": "churned", "positive": "yes"}


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Datasets with labels as words and as numbers, and models of two and of three labels."""
    folder = tmp_path_factory.mktemp("kept")
    for name, labels in (("words", ("no", "yes")), ("numbers", (0, 1)), ("three", ("a", "b", "c"))):
        table = tables.rows(labels=labels).drop(columns=["value"])
        table.to_csv(folder / f"{name}.csv", index=False)
        table.to_parquet(folder / f"{name}.parquet")
    tables.save(folder / "classes", tables.classifier())
    tables.save(folder / "chances", tables.booster())
    tables.save(folder / "chances-of-three", tables.booster(labels=3))
    tables.save(folder / "speechless", tables.speechless(tables.booster()))
    return folder


def measured(kept: Path, model: str, dataset: str, **settings: Any) -> tuple[Any, Any]:
    return fold(classification(kept / model, kept / dataset, {**BASE, **settings}))


def reference(dataset: Path, model: Path) -> tuple[Any, Any]:
    import mlflow.pyfunc

    table = pd.read_csv(dataset)
    return table["churned"], mlflow.pyfunc.load_model(str(model)).predict(table[list(tables.COLUMNS)])


def test_labels_give_scikit_learns_figures(kept: Path) -> None:
    truth, said = reference(kept / "numbers.csv", kept / "classes")
    found = figures(measured(kept, "classes", "numbers.csv", positive=1, output="labels")[0])
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, said))
    assert found["f1"] == pytest.approx(metrics.f1_score(truth, said))
    assert found["precision"] == pytest.approx(metrics.precision_score(truth, said))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(truth, said, average="macro"))
    assert found["class.0.recall"] == pytest.approx(metrics.recall_score(truth, said, pos_label=0))
    assert not {"roc_auc", "pr_auc", "log_loss", "brier"} & set(found), "labels tell nothing of probabilities"


def test_probabilities_give_scikit_learns_figures(kept: Path) -> None:
    truth, said = reference(kept / "numbers.csv", kept / "chances")
    found = figures(measured(kept, "chances", "numbers.csv", positive=1, output="probability")[0])
    assert found["f1"] == pytest.approx(metrics.f1_score(truth, said > 0.5))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, said.astype(float)))
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(truth, said))
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, said), abs=0.01)


def test_the_same_rows_as_words_or_numbers_as_csv_or_parquet_give_the_same(kept: Path) -> None:
    words = measured(kept, "chances", "words.csv", output="probability", group="customer")
    packed = measured(kept, "chances", "words.parquet", output="probability", group="customer")
    numbers = measured(kept, "chances", "numbers.csv", output="probability", group="customer", positive=1)
    same = ("f1", "log_loss", "roc_auc")
    assert words[1].to_bytes() == packed[1].to_bytes()
    assert [figures(words[0])[one] for one in same] == [figures(numbers[0])[one] for one in same]


def test_more_than_two_labels(kept: Path) -> None:
    table, said = pd.read_csv(kept / "three.csv"), reference(kept / "three.csv", kept / "chances-of-three")[1]
    truth, predicted = table["churned"], np.array(["a", "b", "c"])[said.argmax(axis=1)]
    found = figures(measured(kept, "chances-of-three", "three.csv", positive="b", output="probability")[0])
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    chances = said.astype(float) / said.astype(float).sum(axis=1, keepdims=True)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, chances), abs=1e-5)
    turned = figures(measured(kept, "chances-of-three", "three.csv", positive="b", output="probability", labels=["c", "b", "a"])[0])
    assert turned["accuracy"] < found["accuracy"] / 2, "the order of the columns is believed"


def test_a_threshold(kept: Path) -> None:
    truth, said = reference(kept / "numbers.csv", kept / "chances")
    found = figures(measured(kept, "chances", "numbers.csv", positive=1, output="probability", threshold=0.8)[0])
    assert found["recall"] == pytest.approx(metrics.recall_score(truth, said > 0.8))


def test_groups_are_resampled_together_and_are_no_input(kept: Path) -> None:
    _, alone = measured(kept, "classes", "numbers.csv", positive=1, output="labels")
    _, together = measured(kept, "classes", "numbers.csv", positive=1, output="labels", group="customer")
    assert (alone.unit, together.unit) == ("row", "group")
    assert together.units("accuracy") < alone.units("accuracy")


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("speechless", {"output": "probability"}, "row 0: the model answers NaN"),
    ("chances", {"output": "labels"}, "which is no label: say output: probability"),
    ("classes", {"output": "probability"}, "the model answers with int64, not with probabilities: say output: labels"),
    ("chances-of-three", {"output": "probability"}, "3 columns, where the dataset has 2 labels"),
    ("chances", {"output": "score"}, "the model's answer has no column 'score'"),
    ("chances", {"output": "probability", "label": "left"}, "the dataset has no column 'left'; it has age, visits"),
    ("chances", {"output": "probability", "label": "age"}, "takes 'age' as an input|too many for classes"),
    ("chances", {"output": "probability", "group": "house"}, "the dataset has no column 'house'"),
    ("chances", {"output": "probability", "positive": 7}, "no row of the dataset has the positive label '7'; there are 0, 1"),
    ("chances", {"output": "probability", "labels": [1, 2]}, "the dataset has the label '0', which the policy does not list"),
]


@pytest.mark.parametrize(("model", "settings", "words"), BAD, ids=[f"{model} {list(given.values())[-1]}" for model, given, _ in BAD])
def test_what_does_not_fit_is_told(kept: Path, model: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the words are what is tried
        measured(kept, model, "numbers.csv", **{"positive": 1, **settings})
    assert any(one in str(caught.value) for one in words.split("|")), caught.value


def test_rows_without_their_truth_or_their_columns_are_told(kept: Path, tmp_path: Path) -> None:
    table = pd.read_csv(kept / "words.csv")
    for name, spoilt, words in (
        ("gap", table.assign(churned=table["churned"].where(table.index != 41)), "row 41 of the dataset has no 'churned'"),
        ("narrow", table.drop(columns=["spent"]), "lacks columns that the model takes: spent"),
        ("odd", table.assign(age="old"), "column 'age' holds .*, where the model takes double"),
        ("empty", table[:0], "the dataset has no rows"),
    ):
        spoilt.to_csv(tmp_path / f"{name}.csv", index=False)
        with pytest.raises(ValueError, match=words):
            fold(classification(kept / "chances", tmp_path / f"{name}.csv", {**BASE, "output": "probability"}))


def asked(*labels: str, **settings: Any) -> Asked:
    return Asked(labels, len(labels) - 1, {"output": "labels", **settings})


def test_a_label_that_the_dataset_does_not_have_is_another() -> None:
    """Every model on the same rows then has the same labels, and two of them can be paired."""
    found = told(np.array(["no", "maybe", "yes"]), np.array([0, 0, 1]), asked("no", "yes"), 0)
    assert found.predicted.tolist() == [0, 2, 1]
    assert asked("no", "yes").all == ["no", "yes", OTHER]


def test_a_column_of_a_table_holds_labels_or_probabilities() -> None:
    table, truth = pd.DataFrame({"said": ["yes", "no"], "score": [0.9, 0.2]}), np.array([1, 1])
    assert told(table, truth, asked("no", "yes", output="score"), 0).predicted.tolist() == [1, 0]
    assert told(table, truth, asked("no", "yes", output="said", holds="labels"), 0).predicted.tolist() == [1, 0]
    with pytest.raises(ValueError, match="say output: labels"):
        told(table, truth, asked("no", "yes", output="said"), 0)


def test_columns_that_bear_the_labels_names_are_taken_by_them() -> None:
    table = pd.DataFrame({"yes": [0.9, 0.2], "no": [0.1, 0.8]})
    assert told(table, np.array([1, 1]), asked("no", "yes", output="probability"), 0).predicted.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (np.zeros((2, 2, 2)), "shape"),
        (np.zeros(3), "3 rows"),
        (np.array([0.5, 1.5]), "row 11: the model answers 1.5, which are no probabilities"),
        (np.array([[0.5, 0.5], [0.5, 0.1]]), "row 11: the model answers 0.5, 0.1"),
        (np.array([0.5, np.nan]), "row 11: the model answers NaN"),
        (np.array([0.5, np.inf]), "row 11: the model answers inf"),
        (np.array(["a", "b"]), "say output: labels"),
    ],
)
def test_what_is_no_probability_is_told_with_its_row(said: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        told(said, np.array([0, 1]), asked("no", "yes", output="probability"), 10)


@given(st.lists(st.one_of(st.integers(-(10**15), 10**15), st.booleans(), st.text(max_size=8), st.floats(allow_nan=False)), max_size=20))
def test_labels_are_the_same_text_however_they_are_kept(values: list[Any]) -> None:
    assert text_of(values) == text_of(np.array(values, dtype=object)) == text_of(pd.Series(values, dtype=object))
    whole = [value for value in values if type(value) is int]
    assert text_of(whole) == text_of(map(str, whole)) == text_of(map(float, whole)) == [str(one) for one in whole]


def test_numbers_are_sorted_by_their_value() -> None:
    assert labels_of(["10", "9", "1"], {"label": "x", "positive": 10}) == ["1", "9", "10"]
    with pytest.raises(ValueError, match="too many for classes"):
        labels_of([str(number) for number in range(300)], {"label": "x", "positive": 1})
