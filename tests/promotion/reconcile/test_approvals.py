"""Approvals: signed by somebody else, for this very plan, once; made by the command and read back by reconcile."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from promotion.cli import root
from promotion.cli.ending import run
from promotion.errors import Exit
from promotion.git import Identity
from promotion.judging import judge
from promotion.reconcile import Outcome
from promotion.repository import at
from promotion.survey import survey
from promotion.verdicts import Status
from tests.promotion.journal.conftest import make_key, signer_line
from tests.scene import NAMING, Scene

Served = Callable[[int], Scene]
APPROVAL = "  - gate: approval\n    signers: [bob@example.org, ada@example.org]\n"
os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


class Team:
    """A repository with a remote, where Ada promotes and Bob approves; each has a key, as has the job that applies."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        folder = scene.folder.parent
        self.keys = {name: make_key(folder, name) for name in ("ada", "bob", "eve", "job")}
        (scene.folder / "policies" / "allowed_signers").write_text(
            signer_line("ada@example.org,ada-l", self.keys["ada"])
            + signer_line("bob@example.org", self.keys["bob"])
            + signer_line("job@example.org", self.keys["job"])
        )
        scene.rule("staging", NAMING + APPROVAL)
        origin = folder / "origin.git"
        scene.git("init", "-q", "--bare", "-b", "main", str(origin))
        scene.git("remote", "add", "origin", str(origin))
        scene.git("config", "gpg.format", "ssh")
        scene.git("config", "user.signingkey", str(self.keys["ada"]))
        scene.git("config", "commit.gpgsign", "true")
        scene.shared["signing_key"] = self.keys["job"]
        self.declare("none")
        assert scene.reconcile().exit_code is Exit.DONE

    def declare(self, use: int | str) -> None:
        self.scene.declare(staging=use)
        self.scene.git("push", "-q", "origin", "main")

    def approve(self, who: str = "bob") -> int:
        """As at the command line: look at the plan, sign it."""
        scene, plan = self.scene, self.scene.folder.parent / "plan.json"
        shared = ["-C", str(scene.folder), "--tracking-uri", scene.url]
        assert run(root, [*shared, "plan", "--out", str(plan)]) == Exit.DONE
        return run(root, [*shared, "--signing-key", str(self.keys[who]), "approve", str(plan)])

    def tag(self) -> str:
        return self.scene.git("ls-remote", "origin", "refs/tags/promotion-approval/*").split("\t")[-1].removesuffix("^{}")


def said(outcome: Outcome) -> tuple[Status, str]:
    (judged,) = outcome.decision.judged
    (verdict,) = [one for one in judged.verdicts if one.gate == "approval"]
    return verdict.status, verdict.got


@pytest.fixture
def team(served: Served) -> Team:
    return Team(served(2))


def test_what_somebody_else_signed_is_applied_once(team: Team) -> None:
    scene = team.scene
    team.declare(2)
    assert said(scene.reconcile()) == (Status.FAILED, "nobody has approved this plan")
    assert team.approve() == Exit.DONE
    assert team.approve() == Exit.USAGE, "the same person twice"

    outcome = scene.reconcile()
    assert said(outcome) == (Status.PASSED, "approved by bob@example.org")
    assert outcome.exit_code is Exit.DONE
    assert scene.client.get_model_version(scene.name, "2").tags["promotion.approval.staging"] == "Approved by bob@example.org"
    assert scene.reconcile().written == ()

    # What Bob signed is applied; a rollback and an emptied environment later, all is as it was when he did, and so is the plan's digest.
    for use in ("none", 1, 2, "none"):
        team.declare(use)
        assert use != 1 or team.approve() == Exit.DONE
        assert scene.reconcile().exit_code is Exit.DONE
    team.declare(1)
    status, got = said(scene.reconcile())
    assert status is Status.FAILED
    assert "used already" in got
    assert scene.shown()["stages"][1] != "Staging"


def test_nobody_approves_what_they_promote(team: Team) -> None:
    team.declare(1)
    assert team.approve("ada") == Exit.DONE
    status, got = said(team.scene.reconcile())
    assert status is Status.FAILED
    assert "ada@example.org promotes it, and cannot approve it" in got or "ada-l promotes it" in got


