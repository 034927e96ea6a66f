"""drift.yml and rollback.yml under the real act: what people start by hand, and the clock."""

from __future__ import annotations

from mlflow import MlflowClient

from tests.github import listening
from tests.workflows.act import git
from tests.workflows.scene import Scene
from tests.workflows.test_apply import applied, apply_by_hand, promote, shown

__all__ = ["applied"]


def test_drift_is_found_told_and_healed_when_asked_to(applied: Scene) -> None:
    client = MlflowClient(applied.url)
    client.transition_model_version_stage(applied.good, "1", "Archived")
    client.set_registered_model_alias(applied.good, "staging", "2")
    found = applied.dispatch("drift.yml")
    assert found.results() == {"look": False, "measure": True, "verify": False, "tell": True}, found.told()
    assert (found.jobs["look"].steps["Drift"].exit_code, found.jobs["verify"].steps["Verify"].exit_code) == (3, 4)
    assert "pointer" in found.summary
    assert [one.level for one in found.annotations if "has drifted" in str(one.message) or "Drift:" in one.message] == ["error"]
    assert shown(applied) == {"staging": 2}, "nothing was asked for"

    healed = applied.dispatch("drift.yml", heal="true")
    assert healed.results()["heal"], healed.told()
    assert shown(applied) == {"staging": 1}
    assert client.get_model_version(applied.good, "1").current_stage == "Staging"
    assert applied.promotion("drift").returncode == 0


def test_a_rollback_by_hand_brings_the_registry_back_and_says_so_on_main(applied: Scene) -> None:
    promote(applied, "second", good_staging=2)
    assert applied.apply().exit_code == 0
    run = applied.dispatch("rollback.yml", model=applied.good, environment="staging", reason="alarms; `id` $(id)")
    assert run.exit_code == 0, run.told()
    assert shown(applied) == {"staging": 1}
    message = git(applied.origin, "log", "-1", "--format=%B", "main")
    assert message.startswith(f"Roll back {applied.good} staging: 2 to 1\n\nalarms; `id` $(id)\n")
    git(applied.clone, "pull", "--quiet", "origin", "main")
    assert "in sync" in applied.promotion("status").stdout
    assert applied.promotion("drift").returncode == 0


def test_a_push_in_the_middle_of_a_rollback_is_not_lost(applied: Scene) -> None:
    promote(applied, "second", good_staging=2)
    assert applied.promotion("reconcile", "--signing-key", str(applied.key)).returncode == 0
    applied.branch("meanwhile")
    applied.write("NOTES.md", "pushed by somebody when the rollback was recorded in the journal\n")
    other = applied.commit("Note something")
    applied.push("meanwhile")
    git(applied.clone, "checkout", "--quiet", "-B", "main", "origin/main")
    hook = applied.origin / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\n[ -f pushed ] || {{ touch pushed; git update-ref refs/heads/main {other}; }}\n")
    hook.chmod(0o755)
    run = applied.dispatch("rollback.yml", model=applied.good, environment="staging", reason="alarms")
    assert run.exit_code == 0, run.told()
    assert shown(applied) == {"staging": 1}
    assert git(applied.origin, "log", "-1", "--format=%P", "main") == other, "on top of what was pushed meanwhile"


def test_where_main_takes_no_push_the_registry_is_back_and_a_pull_request_is_opened(applied: Scene) -> None:
    promote(applied, "second", good_staging=2)
    apply_by_hand(applied)
    main = git(applied.origin, "rev-parse", "main")
    hook = applied.origin / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/main ] || { echo "GH006: protected branch" >&2; exit 1; }\n')
    hook.chmod(0o755)
    with listening() as applied.hosting:
        run = applied.dispatch("rollback.yml", model=applied.good, environment="staging", reason="alarms @team `id`")
    assert run.exit_code == 0, run.told()
    assert shown(applied) == {"staging": 1}
    assert git(applied.origin, "rev-parse", "main") == main
    (pull,) = applied.hosting.pulls
    assert (pull["base"], pull["title"]) == ("main", f"Roll back {applied.good} staging: 2 to 1")
    assert pull["body"].startswith("alarms @team `id`\n")
    assert pull["body"].endswith("\n\nThe registry is back already; main still has to say so.")
    assert git(applied.origin, "rev-parse", f"{pull['head']}^") == main
    assert "recorded" in run.summary
