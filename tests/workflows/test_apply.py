"""apply.yml under the real act: what a push to main does to the registry, the journal and origin."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.github import listening as listening_github
from tests.promotion.notifying.webhook import listening
from tests.server import free_port
from tests.workflows.act import git
from tests.workflows.scene import Scene
from tests.workflows.test_gate import registry_state

STEPS = {
    "fetch": ["Set up job", "Check out", "Move to the newest commit of main", "Fetch", "Complete job"],
    "apply": [
        *("Set up job", "Check out", "Move to the commit that was fetched for", "Note where the journal is"),
        *("Reconcile", "Fetch what was applied", "Complete job"),
    ],
}


def shown(scene: Scene) -> dict[str, int]:
    """Alias → version of the good model."""
    from mlflow import MlflowClient

    return {alias: int(version) for alias, version in MlflowClient(scene.url).get_registered_model(scene.good).aliases.items()}


def promote(scene: Scene, branch: str, **versions: int | str) -> None:
    """Declare versions on a branch and merge it."""
    scene.branch(branch)
    scene.declare(**versions)
    scene.commit(f"Declare {versions}")
    scene.merge(branch)


def apply_by_hand(scene: Scene) -> None:
    """Apply main by the command alone: what led to the scene of a test, in less time than a workflow takes."""
    done = scene.promotion("reconcile", "--signing-key", str(scene.key))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def applied(scene: Scene) -> Scene:
    """A scene in which version 1 was applied to staging."""
    promote(scene, "first", good_staging=1)
    apply_by_hand(scene)
    return scene


def test_a_merged_promotion_is_applied_and_recorded_on_origin(scene: Scene) -> None:
    promote(scene, "first", good_staging=1)
    run = scene.apply()
    assert run.exit_code == 0, run.told()
    assert shown(scene) == {"staging": 1}
    assert "'current_stage': 'Staging'" in registry_state(scene)
    head = scene.journal()
    assert head is not None
    assert "BEGIN SSH SIGNATURE" in git(scene.origin, "cat-file", "commit", head)
    done = scene.promotion("journal", "verify")
    assert done.returncode == 0, done.stderr
    history = scene.promotion("history", scene.good)
    assert "staging" in history.stdout


def test_a_second_run_of_the_same_commit_writes_nothing(applied: Scene) -> None:
    before, journal = registry_state(applied), applied.journal()
    run = applied.apply()
    assert run.exit_code == 0, run.told()
    assert run.results() == {"fetch": True, "apply": True}, "what has its evidence is not measured again"
    assert {name: list(job.steps) for name, job in run.jobs.items()} == STEPS
    assert "nothing to do" in run.summary
    assert registry_state(applied) == before
    assert applied.journal() == journal


def test_staging_then_production_by_two_merges(applied: Scene) -> None:
    applied.branch("live")
    applied.declare(good_production=1)
    applied.commit("Version 1 goes live")
    advice = applied.pull_request()
    assert advice.exit_code == 0, advice.told()
    applied.merge("live")
    run = applied.apply()
    assert run.exit_code == 0, run.told()
    assert shown(applied) == {"staging": 1, "production": 1}


def test_model_code_runs_in_the_job_that_has_no_credential(scene: Scene) -> None:
    promote(scene, "first", good_staging=1)
    run = scene.apply()
    assert run.results() == {"fetch": True, "measure": True, "apply": True, "remeasure": True, "verify": True}
    assert "f1" in run.jobs["measure"].steps["Measure"].summary
    assert "PASSED" in run.jobs["apply"].steps["Reconcile"].summary


def test_the_page_is_published_after_an_apply_with_what_was_refused(scene: Scene) -> None:
    promote(scene, "both", good_staging=1, bad_staging=1)
    page = scene.folder / "pages" / "promotion"
    run = scene.apply(page=page)
    assert run.results() == {"fetch": True, "measure": True, "apply": False, "remeasure": True, "verify": True, "page": True}, run.told()
    found = published(page)
    models = {one["name"]: one["environments"]["staging"] for one in found["models"]}
    assert (models[scene.good]["state"], models[scene.good]["applied"]["version"]) == ("in sync", 1)
    assert models[scene.bad]["applied"] is None
    entry = found["entries"][0]
    assert entry["commit"] == git(scene.origin, "rev-parse", "main")
    assert [one["model"] for one in entry["refusals"]] == [scene.bad]
    assert "2 models, 1 entries" in run.summary


def test_webhooks_are_told_what_was_applied_and_refused_and_a_dead_one_makes_nothing_red(scene: Scene) -> None:
    promote(scene, "both", good_staging=1, bad_staging=1)
    with listening() as webhook:
        dead = f"http://127.0.0.1:{free_port()}/path-that-is-a-secret"
        run = scene.apply(webhooks=f"slack {dead} refused\ncloudevents {webhook.url}")
    assert run.results() == {"fetch": True, "measure": True, "apply": False, "remeasure": True, "verify": True, "notify": True}, run.told()
    events = [json.loads(body) for _, body in webhook.received]
    assert {(one["type"], one["data"]["model"], one["data"]["after"]) for one in events} == {
        ("promotion.promoted", scene.good, 1),
        ("promotion.refused", scene.bad, 1),
    }
    assert {one["data"]["commit"] for one in events} == {git(scene.origin, "rev-parse", "main")}
    assert "NOT TOLD  slack at 127.0.0.1: no connection (0 of 1 post taken)" in run.summary
    assert [one.level for one in run.annotations if "no connection" in one.message] == ["warning"]
    assert "path-that-is-a-secret" not in run.told()


def published(page: Path) -> dict[str, Any]:
    """The data that the page itself holds; report.json beside it says the same."""
    text = (page / "index.html").read_text(encoding="utf-8")
    found = json.loads(text.split('id="document">', 1)[1].split("</script>", 1)[0])
    assert found == json.loads((page / "report.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_a_run_of_an_older_commit_applies_the_newest_main(applied: Scene) -> None:
    old = git(applied.clone, "rev-parse", "HEAD")
    promote(applied, "second", good_staging=2)
    git(applied.clone, "checkout", "--quiet", "--detach", old)
    run = applied.apply()
    assert run.exit_code == 0, run.told()
    assert shown(applied) == {"staging": 2}


def test_a_refused_model_is_left_alone_its_neighbour_goes_on_and_the_job_is_red(scene: Scene) -> None:
    promote(scene, "both", good_staging=1, bad_staging=1)
    run = scene.apply()
    assert run.exit_code != 0
    assert run.jobs["apply"].steps["Reconcile"].exit_code == 4
    assert shown(scene) == {"staging": 1}
    from mlflow import MlflowClient

    assert MlflowClient(scene.url).get_registered_model(scene.bad).aliases == {}
    assert "FAILED" in run.summary


def test_without_the_key_that_main_trusts_nothing_is_applied(scene: Scene) -> None:
    promote(scene, "first", good_staging=1)
    before = registry_state(scene)
    run = scene.apply(signed=False)
    assert run.jobs["apply"].steps["Reconcile"].result == "failure"
    assert registry_state(scene) == before
    assert scene.journal() is None


def test_a_revert_on_main_brings_the_version_before_back(applied: Scene) -> None:
    promote(applied, "second", good_staging=2)
    assert applied.apply().exit_code == 0
    assert shown(applied) == {"staging": 2}
    git(applied.clone, "revert", "--no-edit", "-m", "1", "HEAD")
    applied.push("main")
    run = applied.apply()
    assert run.exit_code == 0, run.told()
    assert shown(applied) == {"staging": 1}
    assert "rollback" in run.summary


def test_a_registry_that_is_down_makes_the_job_red_and_records_nothing(applied: Scene) -> None:
    promote(applied, "second", good_staging=2)
    journal = applied.journal()
    run = applied.apply(url=f"http://127.0.0.1:{free_port()}")
    assert run.results() == {"fetch": False}
    assert run.jobs["fetch"].steps["Fetch"].exit_code == 5
    assert applied.journal() == journal


def test_the_secrets_stay_secret(applied: Scene) -> None:
    promote(applied, "second", good_staging=2)
    run = applied.apply()
    key = applied.key.read_text(encoding="utf-8").splitlines()
    assert not [line for line in key[1:-1] if line in run.log]


def test_a_promotion_whose_check_fails_is_taken_back_by_itself(applied: Scene) -> None:
    """Registry, hold, revert on origin; a second apply, and an unrelated commit, change nothing."""
    promote(applied, "second", good_staging=2)
    promoted = git(applied.origin, "rev-parse", "main")
    with listening_github() as applied.hosting, replaced(applied, version=2):
        run = applied.apply()
    hosting, applied.hosting = applied.hosting, None
    assert run.exit_code != 0
    (issue,) = hosting.issues
    assert (issue["title"], issue["state"]) == ("The check after a promotion did not pass", "open")
    assert issue["body"].startswith(f"The check after a promotion did not pass, for commit {promoted[:12]}. ")
    assert "### Verify" in issue["body"]
    assert "restored  version 1" in issue["body"]
    assert hosting.pulls == [], "main took the push"
    # Bytes that are not what was promoted are not fetched, so there is nothing to measure again.
    assert run.results() == {"fetch": True, "measure": True, "apply": True, "verify": False, "tell": True}, run.told()
    assert [name for name, step in run.jobs["verify"].steps.items() if step.result == "failure"] == ["Verify"]
    assert shown(applied) == {"staging": 1}
    assert "sha256" in run.summary
    assert "held" in run.summary

    main = git(applied.origin, "rev-parse", "main")
    assert git(applied.origin, "rev-parse", "main^") == promoted
    message = git(applied.origin, "log", "-1", "--format=%an%n%B", "main")
    assert message.startswith(f"promotion\nRoll back {applied.good} staging: 2 to 1\n\nThe check after the promotion failed. digest: ")
    assert f"Promotion-Model: {applied.good}" in message
    git(applied.clone, "checkout", "--quiet", "-B", "main", "origin/main")
    git(applied.clone, "pull", "--quiet", "origin", "main")
    journal = applied.journal()
    again = applied.apply()
    assert again.exit_code == 0, again.told()
    assert (applied.journal(), shown(applied)) == (journal, {"staging": 1}), "the job itself recorded the revert"
    assert applied.promotion("journal", "verify").returncode == 0
    assert main[:12] in applied.promotion("status").stdout

    applied.branch("unrelated")
    applied.write("NOTES.md", "nothing of models\n")
    applied.commit("Note something")
    applied.merge("unrelated")
    later = applied.apply()
    assert (later.exit_code, shown(applied)) == (0, {"staging": 1}), later.told()


def test_what_could_not_be_measured_after_an_apply_stays_in_service_and_is_told_loudly(scene: Scene) -> None:
    """ERRORED brings nothing back: nothing is known to be wrong with the version."""
    promote(scene, "first", good_staging=1)
    main = git(scene.origin, "rev-parse", "main")
    rows = scene.clone / "rows" / "north.csv"  # each job of act has the files of the clone as they are when it begins
    with listening_github() as scene.hosting, once_applied(scene, 1, rows.unlink):
        run = scene.apply()
    assert run.results() == {"fetch": True, "measure": True, "apply": True, "remeasure": False, "verify": False, "tell": True}, run.told()
    steps = run.jobs["verify"].steps
    assert steps["Verify"].exit_code == 5
    assert "Bring back what failed" not in steps
    assert (shown(scene), git(scene.origin, "rev-parse", "main")) == ({"staging": 1}, main)
    assert "no holds" in scene.promotion("hold", "list").stdout
    (issue,) = scene.hosting.issues
    assert "what could not be measured stays in service" in issue["body"]
    assert "🛑 ERRORED" in issue["body"]


def test_what_fails_its_check_and_has_no_predecessor_stays_on_hold_and_is_told(scene: Scene) -> None:
    promote(scene, "first", good_staging=1)
    main = git(scene.origin, "rev-parse", "main")
    with replaced(scene, version=1):
        run = scene.apply()
    assert run.results()["verify"] is False, run.told()
    assert run.results()["tell"]
    assert shown(scene) == {"staging": 1}
    assert git(scene.origin, "rev-parse", "main") == main
    assert "STAYS" in run.summary
    assert f"{scene.good}/1@sha256:" in scene.promotion("hold", "list").stdout
    assert [one.level for one in run.annotations if "after a promotion" in one.message] == ["error"]


@contextmanager
def once_applied(scene: Scene, version: int, meddle: Callable[[], object]) -> Iterator[None]:
    """While this runs: as soon as the version is applied to staging, somebody meddles."""
    done = threading.Event()

    def wait() -> None:
        while not done.is_set():
            with suppress(Exception):
                if shown(scene).get("staging") == version:
                    meddle()
                    return
            time.sleep(0.05)

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def replaced(scene: Scene, *, version: int) -> AbstractContextManager[None]:
    """Somebody puts other bytes into the artifact store."""
    return once_applied(scene, version, partial(replace_file, scene, version))


def replace_file(scene: Scene, version: int) -> None:
    from mlflow import MlflowClient

    location = (
        MlflowClient(scene.url).get_model_version_download_uri(scene.good, str(version)).removeprefix("mlflow-artifacts:/").strip("/")
    )
    answer = requests.put(f"{scene.url}/api/2.0/mlflow-artifacts/artifacts/{location}/added.txt", data=b"others", timeout=30)
    assert answer.status_code == 200
