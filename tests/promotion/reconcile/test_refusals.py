"""What a run refuses before its first write: a commit, files, a plan or a journal that are not what they must be, and too many changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from promotion.agreement import Agreed
from promotion.errors import Conflict, Exit, JournalError, UsageError
from promotion.reconcile import Options, Refused
from tests.promotion.reconcile.test_reconcile import Flaky
from tests.scene import Scene

Served = Callable[[int], Scene]


def test_older_and_diverged_commits_are_refused(served: Served) -> None:
    scene = served(2)
    first = scene.declare(staging=1)
    scene.declare(staging=2)
    scene.reconcile()
    scene.git("checkout", "-q", first)
    with pytest.raises(Conflict, match="is older than"):
        scene.reconcile()
    scene.declare(staging=1, subject="beside")
    with pytest.raises(Conflict, match="does not descend from"):
        scene.reconcile()
    outcome = scene.reconcile(Options(allow_older=True))
    assert outcome.exit_code is Exit.DONE


def test_who_takes_over_an_unfinished_intent_must_descend_from_what_was_applied_before_it(served: Served) -> None:
    scene = served(2)
    older = scene.declare(staging="none")
    scene.declare(staging=1)
    scene.reconcile()
    scene.declare(staging=2)
    with pytest.raises(KeyboardInterrupt):
        scene.reconcile(registry=Flaky(scene.workspace().registry, dead=1))
    scene.git("checkout", "-q", older)
    later = datetime.now(UTC) + timedelta(minutes=10)
    with pytest.raises(Conflict, match="is older than"):
        scene.reconcile(now=lambda: later)
    assert scene.shown()["aliases"] == {"staging": "1"}


def test_a_lease_that_is_running_holds_others_off_until_a_person_breaks_it(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    with pytest.raises(KeyboardInterrupt):
        scene.reconcile(registry=Flaky(scene.workspace().registry, dead=1))
    with pytest.raises(Conflict, match="holds the lock"):
        scene.reconcile()
    assert scene.reconcile(Options(break_lease=True)).takes_over is not None
    assert scene.shown()["aliases"] == {"staging": "1"}


def test_uncommitted_changes_are_not_applied(served: Served) -> None:
    scene = served(1)
    scene.declare(staging="none")
    scene.declare(staging=1, commit=False)
    with pytest.raises(UsageError, match="differ from commit"):
        scene.reconcile()


def test_an_evaluator_that_is_not_the_committed_one_does_not_judge(served: Served) -> None:
    scene = served(1)
    scene.measure()
    scene.declare(staging=1)
    with (scene.folder / "judge" / "evaluator.py").open("a") as file:
        file.write("\n# kinder than before\n")
    with pytest.raises(UsageError, match=r"judge/evaluator\.py differ from commit"):
        scene.reconcile()
    assert scene.shown()["stages"] == {1: "None"}


def test_only_the_newest_commit_of_the_remote_is_applied(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    origin = scene.folder.parent / "origin.git"
    scene.git("init", "-q", "--bare", "-b", "main", str(origin))
    scene.git("remote", "add", "origin", str(origin))
    scene.git("push", "-q", "origin", "main")
    scene.commit("not pushed")
    with pytest.raises(Conflict, match="this checkout is at"):
        scene.reconcile()
    scene.git("push", "-q", "origin", "main")
    assert scene.reconcile().exit_code is Exit.DONE
    assert scene.git("--git-dir", str(origin), "rev-parse", "promotion-journal")


def test_a_journal_that_was_cut_or_is_another_one_is_refused(served: Served) -> None:
    scene = served(2)
    scene.declare(staging=1)
    scene.reconcile()
    first = scene.journal()
    assert first is not None
    scene.declare(staging=2)
    scene.reconcile()
    scene.git("update-ref", "refs/heads/promotion-journal", first)
    with pytest.raises(JournalError, match="was cut"):
        scene.reconcile()
    scene.git("update-ref", "-d", "refs/heads/promotion-journal")
    with pytest.raises(JournalError, match="belongs to another journal"):
        scene.reconcile()


def test_too_many_changes_at_once_are_refused_until_a_person_allows_them(served: Served) -> None:
    scene = served(1)
    text = f"version: 1\nlimits:\n  max_changes: 1\nmodels:\n  {scene.name}:\n    staging:\n      use: 1\n    production:\n      use: 1\n"
    (scene.folder / "environments.yaml").write_text(text)
    scene.commit("both at once")
    with pytest.raises(Refused, match="2 changes, where at most 1") as caught:
        scene.reconcile()
    assert caught.value.hint == "split the change, or allow it this once with --max-changes N"
    assert scene.reconcile(Options(max_changes=2)).exit_code is Exit.DONE


def test_a_share_of_all_models_that_is_too_large_is_refused_until_a_person_allows_it(served: Served) -> None:
    scene = served(1)
    others = {f"{scene.name}-{number}": "none" for number in range(10)}
    limits = "limits:\n  max_share: 0.05"
    uses = (f"  {name}:\n    staging:\n      use: {use}" for name, use in {scene.name: "1", **others}.items())
    (scene.folder / "environments.yaml").write_text("\n".join(["version: 1", limits, "models:", *uses]) + "\n")
    scene.commit("one of eleven")
    with pytest.raises(Refused, match="1 of 11 managed models change, where at most 5% are allowed at once"):
        scene.reconcile()
    assert [one.change.after for one in scene.reconcile(Options(max_changes=1)).done] == [1]


def test_a_plan_that_was_agreed_is_applied_and_another_one_is_not(served: Served) -> None:
    scene = served(2)
    scene.declare(staging=1)
    made = scene.reconcile(Options(dry_run=True)).decision.plan
    agreed = Agreed(made.digest, made.basis)
    scene.declare(staging=2)
    with pytest.raises(Conflict, match="was agreed"):
        scene.reconcile(Options(agreed=agreed))
    scene.declare(staging=1)
    assert scene.reconcile(Options(agreed=agreed)).exit_code is Exit.DONE
