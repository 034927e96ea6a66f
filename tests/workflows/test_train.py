"""train.yml under the real act: rows, a model that learned for one epoch, a version, a branch that proposes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.workflows.act import PROJECT, git
from tests.workflows.scene import Scene

MODEL = "moe-cybersecurity-cicids"


@pytest.fixture
def tenant(act: str, mlflow_server: str, tmp_path: Path) -> Scene:
    """A repository with this project's own models, rules and declaration."""
    made = Scene(tmp_path, mlflow_server, "flow-trees-unused", "flow-trees-unused-too")
    made.prepare()
    shutil.rmtree(made.clone / "policies")
    for name in ("train", "policies"):
        shutil.copytree(PROJECT / name, made.clone / name, ignore=shutil.ignore_patterns("__pycache__", "*.csv"))
    for name in ("environments.yaml", "constraints.txt", ".gitignore"):
        shutil.copy(PROJECT / name, made.clone)
    made.commit("The first tenant")
    made.push("main")
    return made


def test_what_is_trained_is_registered_measured_and_proposed_for_staging(tenant: Scene) -> None:
    before = git(tenant.origin, "rev-parse", "main")
    run = tenant.dispatch("train.yml", model=MODEL, stage="tabular", seed="3", epochs="1")
    assert run.results() == {"train": True, "propose": True}, run.told()
    version = run.jobs["train"].outputs["version"]
    found = MlflowClient(tenant.url).get_model_version(MODEL, version)
    assert (found.tags["git_commit"], found.current_stage) == (before, "None"), "its lineage, and nothing is promoted"
    branch = f"propose-{MODEL}-staging-{version}"
    assert git(tenant.origin, "rev-parse", f"{branch}^") == before == git(tenant.origin, "rev-parse", "main")
    changed = git(tenant.origin, "diff", "--unified=0", "main", branch).splitlines()
    assert [line for line in changed if line[:1] in "+-" and line[:3] not in {"+++", "---"}] == [
        "-      use: none",
        f"+      use: {version}",
    ]
    assert f"version {version} for staging on the branch {branch}" in run.summary.replace("\\", "")
    assert "f1" in run.summary, "measured by the evaluation that the gates use"
