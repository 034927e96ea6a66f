"""gate.yml under the real act: what an author sees of a pull request."""

from __future__ import annotations

import os
import re

import pytest

from tests.github import listening
from tests.server import free_port
from tests.workflows.act import Run, git
from tests.workflows.scene import STAGING, Scene

PLAN_STEPS = ["Set up job", "Check out", "Validate", "Plan", "See whether the gates can refuse", "Complete job"]


def registry_state(scene: Scene) -> str:
    """What the registry shows of both models, timestamps included."""
    from mlflow import MlflowClient

    client = MlflowClient(scene.url)
    models = [client.get_registered_model(name) for name in (scene.good, scene.bad)]
    versions = [client.get_model_version(name, str(number)) for name, number in ((scene.good, 1), (scene.good, 2), (scene.bad, 1))]
    return "\n".join(str(dict(found)) for found in (*models, *versions))


def refused(run: Run, job: str) -> None:
    """The job ran and failed, and so did the one required check."""
    assert run.exit_code != 0
    assert run.jobs[job].succeeded is False, run.told()
    assert run.results()["gate"] is False


@pytest.mark.parametrize("event", ["pull_request", "merge_group"])
def test_a_change_of_no_promotion_passes_in_seconds_without_a_registry(scene: Scene, event: str) -> None:
    scene.branch("docs")
    scene.write("README.md", "# Our models\n")
    scene.commit("Say what this is")
    run = scene.pull_request(event=event, url=f"http://127.0.0.1:{free_port()}")
    assert run.exit_code == 0, run.told()
    said = {"comment": True} if event == "pull_request" else {}
    assert run.results() == {"plan": True, "gate": True, **said}, "no model is judged"
    assert list(run.jobs["plan"].steps) == PLAN_STEPS
    assert run.jobs["plan"].outputs == {"models": "[]"}
    assert "No model changes" in run.summary
    assert run.seconds < 20


def test_an_invalid_file_is_marked_at_its_line_and_nothing_is_judged(scene: Scene) -> None:
    scene.branch("typo")
    scene.declare(good_staging="one")
    text = (scene.clone / "environments.yaml").read_text(encoding="utf-8").splitlines()
    scene.commit("Promote version one")
    run = scene.pull_request()
    refused(run, "plan")
    assert run.jobs["plan"].steps["Validate"].exit_code == 2
    assert set(run.results()) == {"plan", "gate", "comment"}
    (mark,) = run.annotations
    assert (mark.level, mark.file) == ("error", "environments.yaml")
    assert mark.line is not None
    assert text[mark.line - 1].strip() == "use: one"
    assert f"environments.yaml:{mark.line}:" in run.summary


def test_a_good_version_may_go_to_staging_and_the_page_says_why(scene: Scene) -> None:
    scene.branch("promote")
    scene.declare(good_staging=1)
    scene.commit("Try version 1 in staging")
    before = registry_state(scene)
    run = scene.pull_request()
    assert run.exit_code == 0, run.told()
    leg = f"judge ({scene.good})"
    assert run.results() == {"plan": True, leg: True, "gate": True, "comment": True}
    assert list(run.jobs[leg].steps) == ["Set up job", "Check out", "Make the rows that the policies pin", "Gate", "Complete job"]
    assert "bound" in run.summary
    assert "PASSED" in run.summary
    assert "This is advice" in run.summary
    assert registry_state(scene) == before, "a pull request writes nothing"
    assert scene.journal() is None


def test_of_two_models_the_bad_one_is_refused_whatever_it_claims_and_the_other_is_judged(scene: Scene) -> None:
    """Both stand in one comment, which the next push keeps up to date."""
    scene.branch("both")
    scene.declare(good_staging=1, bad_staging=1)
    scene.commit("Try both in staging")
    with listening() as scene.hosting:
        run = scene.pull_request()
        (body,) = (one["body"] for one in scene.hosting.comments[7])
        assert body.startswith("<!-- promotion -->\n**Not to be merged as it is (plan: success, gates: failure)")
        scene.write("README.md", "# Our models\n")
        scene.declare(good_staging="none", bad_staging="none")
        scene.commit("Rather not")
        assert scene.pull_request().results() == {"plan": True, "gate": True, "comment": True}
        (second,) = scene.hosting.comments[7]
    assert "No model changes." in second["body"], "edited in place"
    git(scene.clone, "reset", "--quiet", "--hard", "HEAD~1")
    for name, icon in ((scene.good, "✅ PASSED"), (scene.bad, "❌ FAILED")):
        shown = body.replace("\\-", "-")
        assert f"#### {icon}: **promote** {name} staging none → 1" in shown
        assert f"#### Figures: {name} staging" in shown
        assert f"- staging of {name}: nothing was there before." in shown, "how to get back"
    assert body.count("├") == 2 * 6, "an interval of each main figure of both models"
    assert "**When this is on main**" in body
    refused(run, f"judge ({scene.bad})")
    assert run.jobs[f"judge ({scene.good})"].succeeded
    assert run.jobs[f"judge ({scene.bad})"].steps["Gate"].exit_code == 4
    (mark,) = run.annotations
    lines = (scene.clone / "environments.yaml").read_text(encoding="utf-8").splitlines()
    assert (mark.file, mark.line) == ("environments.yaml", lines.index(f"  {scene.bad}:") + 3)
    assert mark.message.startswith("expected f1 ≥ 0.8, got")


