"""The evaluator for tables and numbers: its figures and its resamples are scikit-learn's, and what it cannot read is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from promotion.answers import numbers
from promotion.domain import Place
from promotion.figures import derived, figures
from promotion.outcomes import fold
from promotion.reconcile import Options
from promotion.replicates import read
from promotion.resampling import weights
from promotion.tabular import regression
from promotion.verdicts import Status
from tests.promotion.tabular import tables
from tests.promotion.tabular.test_policy import log, told
from tests.promotion.tabular.test_policy import read as read_policy
from tests.scene import NAMING, Scene

BASE = {"target": "value", "output": "value"}
EVALUATION = """version: 1
evaluations:
  prices:
    models: ["*"]
    builtin: tabular-regression
    dataset: {{path: prices.csv, sha256: {digest}}}
    target: value
    group: customer
    timeout: 120
"""


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset twice, and models that tell numbers, classes, and nothing."""
    folder = tmp_path_factory.mktemp("numbers")
    table = tables.rows(labels=(0, 1)).drop(columns=["churned"])
    table.to_csv(folder / "rows.csv", index=False)
    table.to_parquet(folder / "rows.parquet")
    tables.save(folder / "prices", tables.regressor())
    tables.save(folder / "three", tables.booster(labels=3))
    tables.save(folder / "speechless", tables.speechless(tables.booster()))
    return folder


def measured(kept: Path, model: str = "prices", dataset: str = "rows.csv", **settings: Any) -> tuple[Any, Any]:
    return fold(regression(kept / model, kept / dataset, {**BASE, **settings}))


def reference(kept: Path) -> tuple[Any, Any]:
    table = pd.read_csv(kept / "rows.csv")
    return table["value"].to_numpy(), mlflow.pyfunc.load_model(str(kept / "prices")).predict(table[list(tables.COLUMNS)]).astype(float)


def test_its_figures_are_scikit_learns(kept: Path) -> None:
    truth, said = reference(kept)
    found = figures(measured(kept)[0])
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, said))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, said))
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, said))
    assert found["bias"] == pytest.approx((said - truth).mean())
    assert found["rows"] == len(truth)
    assert not {"f1", "accuracy"} & set(found)


@pytest.mark.parametrize("group", [None, "customer"])
def test_its_resamples_are_scikit_learns_of_the_resampled_rows(kept: Path, group: str | None) -> None:
    truth, said = reference(kept)
    counts, made = measured(kept, **({} if group is None else {"group": group}))
    again = read(made.to_bytes(), counts)
    assert again.unit == ("row" if group is None else "group")
    if group is not None:
        assert again.units("mae") < len(truth) / 2, "three rows each go together"
        return
    drawn = weights(np.arange(len(truth)))
    known = {"mae": metrics.mean_absolute_error, "rmse": metrics.root_mean_squared_error, "r2": metrics.r2_score}
    for name, scored in known.items():
        values = again.figure(name, counts)
        assert values is not None
        for resample in (0, 1, 999):
            assert values[resample] == pytest.approx(scored(truth, said, sample_weight=drawn[:, resample]))


def test_csv_and_parquet_give_the_same(kept: Path) -> None:
    one, other = (measured(kept, dataset=f"rows.{kind}", group="customer") for kind in ("csv", "parquet"))
    assert figures(one[0])["rmse"] == pytest.approx(figures(other[0])["rmse"], rel=1e-12)


def test_large_numbers_that_spread_little_keep_their_r2(kept: Path, tmp_path: Path) -> None:
    """Of 1e9 and more with a spread of tens, sums of squares about 0 would leave no digit."""
    table = pd.read_csv(kept / "rows.csv")
    table.assign(value=table["value"] + 1e9).to_csv(tmp_path / "far.csv", index=False)
    truth, said = reference(kept)
    found = figures(fold(regression(kept / "prices", tmp_path / "far.csv", BASE))[0])
    assert found["r2"] == pytest.approx(metrics.r2_score(truth + 1e9, said), rel=1e-6)
    # The truth's spread, from the same counts: it is that of the rows before they were moved.
    spread = (found["rmse"] ** 2) / (1 - found["r2"])
    assert spread == pytest.approx(truth.var(), rel=1e-3)


def test_a_constant_truth_has_no_r2(kept: Path, tmp_path: Path) -> None:
    pd.read_csv(kept / "rows.csv").assign(value=0.1).to_csv(tmp_path / "flat.csv", index=False)
    found = figures(fold(regression(kept / "prices", tmp_path / "flat.csv", BASE))[0])
    assert np.isnan(found["r2"])
    assert np.isfinite(found["mae"])


