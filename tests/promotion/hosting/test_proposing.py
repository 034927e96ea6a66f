"""``promotion propose --push`` and ``promotion github pull-request``, with a real origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.promotion.hosting.conftest import FILE, Place


def test_a_version_is_proposed_on_a_branch_of_main_s_newest_commit_and_nothing_here_moves(place: Place, tmp_path: Path) -> None:
    start = place.git("rev-parse", "HEAD")
    newest = place.commit("Somebody goes on", ("NOTES.md", "more\n"))
    place.git("push", "-q", "origin", "main")
    place.git("reset", "-q", "--hard", start)
    (place.folder / "environments.yaml").write_text("a draft that is not committed\n")
    outputs = tmp_path / "outputs"
    assert place.promotion("propose", "churn", "staging=2", "production=1", "--push", "--outputs", str(outputs)) == 0
    branch = "propose-churn-staging-2-production-1"
    assert outputs.read_text() == f"branch={branch}\n"
    assert place.git("rev-parse", f"{branch}^", where=place.origin) == newest
    assert place.git("show", f"{branch}:environments.yaml", where=place.origin) == FILE.replace("use: 1 #", "use: 2 #").replace(
        "none", "1"
    ).rstrip("\n")
    assert place.git("show", "-s", "--format=%an: %s", branch, where=place.origin) == "Ada: Propose churn: staging=2 production=1"
    assert (place.git("rev-parse", "HEAD"), (place.folder / "environments.yaml").read_text()) == (start, "a draft that is not committed\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("churn", "staging=1"), "main declares churn staging=1 already"),
        (("other", "staging=1"), "does not declare 'other'"),
        (("churn", "staging=2", "--remote", "none"), "no remote to push to"),
        (("churn", "staging=2", "--branch", "trunk"), "origin has no branch 'trunk'"),
    ],
)
def test_what_cannot_be_proposed_is_told(place: Place, arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.promotion("propose", *arguments, "--push") == 2
    assert told in capsys.readouterr().err
    assert place.git("branch", where=place.origin) == "* main"


def test_what_is_proposed_already_stays_as_it_is(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.promotion("propose", "churn", "staging=2", "--push") == 0
    before = place.git("rev-parse", "propose-churn-staging-2", where=place.origin)
    place.git("fetch", "-q", "origin")
    place.commit("Somebody goes on", ("NOTES.md", "more\n"))
    place.git("push", "-q", "origin", "main")
    assert place.promotion("propose", "churn", "staging=2", "--push") == 6
    assert "it may be proposed already" in capsys.readouterr().err
    assert place.git("rev-parse", "propose-churn-staging-2", where=place.origin) == before


def test_each_branch_that_fits_gets_one_pull_request_and_a_closed_one_is_not_opened_again(place: Place) -> None:
    for name, subject in (("rollback-aaa", "Roll back churn staging: 2 to 1"), ("rollback-bbb", "Roll back churn production: 2 to 1")):
        place.commit(f"{subject}\n\nIt failed: `x` $(id)", ("environments.yaml", FILE + f"# {name}\n"))
        place.git("push", "-q", "origin", f"HEAD:refs/heads/{name}")
        place.git("reset", "-q", "--hard", "HEAD~1")
    place.hosting.pulls = [{"number": 1, "head": "rollback-aaa", "state": "closed", "title": "closed by somebody"}]
    for _ in range(2):
        assert place.promotion("github", "pull-request", "rollback-*", "--note", "The registry is back already.") == 0
    (made,) = place.hosting.pulls[1:]
    assert (made["head"], made["base"], made["title"]) == ("rollback-bbb", "main", "Roll back churn production: 2 to 1")
    assert made["body"] == "It failed: `x` $(id)\n\nThe registry is back already."


def test_without_such_a_branch_or_without_a_token_nothing_is_opened(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.promotion("github", "pull-request", "rollback-*") == 0
    assert "no branch needs a pull request" in capsys.readouterr().out
    monkeypatch.delenv("GH_TOKEN")
    assert place.promotion("github", "pull-request", "main") == 0
    assert "not sent, since there is no GH_TOKEN" in capsys.readouterr().out
    assert place.hosting.pulls == []
