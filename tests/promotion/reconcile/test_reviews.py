"""GitHub's reviews as approvals: of the last commit, by somebody known who is not the author, for what main declares and judges by."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from promotion.errors import UsageError
from promotion.pulls import PullRequest, read
from promotion.reconcile import Outcome
from promotion.verdicts import Status
from tests.memory import MemoryScene
from tests.promotion.journal.conftest import make_key, signer_line
from tests.scene import NAMING

os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
RULE = NAMING + "  - gate: approval\n    signers: [bob@example.org, ada-l]\n    reviews: true\n"


@pytest.fixture
def scene(tmp_path: Path) -> MemoryScene:
    """Ada's and Bob's names on the host stand beside their keys; version 1 is to be reviewed before staging."""
    made = MemoryScene(tmp_path / "models", "memory://")
    made.start()
    made.register(2)
    keys = {name: make_key(tmp_path, name) for name in ("ada", "bob", "job")}
    names = {"ada": "ada@example.org,ada-l", "bob": "bob@example.org,bob-b", "job": "job@example.org"}
    (made.folder / "policies" / "allowed_signers").write_text("".join(signer_line(names[who], key) for who, key in keys.items()))
    made.shared["signing_key"] = keys["job"]
    made.rule("staging", RULE)
    made.declare(staging="none")
    made.reconcile()
    return made


def merged(scene: MemoryScene, use: int = 1, *, squash: bool = False) -> tuple[str, str]:
    """A branch that declares, merged as the host does; returns the branch's last commit and the one that main has of it."""
    scene.git("checkout", "-q", "-b", "promote")
    head = scene.declare(staging=use)
    scene.git("checkout", "-q", "main")
    if squash:
        scene.git("merge", "-q", "--squash", "promote")
        return head, scene.commit("Promote (#7)")
    scene.git("merge", "-q", "--no-ff", "-m", "Merge", "promote")
    return head, head


def judged(scene: MemoryScene, **changes: Any) -> tuple[Status, str]:
    outcome: Outcome = scene.reconcile(**changes)
    (one,) = outcome.decision.judged
    (verdict,) = [verdict for verdict in one.verdicts if verdict.gate == "approval"]
    return verdict.status, verdict.got


def pull(head: str, *approved: tuple[str, str], author: str | None = "ada-l") -> PullRequest:
    return PullRequest(7, author, head, approved)


@pytest.mark.parametrize("squash", [False, True])
def test_an_approving_review_of_the_last_commit_counts(scene: MemoryScene, squash: bool) -> None:
    head, brought = merged(scene, squash=squash)
    assert judged(scene, pulls={brought: (pull(head, ("bob-b", head)),)}) == (Status.PASSED, "approved by bob-b")
    assert scene.shown()["stages"][1] == "Staging"


def test_it_counts_where_the_rule_says_so_alone(scene: MemoryScene) -> None:
    scene.rule("staging", RULE.replace("    reviews: true\n", ""))
    scene.declare(staging="none")
    scene.reconcile()
    head, brought = merged(scene)
    status, got = judged(scene, pulls={brought: (pull(head, ("bob-b", head)),)})
    assert (status, "the rule counts signatures alone" in got) == (Status.FAILED, True)


def test_an_older_commit_that_was_approved_does_not_count(scene: MemoryScene) -> None:
    scene.git("checkout", "-q", "-b", "promote")
    first = scene.declare(staging=2)
    head = scene.declare(staging=1)
    scene.git("checkout", "-q", "main")
    scene.git("merge", "-q", "--ff-only", "promote")
    status, got = judged(scene, pulls={head: (pull(head, ("bob-b", first)),)})
    assert status is Status.FAILED
    assert f"of commit {first[:12]}, and {head[:12]} came after it" in got


def test_lines_that_were_changed_on_their_way_to_main_were_not_reviewed(scene: MemoryScene) -> None:
    scene.git("checkout", "-q", "-b", "promote")
    head = scene.declare(staging=2)
    scene.git("checkout", "-q", "main")
    brought = scene.declare(staging=1)
    status, got = judged(scene, pulls={brought: (pull(head, ("bob-b", head)),)})
    assert (status, "of other lines than main declares" in got) == (Status.FAILED, True)


