"""apply.yml under the real act: a revert after later commits, and an origin that is away."""

from __future__ import annotations

import re

import pytest

from tests.models import register_version
from tests.workflows.act import git
from tests.workflows.scene import Scene
from tests.workflows.test_apply import applied, apply_by_hand, promote, shown
from tests.workflows.test_gate import registry_state

__all__ = ["applied"]


def test_a_revert_of_production_leaves_what_staging_got_later(applied: Scene) -> None:
    """Production went from 1 to 2, then staging to 3; reverting the commit of production touches production alone."""
    third = register_version(applied.url, applied.good, metrics={"f1": 0.99}, params={"depth": "2"}, seed=4, description="Trees")
    for branch, versions in (("live", {"good_production": 1}), ("next", {"good_staging": 2})):
        promote(applied, branch, **versions)
        apply_by_hand(applied)
    promote(applied, "live-again", good_production=2)
    promotion = git(applied.origin, "rev-parse", "main")
    apply_by_hand(applied)
    promote(applied, "later", good_staging=third)
    apply_by_hand(applied)
    assert shown(applied) == {"staging": third, "production": 2}

    git(applied.clone, "revert", "--no-edit", "-m", "1", promotion)
    applied.push("main")
    main, journal = git(applied.origin, "rev-parse", "main"), applied.journal()
    run = applied.apply()
    assert run.exit_code == 0, run.told()
    # Version 1 has its evidence: nothing is measured before the write, but what was applied is measured anew.
    assert run.results() == {"fetch": True, "apply": True, "remeasure": True, "verify": True}
    assert shown(applied) == {"staging": third, "production": 1}
    summary = run.jobs["apply"].steps["Reconcile"].summary
    assert "rollback" in summary
    assert re.findall(r"^(?:#### \S+ PASSED: .*|wrote .*|recorded .*) (\w+) 2 → 1$", summary, re.MULTILINE) == ["production"]
    assert len(re.findall("^wrote", summary, re.MULTILINE)) == 2, "the stage and the alias of production alone"
    assert "@production at version 1" in summary
    assert git(applied.origin, "rev-parse", "main") == main, "nothing is committed to main"
    assert git(applied.origin, "rev-list", "--count", f"{journal}..promotion-journal") == "2", "one intent, one outcome"
    assert applied.promotion("journal", "verify").returncode == 0
    assert applied.promotion("drift").returncode == 0


@pytest.mark.parametrize("lost", ["before anything was read", "before the first write"])
def test_an_origin_that_does_not_answer_makes_the_job_red_and_changes_nothing(applied: Scene, lost: str) -> None:
    promote(applied, "second", good_staging=2)
    before, journal, main = registry_state(applied), applied.journal(), git(applied.origin, "rev-parse", "main")
    early = lost == "before anything was read"
    away = applied.folder / "away.git"
    if not early:  # read from origin, but push to where nothing answers
        git(applied.clone, "config", "remote.origin.pushurl", str(away))
        run = applied.apply()
    else:
        applied.origin.rename(away)
        run = applied.apply()
        away.rename(applied.origin)
    assert run.exit_code != 0
    job, step = ("fetch", "Move to the newest commit of main") if early else ("apply", "Reconcile")
    assert run.results() == ({"fetch": False} if early else {"fetch": True, "measure": True, "apply": False}), run.told()
    stopped = run.jobs[job].steps[step]
    assert (stopped.result, stopped.exit_code) == ("failure", 5), stopped.output
    assert "does not appear to be a git repository" in stopped.output
    (mark,) = run.annotations
    told = "origin does not answer: nothing was read, nothing was changed" if early else "does not take the journal's entry"
    assert mark.level == "error"
    assert told in mark.message
    assert told in run.summary
    assert (registry_state(applied), applied.journal(), git(applied.origin, "rev-parse", "main")) == (before, journal, main)

    if not early:
        git(applied.clone, "config", "--unset", "remote.origin.pushurl")
    assert applied.apply().exit_code == 0, "once origin answers again the same commit is applied"
    assert shown(applied) == {"staging": 2}