def test_ablation_of_numbers_is_against_the_part_that_errs_least() -> None:
    truth = np.arange(100.0)
    parts = {"model": {"predicted": truth + 1}, "near": {"predicted": truth + 2}, "far": {"predicted": truth - 5}}
    block = {"schema": "promotion/regression-outcomes/v1", "seconds": 0.0, "index": np.arange(100), "truth": truth, "parts": parts}
    counts, made = fold([block])
    found = derived(counts)
    assert (found["ablation.mae"], found["far.bias"]) == (-1, -5)
    assert found["ablation.r2"] > 0
    assert "ablation.bias" not in found
    values = made.figure("ablation.mae", counts)
    assert values is not None
    assert np.allclose(values, -1)


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("speechless", {}, "row 0: the model answers NaN"),
    ("three", {}, "the model answers with 3 columns (0, 1, 2): name the one that holds the number by output"),
    ("prices", {"output": "price"}, "the model's answer has no column 'price'"),
    ("prices", {"target": "left"}, "the dataset has no column 'left'; it has age, visits"),
    ("prices", {"target": "age"}, "the model takes 'age' as an input"),
    ("prices", {"target": "customer"}, "column 'customer' of the dataset holds"),
]


@pytest.mark.parametrize(("model", "settings", "words"), BAD, ids=[f"{one} {list(given.values())}" for one, given, _ in BAD])
def test_what_does_not_fit_is_told(kept: Path, model: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the words are what is tried
        measured(kept, model, **settings)
    assert words in str(caught.value), caught.value


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (np.array([1.0, np.inf]), "row 11: the model answers inf"),
        (np.array([True, False]), "with bool, not with numbers"),
        (np.array(["a", "b"]), "not with numbers"),
        (np.zeros(3), "3 rows"),
    ],
)
def test_what_is_no_number_is_told_with_its_row(said: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        numbers(said, 2, "value", 10)


def test_a_column_of_a_table_holds_the_number() -> None:
    table = pd.DataFrame({"low": [1, 2], "price": [3, 4]})
    assert numbers(table, 2, "price", 0).tolist() == [3, 4]


@pytest.mark.parametrize("spoilt", [[np.nan], [np.inf]])
def test_rows_without_their_truth_are_told(kept: Path, tmp_path: Path, spoilt: list[float]) -> None:
    table = pd.read_csv(kept / "rows.csv")
    table.loc[41, "value"] = spoilt[0]
    table.to_csv(tmp_path / "gap.csv", index=False)
    with pytest.raises(ValueError, match="row 41 of the dataset has no"):
        fold(regression(kept / "prices", tmp_path / "gap.csv", BASE))


def built(digest: str = "a" * 64) -> str:
    return EVALUATION.format(digest=digest)


def test_a_policy_names_what_it_gives_and_nothing_else() -> None:
    (found,) = read_policy(built()).evaluations
    assert (found.evaluator, found.settings) == (
        "promotion.tabular:regression",
        {"target": "value", "group": "customer", "output": "value"},
    )
    assert found.place == Place("policies/evaluations.yaml", 3, 3)
    assert read_policy(built(), "{gate: bound, metric: rmse, max: 3}", "{gate: compare, metric: mae, margin: 1}").rules
    (problem,) = told(built(), "{gate: bound, metric: rsme, max: 3}")
    assert problem == (
        "policies/staging.yaml:4:27: 'prices' cannot give 'rsme': it is tabular-regression with output: value [did you mean 'rmse'?]"
    )
    assert "cannot give 'f1'" in told(built(), "{gate: bound, metric: f1, min: 0.5}")[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("tabular-regression", "tabular-regresion"), "did you mean 'tabular-regression'?"),
        (("    target: value\n", ""), "'target' of 'prices' is missing"),
        (("target: value", "label: value"), "unknown key 'label'"),
        (("group: customer", "group: value"), "target and group are the same column"),
        (("timeout: 120", "positive: 1"), "unknown key 'positive'"),
    ],
)
def test_what_is_wrong_with_an_evaluation_is_told_at_its_place(change: tuple[str, str], words: str) -> None:
    problems = told(built().replace(*change))
    assert any(words in one for one in problems), problems


def test_a_team_promotes_compares_and_refuses_models_that_tell_numbers(scene: Scene, tmp_path: Path) -> None:
    data = scene.folder / "prices.csv"
    tables.rows(1200).drop(columns=["churned"]).to_csv(data, index=False)
    (scene.folder / "policies" / "evaluations.yaml").write_text(built(tables.digest(data)))
    rules = NAMING + "  - {gate: bound, metric: r2, min: 0.8, of: lower}\n  - {gate: compare, metric: rmse, margin: 1.5, first: pass}\n"
    for environment in ("staging", "production"):
        scene.rule(environment, rules)
    models = {"good": tables.regressor(), "better": tables.regressor(rounds=40), "worse": tables.regressor(rounds=8)}
    assert [log(scene, model, tmp_path / name) for name, model in models.items()] == [1, 2, 3]
    scene.declare(production=1)
    assert scene.reconcile().exit_code == 0
    scene.declare(production=2)
    outcome = scene.reconcile()
    assert outcome.exit_code == 0, outcome.decision
    (compared,) = [one for one in outcome.done[0].verdicts if one.gate == "compare"]
    assert compared.expected.startswith("rmse not above that of production + 1.5")
    assert "interval" in compared.got
    scene.declare(production=3)
    refused = scene.reconcile(Options())
    assert refused.exit_code == 4
    told_by = {one.gate: one.status for one in refused.refused[0].verdicts if one.status.blocks}
    assert told_by.get("compare") is Status.FAILED, "a larger error is worse, without saying so"
    assert scene.shown()["stages"][2] == "Production"
