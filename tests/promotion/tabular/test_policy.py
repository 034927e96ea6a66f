"""A policy that names a built-in evaluator: what it may say, what is wrong with it and where, and a gate that needs no code of a team's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promotion.config.load import Source, load_policies
from promotion.errors import InvalidFiles
from promotion.kept import FolderEvidence
from promotion.policies import Policies
from promotion.reconcile import Options
from promotion.verdicts import Status
from tests.promotion.tabular import tables
from tests.scene import NAMING, RULES, Scene

EVALUATION = """version: 1
evaluations:
  customers:
    models: ["*"]
    builtin: tabular-classification
    dataset: {{path: customers.csv, sha256: {digest}}}
    label: churned
    positive: "yes"
    group: customer
    output: {output}
    timeout: 120
"""


def read(evaluation: str, *rules: str) -> Policies:
    sources = [Source("policies/evaluations.yaml", evaluation.encode())]
    if rules:
        text = RULES.format(environment="staging", rules="".join(f"  - {one}\n" for one in rules))
        sources.append(Source("policies/staging.yaml", text.encode()))
    return load_policies(sources)


def told(evaluation: str, *rules: str) -> list[str]:
    with pytest.raises(InvalidFiles) as caught:
        read(evaluation, *rules)
    return [f"{one.place}: {one.message}" + (f" [{one.hint}]" if one.hint else "") for one in caught.value.problems]


def built(output: str = "probability", digest: str = "a" * 64) -> str:
    return EVALUATION.format(output=output, digest=digest)


def test_what_a_policy_says_is_the_evaluators_settings() -> None:
    (found,) = read(built()).evaluations
    assert (found.builtin, found.evaluator, found.sources) == ("tabular-classification", "promotion.tabular:classification", ())
    assert found.settings == {"label": "churned", "positive": "yes", "group": "customer", "output": "probability", "threshold": 0.5}


@pytest.mark.parametrize(
    ("rule", "output"),
    [
        ("{gate: bound, metric: roc_auc, min: 0.5}", "probability"),
        ("{gate: bound, metric: roc_auc, min: 0.5}", "score"),
        ("{gate: bound, metric: f1, min: 0.5, relative_to: accuracy}", "labels"),
        ("{gate: bound, metric: class.*.recall, min: 0.5}", "labels"),
        ("{gate: bound, metric: class.yes.recall, min: 0.5}", "labels"),
        ("{gate: bound, metric: size_bytes, max: 5}", "labels"),
        ("{gate: bound, metric: '*_rate', max: 1}", "labels"),
    ],
)
def test_figures_that_an_output_gives(rule: str, output: str) -> None:
    assert read(built(output), rule).rules


@pytest.mark.parametrize(
    ("rule", "output", "words"),
    [
        (
            "{gate: bound, metric: roc_auc, min: 0.5}",
            "labels",
            "policies/staging.yaml:4:27: 'customers' cannot give 'roc_auc': it is tabular-classification with output: labels",
        ),
        ("{gate: compare, metric: log_loss, margin: 0.1, better: lower}", "labels", "policies/staging.yaml:4:29: 'customers' cannot give"),
        ("{gate: bound, metric: f1, max: 2, relative_to: brier}", "labels", "policies/staging.yaml:4:52: 'customers' cannot give 'brier'"),
        ("{gate: bound, metric: acuracy, min: 0.5, evaluation: customers}", "labels", "[did you mean 'accuracy'?]"),
        ("{gate: bound, metric: router.*, min: 0.5}", "probability", "cannot give 'router.*'"),
    ],
)
def test_a_figure_that_an_output_cannot_give_is_an_error_with_its_place(rule: str, output: str, words: str) -> None:
    (problem,) = told(built(output), rule)
    assert words in problem


def test_a_figure_of_models_that_another_evaluation_measures_is_that_ones() -> None:
    two = built("labels").replace('["*"]', '["churn-*"]') + "  own:\n    models: ['price-*']\n    evaluator: a:b\n    sources: [a.py]\n"
    two += f"    dataset: {{path: x.csv, sha256: {'b' * 64}}}\n"
    assert read(two, "{gate: bound, metric: anything, min: 1, models: ['price-eu']}").rules
    assert told(two, "{gate: bound, metric: anything, min: 1, models: ['churn-eu']}")
    assert read(two, "{gate: bound, metric: anything, min: 1}").rules, "the team's own may give it"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("tabular-classification", "tabular-clasification"),
            "5:14: 'builtin' must be 'tabular-classification' or",
        ),
        (("    label: churned\n", ""), "3:3: 'label' of 'customers' is missing"),
        (("label: churned", "lable: churned"), "7:5: unknown key 'lable' [did you mean 'label'?]"),
        (("customers.csv", "customers.pkl"), "6:21: 'customers.pkl' must be a table: .csv or .parquet"),
        (("timeout: 120", "sources: [a.py]"), "11:5: unknown key 'sources'"),
        (("timeout: 120", "holds: labels"), "4:5: 'holds' is about a column of the model's answer"),
        (("group: customer", "group: churned"), "label and group are the same column"),
        (("timeout: 120", "threshold: 1"), "11:16: 'threshold' must be less than 1"),
        (("timeout: 120", "labels: [a]"), "11:13: 'labels' must be two labels or more, each once"),
    ],
)
def test_what_is_wrong_with_an_evaluation_is_told_at_its_place(change: tuple[str, str], words: str) -> None:
    problems = told(built().replace(*change))
    assert any(words in one for one in problems), problems


BOUNDS = (
    NAMING
    + "  - gate: bound\n    metric: f1\n    min: 0.7\n    of: lower\n"
    + "  - gate: bound\n    metric: roc_auc\n    min: 0.8\n"
    + "  - gate: compare\n    metric: log_loss\n    better: lower\n    margin: 0.1\n    first: pass\n"
)


def log(scene: Scene, model: Any, folder: Path) -> int:
    """Save a model, upload it with a run and register it, as a team's own training does; no code of theirs travels along."""
    from mlflow import MlflowClient

    client = MlflowClient(scene.url, scene.url)
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(tables.save(folder, model)), "model")
    client.set_terminated(run.info.run_id)
    if not client.search_registered_models(f"name = '{scene.name}'"):
        client.create_registered_model(scene.name)
    return int(client.create_model_version(scene.name, f"{run.info.artifact_uri}/model", run.info.run_id, await_creation_for=0).version)


