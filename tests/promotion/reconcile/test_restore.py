"""Rollback by command, holds, and drift against what was applied last."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from promotion.changes import ChangeKind
from promotion.cli import build, root
from promotion.cli.ending import run
from promotion.cli.options import Shared
from promotion.drift import find, heal
from promotion.errors import Exit, UsageError
from promotion.judging import judge
from promotion.promoted import one_of
from promotion.reconcile import Options
from promotion.releasing import same_person
from promotion.repository import Layout, desired_at, working
from promotion.restore import change_hold, rollback, still_applied
from promotion.survey import survey
from tests.scene import NAMING, Scene

Served = Callable[[int], Scene]


def promoted_twice(scene: Scene) -> None:
    for version in (1, 2):
        scene.declare(production=version)
        scene.reconcile()


def test_rollback_brings_the_registry_back_holds_the_digest_and_commits_the_revert(served: Served) -> None:
    scene = served(2)
    promoted_twice(scene)
    result = rollback(scene.workspace(), Options(), scene.name, "production", reason="alarms", push=False)
    assert scene.shown()["stages"] == {1: "Production", 2: "Archived"}
    assert (result.to.version, result.hold.version if result.hold else None) == (1, 2)
    message = scene.git("log", "-1", "--format=%B")
    assert message.startswith(f"Roll back {scene.name} production: 2 to 1\n\nalarms\n")
    assert scene.git("log", "-1", "--format=%(trailers:key=Promotion-Journal,valueonly)").strip() == result.outcome.entry
    assert "use: 1" in (scene.folder / "environments.yaml").read_text()
    assert scene.reconcile().exit_code is Exit.DONE, "the commit only says what the registry shows already"
    memory = scene.workspace().journal.read().applied(scene.name)
    assert memory is not None
    assert memory.bindings["production"].unverified


def test_what_is_on_hold_is_refused_until_it_is_released(served: Served) -> None:
    scene = served(2)
    promoted_twice(scene)
    result = rollback(scene.workspace(), Options(), scene.name, "production", reason="alarms", push=False)
    assert result.hold is not None
    scene.declare(production=2)
    outcome = scene.reconcile()
    assert outcome.exit_code is Exit.FAILED
    assert [verdict.gate for one in outcome.refused for verdict in one.verdicts if verdict.status.blocks] == ["hold"]
    repository = build.git(Shared(directory=scene.folder))
    journal = build.journal(repository, Shared(directory=scene.folder))
    held = f"{scene.name}/2@sha256:{result.hold.digest}"
    author = scene.git("log", "-1", "--format=%an <%ae>")

    def release(by: str) -> None:
        declared = desired_at(repository, "HEAD", Layout())
        change_hold(journal, by, build.now(), "release", held, "production", "it was the data", declared=declared)

    with pytest.raises(UsageError, match="main still declares"):
        release("Ben")
    scene.declare(production=1)
    with pytest.raises(UsageError, match="another person releases the hold"):
        release(author)
    release("Ben")
    scene.declare(production=2)
    assert scene.reconcile().exit_code is Exit.DONE
    assert scene.shown()["stages"][2] == "Production"
    assert journal.verify() == ()
    with pytest.raises(UsageError, match="is not on hold"):
        release("Ben")


@pytest.mark.parametrize(
    ("author", "by", "same"),
    [
        ("Ada <ada@example.org>", "Ada <ada@example.org>", True),
        ("Ada <ada@example.org>", "A. Lovelace <ADA@example.org>", True),
        ("Ada <12+ada@users.noreply.github.com>", "ada (CI)", True),
        ("ada <ada@example.org>", "ada (CI)", True),
        ("Ada <12+ada@users.noreply.github.com>", "ben (CI)", False),
        ("Ada <ada@example.org>", "Ben <ben@example.org>", False),
    ],
)
def test_who_promoted_and_who_releases_are_told_apart(author: str, by: str, same: bool) -> None:
    assert same_person(author, by) is same


def test_rollback_of_a_commit_asks_that_what_it_promoted_is_what_is_applied(served: Served) -> None:
    scene = served(2)
    promoted_twice(scene)
    first, second = (scene.git("rev-parse", ref) for ref in ("HEAD~1", "HEAD"))
    assert main_of(scene, "rollback", "--commit", first, "--over-later") == Exit.CONFLICT, "version 2 is applied by now"
    assert scene.shown()["stages"][2] == "Production"
    assert main_of(scene, "rollback", "--commit", second) == Exit.DONE
    assert scene.shown()["stages"] == {1: "Production", 2: "Archived"}
    assert f"It was promoted by commit {second[:12]}." in scene.git("log", "-1", "--format=%B")
    assert main_of(scene, "rollback", "--commit", "HEAD") == Exit.USAGE, "the revert of a revert needs a person"
    assert scene.shown()["stages"] == {1: "Production", 2: "Archived"}


def test_of_several_bindings_that_a_merge_brought_one_alone_is_reverted_byte_for_byte(served: Served) -> None:
    """Whatever the merge is called: its content says what it promoted, the journal what it is brought back to."""
    scene = served(2)
    scene.declare(staging=1, production=1)
    scene.reconcile()
    scene.git("checkout", "-q", "-b", "topic")
    scene.declare(staging=2, production=2, commit=False)
    file = scene.folder / "environments.yaml"
    text = file.read_bytes().replace(b"use: 2\n", b"use:   2   # tried by hand \xf0\x9f\xa6\x89\r\n")
    file.write_bytes(text)
    scene.commit("Both at once")
    scene.git("checkout", "-q", "main")
    scene.git("merge", "-q", "--no-ff", "-m", 'Revert "everything" to version 9', "topic")
    scene.reconcile()
    workspace = scene.workspace()
    with pytest.raises(UsageError, match="promoted more than one"):
        one_of(workspace.git, workspace.layout, "HEAD")
    binding = one_of(workspace.git, workspace.layout, "HEAD", environment="production")
    only = still_applied(workspace.journal, binding)
    result = rollback(workspace, Options(), scene.name, "production", reason="alarms", push=False, only=only)
    assert (result.before, result.to.version) == (only, 1)
    head, _, tail = text.rpartition(b"2   # tried")
    assert file.read_bytes() == head + b"1   # tried" + tail
    assert scene.git("diff", "--stat", "HEAD~1", "HEAD").splitlines()[-1].strip() == "1 file changed, 1 insertion(+), 1 deletion(-)"


def main_of(scene: Scene, *arguments: str) -> int:
    if scene.url == "memory://":
        pytest.skip("the command line needs a server")
    return run(root, ["-C", str(scene.folder), "--tracking-uri", scene.url, *arguments])


def test_rollback_without_a_predecessor_says_so_and_changes_nothing(served: Served) -> None:
    scene = served(1)
    scene.declare(production=1)
    scene.reconcile()
    before = (scene.shown(), scene.journal(), scene.journal("HEAD"))
    with pytest.raises(UsageError, match="no predecessor to return to"):
        rollback(scene.workspace(), Options(), scene.name, "production", reason="alarms", push=False)
    assert (scene.shown(), scene.journal(), scene.journal("HEAD")) == before


def test_rollback_leaves_what_is_pending_in_the_file_pending(served: Served) -> None:
    scene = served(3)
    promoted_twice(scene)
    scene.declare(staging=3, production=2)
    rollback(scene.workspace(), Options(), scene.name, "production", reason="alarms", push=False)
    assert scene.shown()["stages"] == {1: "Production", 2: "Archived", 3: "None"}
    assert [(one.change.environment, one.change.kind) for one in scene.reconcile().done] == [("staging", ChangeKind.PROMOTE)]


def test_drift_is_measured_against_what_was_applied_and_healed_to_that(served: Served) -> None:
    scene = served(2)
    scene.declare(production=1)
    scene.reconcile()
    scene.declare(production=2)
    workspace = scene.workspace()
    declaration = working(workspace.git, workspace.layout)
    assert find(workspace, declaration).plan.changes == (), "a pending promotion is not drift"
    scene.move(1, "Archived")
    assert [change.kind for change in find(workspace, declaration).plan.changes] == [ChangeKind.HEAL]
    assert heal(workspace, Options(), declaration).exit_code is Exit.DONE
    assert scene.shown()["stages"] == {1: "Production", 2: "None"}
    assert workspace.journal.read().recorded == scene.git("rev-parse", "HEAD~1")


def test_a_pull_request_that_promotes_and_changes_the_rules_is_refused(served: Served) -> None:
    scene = served(1)
    scene.declare(staging="none")
    scene.rule("staging", NAMING + "  - gate: lineage\n    mode: observe\n")
    scene.declare(staging=1)
    workspace = scene.workspace()
    found = survey(workspace, working(workspace.git, workspace.layout), base="HEAD~1")
    decision = judge(workspace, found, commit=scene.git("rev-parse", "HEAD"), measure=False, base="HEAD~1").decision
    assert [(one.gate, one.got) for one in decision.judged[0].verdicts if one.status.blocks] == [
        ("separate", "changes policies/staging.yaml")
    ]
    alone = judge(workspace, found, commit=scene.git("rev-parse", "HEAD"), measure=False, base="HEAD").decision
    assert not alone.judged[0].status.blocks
