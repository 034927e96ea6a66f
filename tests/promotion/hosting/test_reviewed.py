"""``promotion github reviews``: who opened and who approved pull requests, and their last commits from a real origin."""

from __future__ import annotations

import subprocess
from pathlib import Path

import graphql
import pytest

from promotion.hosting.reviewed import QUERY
from promotion.pulls import PullRequest, read
from tests.promotion.hosting.conftest import Place
from tests.promotion.reconcile.test_reviews import answer


@pytest.fixture
def squashed(place: Place) -> str:
    """A commit of a branch that was squashed: origin has it, this clone has not."""
    place.git("config", "uploadpack.allowAnySHA1InWant", "true", where=place.origin)
    head = place.commit("On a branch")
    place.git("push", "-q", "origin", "HEAD:refs/heads/branch")
    place.git("reset", "-q", "--hard", "HEAD~1")
    place.git("update-ref", "-d", "refs/remotes/origin/branch")
    place.git("reflog", "expire", "--expire=now", "--all")
    place.git("gc", "-q", "--prune=now")
    gone = subprocess.run(["git", "cat-file", "-e", head], cwd=place.folder, check=False, capture_output=True)
    assert gone.returncode != 0
    return head


def test_what_github_answers_is_kept_and_what_was_reviewed_is_fetched(place: Place, squashed: str, tmp_path: Path) -> None:
    place.hosting.pulls_of[place.git("rev-parse", "HEAD")] = answer(headRefOid=squashed)
    outputs = tmp_path / "outputs"
    assert place.promotion("github", "reviews", str(tmp_path / "pulls.json"), "--outputs", str(outputs)) == 0
    assert outputs.read_text() == f"file={tmp_path / 'pulls.json'}\n"
    assert place.git("cat-file", "-t", squashed) == "commit"
    assert read(tmp_path / "pulls.json") == {"b" * 40: (PullRequest(7, "ada-l", squashed, (("bob-b", "a" * 40),)),)}


def test_a_commit_that_is_gone_is_said_and_nothing_else_is_lost(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.hosting.pulls_of[place.git("rev-parse", "HEAD")] = answer(headRefOid="f" * 40)
    assert place.promotion("github", "reviews", str(tmp_path / "pulls.json")) == 0
    assert f"commit {'f' * 40} of pull request 7 is gone: its reviews do not count" in capsys.readouterr().out
    assert read(tmp_path / "pulls.json")


@pytest.mark.parametrize("fault", ["down", "unknown commit", "no token"])
def test_without_an_answer_it_goes_by_signatures_alone(
    place: Place, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    place.hosting.down = fault == "down"
    if fault == "no token":
        monkeypatch.delenv("GH_TOKEN")
    file = tmp_path / "pulls.json"
    assert place.promotion("github", "reviews", str(file), "--outputs", str(tmp_path / "outputs")) == 0
    assert not (tmp_path / "outputs").exists()
    told = capsys.readouterr()
    assert "by signatures alone" in told.out
    assert ("::warning title=Nobody knows who opened what::" in told.err) == (fault != "no token")
    assert not file.exists()


def test_the_query_asks_for_what_is_read() -> None:
    found: set[str] = set()

    class Visitor(graphql.Visitor):
        def enter_field(self, node: graphql.FieldNode, *_: object) -> None:
            found.add(node.name.value)

    graphql.visit(graphql.parse(QUERY), Visitor())
    assert {"oid", "associatedPullRequests", "number", "author", "login", "headRefOid", "latestReviews", "state", "commit"} <= found
