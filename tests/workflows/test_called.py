"""Another repository that calls these workflows, under the real act: its own models and policies, and the lines of init-workflows."""

from __future__ import annotations

import shutil

import pytest

from tests.workflows.act import PROJECT, Act, Run, git, payload
from tests.workflows.scene import Scene
from tests.workflows.test_apply import promote, shown

RELEASE = "example/promotion@v1.0.0"


@pytest.fixture
def team(scene: Scene) -> Scene:
    """A repository that has none of the workflows itself, and a folder ``train`` that is nobody's tenant."""
    shutil.rmtree(scene.clone / ".github")
    done = scene.promotion("init-workflows", "--from", RELEASE, "--owners", "@example/ml", "--rows", "echo rows of the caller")
    assert done.returncode == 0, done.stderr
    scene.write("train/README.md", "our own\n")
    scene.commit("Use promotion's workflows")
    scene.push("main")
    return scene


def call(scene: Scene, event: str, name: str, **inputs: str) -> Run:
    """Run one of the calling workflows; the release that it calls is this checkout."""
    git(scene.clone, "fetch", "--quiet", "origin")
    secrets = {"PROMOTION_SIGNING_KEY": scene.key.read_text(encoding="utf-8")}
    variables = {"MLFLOW_TRACKING_URI": scene.url}
    act = Act(scene.clone, scene.folder / "act", scene.path, variables, secrets, elsewhere={RELEASE: PROJECT})
    given = {**payload(scene.clone, event), **({"inputs": inputs} if inputs else {})}
    return act.run(event, given, f"promotion-{name}.yml")


def test_a_repository_with_its_own_models_is_judged_applied_and_rolled_back_by_the_called_workflows(team: Scene) -> None:
    assert not list((team.clone / ".github" / "workflows").glob("apply.yml"))
    team.branch("first")
    team.declare(good_staging=1, bad_staging=1)
    team.commit("Try both in staging")
    advice = call(team, "pull_request", "gate")
    assert advice.exit_code != 0
    assert advice.results() == {"plan": True, f"judge ({team.good})": True, f"judge ({team.bad})": False, "gate": False, "comment": True}, (
        advice.told()
    )
    assert advice.jobs[f"judge ({team.bad})"].steps["Gate"].exit_code == 4
    made = advice.jobs[f"judge ({team.good})"].steps["Make the rows that the policies pin"]
    assert (made.result, made.output.strip()) == ("success", "rows of the caller"), "not this project's"

    team.declare(bad_staging="none")
    team.commit("Only the good one")
    assert call(team, "pull_request", "gate").exit_code == 0
    team.merge("first")
    applied = call(team, "push", "apply")
    assert applied.results() == {"fetch": True, "measure": True, "apply": True, "remeasure": True, "verify": True}, applied.told()
    assert shown(team) == {"staging": 1}
    assert team.promotion("journal", "verify").returncode == 0

    promote(team, "second", good_staging=2)
    assert team.promotion("reconcile", "--signing-key", str(team.key)).returncode == 0
    back = call(team, "workflow_dispatch", "rollback", model=team.good, environment="staging", reason="alarms")
    assert back.results() == {"rollback": True}, back.told()
    assert shown(team) == {"staging": 1}
    assert git(team.origin, "log", "-1", "--format=%s", "main") == f"Roll back {team.good} staging: 2 to 1"
    git(team.clone, "pull", "--quiet", "origin", "main")
    looked = call(team, "workflow_dispatch", "drift", heal="false")
    assert looked.results() == {"look": True, "measure": True, "verify": True, "tell": True}, looked.told()
    assert team.promotion("init-workflows", "--check-files").returncode == 0
