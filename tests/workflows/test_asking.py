"""apply.yml asks who opened and who approved pull requests: its script as it stands, against a stand-in of GitHub and a real origin."""

from __future__ import annotations

import subprocess
from pathlib import Path

import graphql
import pytest
import yaml

from promotion.pulls import PullRequest, read
from tests.promotion.reconcile.test_reviews import answer
from tests.workflows.act import PROJECT, git
from tests.workflows.hosting import Hosting

STEP = "Ask who opened and who approved the pull requests that are on main"


@pytest.fixture
def hosting(tmp_path: Path) -> Hosting:
    """Its folder is a clone of main; origin has one more commit, of a branch that was squashed and deleted."""
    origin, made = tmp_path / "origin.git", tmp_path / "hosting"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(origin)], check=True)
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    subprocess.run(["git", "clone", "-q", str(origin), str(made)], check=True, capture_output=True)
    for name in ("main", "branch"):
        git(made, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "--allow-empty", "-m", name)
        git(made, "push", "-q", "origin", f"HEAD:refs/heads/{name}")
    git(made, "reset", "-q", "--hard", "HEAD~1")
    git(made, "update-ref", "-d", "refs/remotes/origin/branch")
    git(made, "reflog", "expire", "--expire=now", "--all")
    git(made, "gc", "-q", "--prune=now")
    return Hosting.start(made)


def asked(hosting: Hosting, commit: str) -> subprocess.CompletedProcess[str]:
    given = {"COMMIT": commit, "OWNER": "owner", "NAME": "models", "GIT_TOKEN": "t0ken", "GITHUB_OUTPUT": str(hosting.folder / "output")}
    done = hosting.run("apply", "apply", STEP, **given)
    assert done.returncode == 0, done.stderr
    return done


def test_what_github_answers_is_kept_and_what_was_reviewed_is_fetched(hosting: Hosting) -> None:
    origin = hosting.folder.parent / "origin.git"
    head, main = git(origin, "rev-parse", "branch"), git(origin, "rev-parse", "main")
    assert subprocess.run(["git", "cat-file", "-e", head], cwd=hosting.folder, check=False, capture_output=True).returncode != 0
    hosting.put({**hosting.state(), "pulls": {main: answer(headRefOid=head)}})
    asked(hosting, main)
    assert git(hosting.folder, "cat-file", "-t", head) == "commit"
    file = Path((hosting.folder / "output").read_text().strip().removeprefix("file="))
    assert read(file) == {"b" * 40: (PullRequest(7, "ada-l", head, (("bob-b", "a" * 40),)),)}


def test_a_commit_that_is_gone_is_said_and_nothing_else_is_lost(hosting: Hosting) -> None:
    main = git(hosting.folder, "rev-parse", "main")
    hosting.put({**hosting.state(), "pulls": {main: answer(headRefOid="f" * 40)}})
    assert f"commit {'f' * 40} is gone: its reviews do not count" in asked(hosting, main).stdout
    assert (hosting.folder / "output").read_text()


def test_without_an_answer_it_goes_by_signatures_alone(hosting: Hosting) -> None:
    hosting.put({**hosting.state(), "down": True})
    assert "::warning title=Nobody knows who opened what::" in asked(hosting, "a" * 40).stdout
    assert not (hosting.folder / "output").exists()


def test_the_query_asks_for_what_is_read() -> None:
    steps = yaml.safe_load((PROJECT / ".github" / "workflows" / "apply.yml").read_text())["jobs"]["apply"]["steps"]
    (step,) = [one for one in steps if one["name"] == STEP]
    asked_for = {node.name.value for node in _fields(graphql.parse(step["env"]["QUERY"]))}
    assert {"oid", "associatedPullRequests", "number", "author", "login", "headRefOid", "latestReviews", "state", "commit"} <= asked_for


def _fields(document: graphql.DocumentNode) -> list[graphql.FieldNode]:
    found: list[graphql.FieldNode] = []

    class Visitor(graphql.Visitor):
        def enter_field(self, node: graphql.FieldNode, *_: object) -> None:
            found.append(node)

    graphql.visit(document, Visitor())
    return found