@pytest.fixture
def customers(scene: Scene, tmp_path: Path) -> Scene:
    """A repository that holds a table and policies, and nothing else."""
    data = scene.folder / "customers.csv"
    tables.rows(1200).drop(columns=["value"]).to_csv(data, index=False)
    (scene.folder / "policies" / "evaluations.yaml").write_text(built(digest=tables.digest(data)))
    for environment in ("staging", "production"):
        scene.rule(environment, BOUNDS)
    assert [log(scene, model, tmp_path / name) for name, model in (("a", tables.booster()), ("b", tables.booster(seed=2, rounds=12)))] == [
        1,
        2,
    ]
    return scene


def test_a_team_without_code_of_its_own_promotes_compares_and_refuses(customers: Scene, tmp_path: Path) -> None:
    assert not list(customers.folder.rglob("*.py"))
    customers.declare(production=1)
    outcome = customers.reconcile()
    assert (outcome.exit_code, customers.shown()["stages"]) == (0, {1: "Production", 2: "None"})
    customers.declare(production=2)
    found = customers.reconcile()
    assert found.exit_code == 0, found.decision
    (compared,) = [one for one in found.done[0].verdicts if one.gate == "compare"]
    assert compared.status is Status.PASSED
    assert "log_loss = " in compared.got
    assert "interval" in compared.got
    assert log(customers, tables.speechless(tables.booster()), tmp_path / "bad") == 3
    customers.declare(production=3)
    refused = customers.reconcile()
    assert refused.exit_code == 5
    told = {one.got for one in refused.refused[0].verdicts if one.gate in {"bound", "compare"}}
    assert any("the model answers NaN" in one for one in told), told
    assert customers.shown()["stages"] == {1: "Archived", 2: "Production", 3: "None"}


def test_another_release_or_other_settings_are_measured_again(customers: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    customers.declare(staging=1)
    customers.reconcile(Options(dry_run=True), evidence=tmp_path / "evidence")
    (kept,) = (tmp_path / "evidence" / "evidence").iterdir()
    statement = json.loads(next(kept.glob("*.json")).read_text())["predicate"]
    assert statement["evaluator"]["entryPoint"] == "promotion.tabular:classification"
    assert statement["settings"]["output"] == "probability"
    assert FolderEvidence(tmp_path / "evidence").find(kept.name)
    lines: list[str] = []
    customers.reconcile(Options(dry_run=True), evidence=tmp_path / "evidence", report=lines.append)
    assert not [one for one in lines if one.startswith("measuring")]
    monkeypatch.setattr("promotion.builtin.digest", lambda: "d" * 64)
    customers.reconcile(Options(dry_run=True), evidence=tmp_path / "evidence", report=lines.append)
    assert [one for one in lines if one.startswith("measuring")] == [f"measuring {customers.name}/1 by customers"]