def test_rules_that_changed_after_the_review_were_not_reviewed(scene: MemoryScene) -> None:
    head, brought = merged(scene)
    scene.rule(
        "staging", RULE.replace("  - gate: approval", "  - gate: metadata\n    tags: [dataset]\n    mode: observe\n  - gate: approval")
    )
    scene.commit("another rule")
    status, got = judged(scene, pulls={brought: (pull(head, ("bob-b", head)),)})
    assert (status, "for other rules" in got) == (Status.FAILED, True)


@pytest.mark.parametrize(
    ("reviewer", "author", "status", "told"),
    [
        ("ada-l", "ada-l", Status.FAILED, "promotes it, and cannot approve it"),
        ("bob-b", "bob-b", Status.FAILED, "promotes it, and cannot approve it"),
        ("Bob-B", "ada-l", Status.PASSED, "approved by bob"),
        ("mallory", "ada-l", Status.FAILED, "policies/allowed_signers does not name mallory"),
        ("job@example.org", "ada-l", Status.FAILED, "is not among the signers"),
        ("bob-b", "mallory", Status.ERRORED, "policies/allowed_signers does not name mallory"),
        ("bob-b", None, Status.ERRORED, "an account that is gone"),
    ],
)
def test_who_counts(scene: MemoryScene, reviewer: str, author: str | None, status: Status, told: str) -> None:
    head, brought = merged(scene)
    found, got = judged(scene, pulls={brought: (pull(head, (reviewer, head), author=author),)})
    assert (found, told in got) == (status, True), got


def test_an_author_of_any_pull_request_that_holds_the_commit_is_one(scene: MemoryScene) -> None:
    head, brought = merged(scene)
    status, got = judged(scene, pulls={brought: (pull(head, ("bob-b", head)), pull(head, author="bob-b"))})
    assert (status, "promotes it, and cannot approve it" in got) == (Status.FAILED, True)


def test_a_reviewed_commit_that_is_not_at_hand_does_not_count(scene: MemoryScene) -> None:
    _, brought = merged(scene)
    status, got = judged(scene, pulls={brought: (pull("f" * 40, ("bob-b", "f" * 40)),)})
    assert (status, "cannot be looked at" in got) == (Status.FAILED, True)


def test_what_is_declared_again_by_another_commit_was_not_reviewed(scene: MemoryScene) -> None:
    head, brought = merged(scene)
    pulls = {brought: (pull(head, ("bob-b", head)),)}
    assert judged(scene, pulls=pulls)[0] is Status.PASSED
    again = scene.declare(staging=2)
    assert judged(scene, pulls=pulls)[0] is Status.ERRORED, "nobody knows who opened it"
    assert judged(scene, pulls={**pulls, again: (pull(again),)}) == (Status.FAILED, "nobody has approved this plan")


def answer(**changes: Any) -> dict[str, Any]:
    """What GitHub's GraphQL answers, as its reference shows it."""
    reviews = [
        {"state": "APPROVED", "author": {"login": "bob-b"}, "commit": {"oid": "a" * 40}},
        {"state": "DISMISSED", "author": {"login": "eve"}, "commit": {"oid": "a" * 40}},
        {"state": "CHANGES_REQUESTED", "author": {"login": "carol"}, "commit": {"oid": "a" * 40}},
        {"state": "APPROVED", "author": None, "commit": {"oid": "a" * 40}},
        {"state": "APPROVED", "author": {"login": "dan"}, "commit": None},
    ]
    pulled = {"number": 7, "author": {"login": "ada-l"}, "headRefOid": "a" * 40, "latestReviews": {"nodes": reviews}, **changes}
    nodes = [{"oid": "b" * 40, "associatedPullRequests": {"nodes": [pulled]}}]
    return {"data": {"repository": {"object": {"history": {"nodes": nodes}}}}}


def test_githubs_answer_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pulls.json"
    path.write_text(json.dumps(answer()))
    assert read(path) == {"b" * 40: (PullRequest(7, "ada-l", "a" * 40, (("bob-b", "a" * 40),)),)}
    path.write_text(json.dumps(answer(author=None)))
    assert read(path)["b" * 40][0].author is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"errors": [{"message": "Bad credentials"}], "data": null}',
        json.dumps(answer(headRefOid="HEAD")),
        json.dumps(answer(author={"login": "a,b"})),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pulls.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="is not GitHub's answer"):
        read(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "none.json")