def test_an_approval_of_one_plan_does_not_count_for_the_next(team: Team) -> None:
    team.declare(1)
    assert team.approve() == Exit.DONE
    name = team.tag()
    team.declare(2)
    assert said(team.scene.reconcile())[0] is Status.FAILED

    # The same signed tag under the name of the plan that is judged now: its own name tells.
    workspace = team.scene.workspace()
    commit = workspace.git.resolve("HEAD")
    plan = survey(workspace, at(workspace.git, commit, workspace.layout)).plan.digest
    forged = name.replace(name.split("/")[3], plan)
    team.scene.git("push", "-q", "origin", f"{team.scene.git('rev-parse', name)}:{forged}")
    status, got = said(team.scene.reconcile())
    assert status is Status.FAILED
    assert "no annotated tag of this name" in got


@pytest.mark.parametrize("how", ["a stranger's key", "no signature", "a message that is none"])
def test_a_tag_that_is_not_signed_by_an_approver_does_not_count(team: Team, how: str) -> None:
    scene = team.scene
    team.declare(1)
    assert team.approve() == Exit.DONE
    name = team.tag().removeprefix("refs/tags/")
    message = scene.git("tag", "-l", "--format=%(contents:subject)%0a%(contents:body)", name)
    scene.git("push", "-q", "origin", f":refs/tags/{name}")
    scene.git("tag", "-d", name)
    git = scene.workspace().git
    if how == "no signature":
        scene.git("-c", "tag.gpgsign=false", "tag", "-a", "-m", message, name)
    else:
        key = team.keys["eve" if how == "a stranger's key" else "bob"]
        text = message if how == "a stranger's key" else "I agree.\n"
        git.make_tag(name, "HEAD", text, who=Identity("Bob", "bob@example.org"), at=scene.workspace().now(), key=key)
    scene.git("push", "-q", "origin", f"refs/tags/{name}")

    status, got = said(scene.reconcile())
    assert status is Status.FAILED
    assert ("cannot be read" if how == "a message that is none" else "not signed by a key") in got


def test_an_author_whom_nobody_knows_is_an_error_unless_the_host_tells(team: Team) -> None:
    scene = team.scene
    scene.git("config", "commit.gpgsign", "false")
    team.declare(1)
    assert team.approve() == Exit.DONE
    assert said(scene.reconcile())[0] is Status.ERRORED
    status, got = said(scene.reconcile(author="mallory"))
    assert status is Status.ERRORED
    assert "does not name mallory" in got
    status, got = said(scene.reconcile(author="bob@example.org"))
    assert (status, "cannot approve it" in got) == (Status.FAILED, True)
    assert said(scene.reconcile(author="ada-l"))[0] is Status.PASSED


def test_a_key_that_is_not_allowed_makes_no_approval(team: Team) -> None:
    team.declare(1)
    assert team.approve("eve") == Exit.USAGE
    assert team.scene.git("tag", "-l") == ""


def test_a_key_that_comes_with_the_change_does_not_count(team: Team) -> None:
    scene = team.scene
    signers = scene.folder / "policies" / "allowed_signers"
    others = signers.read_text().replace(signer_line("bob@example.org", team.keys["bob"]), "")
    signers.write_text(others + signer_line("bob@example.org", team.keys["eve"]))
    team.declare(1)
    assert team.approve("eve") == Exit.DONE
    status, got = said(scene.reconcile())
    assert status is Status.FAILED
    assert "not signed by a key" in got


def test_who_may_approve_is_asked_of_the_last_applied_commit_as_well(served: Served) -> None:
    scene = served(1)
    scene.rule("staging", NAMING + APPROVAL)
    scene.declare(staging="none")
    assert scene.reconcile().exit_code is Exit.DONE
    scene.declare(staging=1)
    assert said(scene.reconcile()) == (Status.ERRORED, "policies/allowed_signers names no key, so nobody can approve")
    signer = signer_line("bob@example.org", make_key(scene.folder.parent, "bob"))
    (scene.folder / "policies" / "allowed_signers").write_text(signer)
    scene.commit("bring the signers beside what they are to approve")
    workspace = scene.workspace()
    found = survey(workspace, at(workspace.git, "HEAD", workspace.layout))
    (judged,) = judge(workspace, found, commit=workspace.git.resolve("HEAD"), measure=False).decision.judged
    (verdict,) = [one for one in judged.verdicts if one.gate == "approval"]
    assert verdict.got == "policies/allowed_signers at the last applied commit names no key, so nobody can approve"
    assert "applied by itself" in (verdict.hint or "")