def test_straight_into_production_is_refused(scene: Scene) -> None:
    scene.branch("skip")
    scene.declare(good_production=2)
    scene.commit("So good that it goes live at once")
    run = scene.pull_request()
    refused(run, f"judge ({scene.good})")
    gate = run.jobs[f"judge ({scene.good})"].steps["Gate"]
    assert gate.exit_code == 4
    assert re.search(r"❌ staging\\_first", gate.summary), gate.summary
    assert registry_state(scene).count("Production") == 0


def test_a_policy_that_is_weakened_beside_the_promotion_is_refused(scene: Scene) -> None:
    """The bad version would pass the bar that its own pull request brings along; alone, that bar is nobody's promotion."""
    scene.branch("lower-bar")
    scene.write("policies/staging.yaml", STAGING.replace("min: 0.8", "min: 0.0"))
    scene.declare(bad_staging=1)
    scene.commit("Tidy up the rules a little")
    main, before = git(scene.origin, "rev-parse", "main"), registry_state(scene)
    run = scene.pull_request()
    leg = f"judge ({scene.bad})"
    refused(run, leg)
    assert run.results() == {"plan": True, leg: False, "gate": False, "comment": True}, run.told()
    gate = run.jobs[leg].steps["Gate"]
    assert gate.exit_code == 4
    assert re.search(r"❌ separate", gate.summary), gate.summary
    assert "policies/staging.yaml" in gate.summary, "the file that has to go into a pull request of its own is named"
    assert "Not to be merged as it is" in run.summary
    assert (git(scene.origin, "rev-parse", "main"), registry_state(scene), scene.journal()) == (main, before, None)

    # Alone the same edit is judged by people: it promotes nothing.
    scene.branch("rules-alone")
    scene.write("policies/staging.yaml", STAGING.replace("min: 0.8", "min: 0.0"))
    scene.commit("Lower the bar, in the open")
    alone = scene.pull_request()
    assert (alone.exit_code, alone.results()) == (0, {"plan": True, "gate": True, "comment": True}), alone.told()


def test_a_version_that_does_not_exist_is_marked_and_red(scene: Scene) -> None:
    scene.branch("ghost")
    scene.declare(good_staging=9)
    scene.commit("Version nine")
    run = scene.pull_request()
    refused(run, "plan")
    assert run.jobs["plan"].steps["Plan"].exit_code == 2
    assert [mark.file for mark in run.annotations] == ["environments.yaml"]


def test_a_registry_that_is_down_is_told_in_seconds_and_stays_red(scene: Scene) -> None:
    scene.branch("promote")
    scene.declare(good_staging=1)
    scene.commit("Try version 1 in staging")
    run = scene.pull_request(url=f"http://127.0.0.1:{free_port()}")
    refused(run, "plan")
    assert run.jobs["plan"].steps["Plan"].exit_code == 5
    assert run.jobs["plan"].steps["Plan"].seconds < 12
    assert "did not answer" in run.summary or "refused" in run.summary


def test_a_fork_is_validated_only_and_its_check_stays_red(scene: Scene) -> None:
    scene.branch("from-a-fork")
    scene.declare(good_staging=1)
    scene.commit("Please promote this")
    run = scene.pull_request(fork=True)
    refused(run, "plan")
    assert run.jobs["plan"].steps["Validate"].result == "success"
    assert run.jobs["plan"].steps["Plan"].exit_code != 0
    assert set(run.results()) == {"plan", "gate"}, "no code of a stranger is run on a model"
    assert "A maintainer has to take the branch over" in run.summary


def test_titles_and_names_of_branches_run_nothing(scene: Scene) -> None:
    marker = scene.folder / "marker"
    scene.branch(f"x$(touch${{IFS}}{marker.name})")
    scene.declare(good_staging=1)
    scene.commit(f"$(touch {marker}) `touch {marker}`")
    run = scene.pull_request()
    assert run.exit_code == 0, run.told()
    assert not marker.exists()
    assert not [found for found in scene.folder.rglob("marker*") if os.access(found, os.F_OK)]


def test_an_older_branch_is_judged_by_what_it_changes_itself(scene: Scene) -> None:
    scene.branch("old")
    scene.write("README.md", "# Our models\n")
    scene.commit("Say what this is")
    scene.branch("newer")
    scene.declare(good_staging=1)
    scene.commit("Try version 1 in staging")
    scene.merge("newer")
    git(scene.clone, "checkout", "--quiet", "old")
    run = scene.pull_request()
    assert run.results() == {"plan": True, "gate": True, "comment": True}, run.told()
