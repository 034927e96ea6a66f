"""Pickles: refused unless a policy names the model, and told in every verdict where it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from promotion import formats
from promotion.domain import ModelVersionRef
from promotion.evaluate import fetch
from promotion.gates.formats import refusals
from promotion.registry.memory import MemoryRegistry
from promotion.serving.loading import NotServed, load
from promotion.verdicts import Status
from tests.promotion.tabular import tables
from tests.promotion.tabular.test_policy import built, read, told
from tests.scene import NAMING, Scene

BOUND = NAMING + "  - {gate: bound, metric: f1, min: 0.7}\n"


def pickled(folder: Path) -> Path:
    """A model of scikit-learn as its flavour pickles it."""
    import mlflow.sklearn
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    table = tables.rows(seed=1)
    model = LogisticRegression().fit(table[list(tables.COLUMNS)], table["churned"].astype(str))
    types = {"age": "double", "visits": "long", "spent": "double"}
    signature = ModelSignature(Schema([ColSpec(types[name], name) for name in tables.COLUMNS]))
    mlflow.sklearn.save_model(model, folder, serialization_format="cloudpickle", signature=signature, pip_requirements=["scikit-learn"])
    return folder


def register(scene: Scene, folder: Path) -> int:
    from mlflow import MlflowClient

    client = MlflowClient(scene.url, scene.url)
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(folder), "model")
    client.set_terminated(run.info.run_id)
    client.create_registered_model(scene.name)
    return int(client.create_model_version(scene.name, f"{run.info.artifact_uri}/model", run.info.run_id, await_creation_for=0).version)


def by(outcome: Any, gate: str) -> Any:
    found = [one for judged in outcome.decision.judged for one in judged.verdicts if one.gate == gate]
    return max(found, key=lambda one: one.status.severity)


def test_a_pickle_is_loaded_where_a_policy_names_the_model_and_the_verdict_warns(scene: Scene, tmp_path: Path) -> None:
    data = scene.folder / "customers.csv"
    tables.rows(1200).drop(columns=["value"]).to_csv(data, index=False)
    (scene.folder / "policies" / "evaluations.yaml").write_text(built("labels", tables.digest(data)))
    for environment in ("staging", "production"):
        scene.rule(environment, BOUND)
    assert register(scene, pickled(tmp_path / "model")) == 1
    scene.declare(staging=1)
    refused = scene.reconcile()
    assert (by(refused, "formats").status, by(refused, "bound").status) == (Status.FAILED, Status.ERRORED)
    assert "model.pkl: a pickle" in by(refused, "formats").got
    assert "not loaded" in by(refused, "bound").got
    scene.declare(staging="none")
    scene.rule("staging", BOUND + f"  - {{gate: formats, pickle: [{scene.name}]}}\n")
    scene.commit("Load the pickles of this model")
    assert scene.reconcile().exit_code == 0
    scene.declare(staging=1)
    outcome = scene.reconcile()
    assert outcome.exit_code == 0, outcome.decision
    assert by(outcome, "formats").status is Status.WARNED
    assert "whoever may register a version of this model runs code" in by(outcome, "formats").got
    assert by(outcome, "bound").status is Status.PASSED, "it was loaded and measured"


def test_what_calls_itself_otherwise_is_refused_even_so(tmp_path: Path) -> None:
    folder = pickled(tmp_path / "model")
    found = formats.inspect(folder)
    assert refusals(found, pickled=True) == ()
    assert refusals(found)
    (folder / "weights.txt").write_bytes((folder / "model.pkl").read_bytes())
    assert refusals(formats.inspect(folder), pickled=True) == ("weights.txt: a pickle",)


def test_serve_loads_no_pickle_whatever_a_policy_says(tmp_path: Path) -> None:
    registry = MemoryRegistry()
    folder = pickled(tmp_path / "model")
    registry.add_version("churn", {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
    assert fetch(registry, ModelVersionRef("churn", 1), tmp_path / "there").format.pickles
    with pytest.raises(NotServed, match=r"model\.pkl: a pickle"):
        load(registry, ModelVersionRef("churn", 1), 1)


def test_models_are_named_one_by_one() -> None:
    (found,) = read(built(), "{gate: formats, pickle: [churn-eu, churn-us]}").evaluations
    assert found.pickles == ("churn-eu", "churn-us")
    assert any("has not the form" in one for one in told(built(), "{gate: formats, pickle: ['churn-*']}"))
