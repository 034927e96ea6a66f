"""The scripts that speak to GitHub, run as they stand in the workflows against a stand-in of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.hosting import Hosting

APPLY = "The check after a promotion did not pass"
DRIFT = "The registry has drifted, or what is in service no longer passes"


MARK = "<!-- promotion -->"


@pytest.fixture
def hosting(tmp_path: Path) -> Hosting:
    return Hosting.start(tmp_path / "hosting")


def failed(hosting: Hosting, commit: str) -> dict[int, Any]:
    """What apply.yml does after a verification that did not pass; gives the issues by number."""
    done = hosting.run("apply", "tell", "Say it loudly, in one issue that is kept up to date", COMMIT=commit, RUN=f"https://runs/{commit}")
    assert done.returncode == 0, done.stderr
    assert f"::error title={APPLY}::" in done.stdout
    return {one["number"]: one for one in hosting.state()["issues"]}


def looked(hosting: Hosting, look: str, verify: str) -> None:
    """What drift.yml does at its end."""
    done = hosting.run("drift", "tell", "Keep one issue up to date", LOOK=look, VERIFY=verify, RUN="https://runs/drift")
    assert done.returncode == 0, done.stderr


def test_a_failed_check_opens_one_issue_and_the_next_one_keeps_it_up_to_date(hosting: Hosting) -> None:
    first = failed(hosting, "a" * 40)
    assert [(one["title"], one["state"], one["said"]) for one in first.values()] == [(APPLY, "open", [])]
    assert f"for commit {'a' * 12}." in first[1]["body"]
    second = failed(hosting, "b" * 40)
    assert list(second) == [1], "no second issue"
    assert second[1]["body"].endswith(f"https://runs/{'b' * 40}")
    assert second[1]["said"] == [second[1]["body"]], "an edit alone tells nobody"


def test_an_issue_with_a_title_like_it_or_closed_already_is_left_alone(hosting: Hosting) -> None:
    others = [
        {"number": 1, "title": f"{APPLY}, why?", "body": "a person asks", "state": "open", "said": []},
        {"number": 2, "title": APPLY, "body": "old", "state": "closed", "said": []},
    ]
    hosting.put({**hosting.state(), "issues": others})
    found = failed(hosting, "c" * 40)
    assert [found[1], found[2]] == others
    assert (found[3]["title"], found[3]["state"]) == (APPLY, "open")


def test_both_issues_are_closed_when_all_that_is_in_service_passes_again(hosting: Hosting) -> None:
    failed(hosting, "a" * 40)
    looked(hosting, "failure", "success")
    looked(hosting, "success", "failure")
    issues = hosting.state()["issues"]
    assert [(one["title"], one["state"]) for one in issues] == [(APPLY, "open"), (DRIFT, "open")]
    assert issues[1]["body"].startswith("Drift: success, verification: failure.")
    looked(hosting, "success", "success")
    issues = hosting.state()["issues"]
    assert [(one["state"], one["said"]) for one in issues] == [("closed", ["As applied, and verified: https://runs/drift"])] * 2
    failed(hosting, "d" * 40)
    assert [one["state"] for one in hosting.state()["issues"]] == ["closed", "closed", "open"], "a new failure is a new issue"


def test_hosting_that_is_down_makes_the_job_red_and_the_summary_tells_it_all_the_same(hosting: Hosting) -> None:
    hosting.put({**hosting.state(), "down": True})
    done = hosting.run("apply", "tell", "Say it loudly, in one issue that is kept up to date", COMMIT="e" * 40, RUN="https://runs/1")
    assert done.returncode != 0
    assert "HTTP 502" in done.stderr
    assert "https://runs/1" in (hosting.folder / "summary.md").read_text(encoding="utf-8")


def comment(hosting: Hosting, *, models: list[str], verdict: str = "Not to be merged.", **pages: str) -> list[str]:
    """What gate.yml says at its end of these pages (``plan``, ``leg0``, …); gives the bodies of all comments."""
    for name, text in pages.items():
        folder = hosting.folder / "pages" / f"page-{name.removeprefix('leg')}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "page.md").write_text(text, encoding="utf-8")
    given = {"NUMBER": "7", "MODELS": json.dumps(models), "VERDICT": verdict, "RUN": "https://runs/7"}
    done = hosting.run("gate", "comment", "Keep one comment up to date", **given)
    assert done.returncode == 0, done.stderr
    return [one["body"] for one in hosting.state()["comments"].get("7", [])]


def test_a_pull_request_gets_one_comment_that_is_edited_in_place(hosting: Hosting) -> None:
    pages = {f"leg{number}": f"judged {number}" for number in (10, 2, 0)}
    (first,) = comment(hosting, models=["a"], plan="### Plan", **pages)
    assert first == f"{MARK}\n### Plan\n\njudged 0\n\njudged 2\n\njudged 10\n\nNot to be merged. [The run](https://runs/7)\n"
    (second,) = comment(hosting, models=["a"], verdict="Every gate lets this pass.", plan="### Plan, better")
    assert "### Plan, better" in second
    assert "Every gate lets this pass." in second


def test_a_comment_of_somebody_else_is_never_edited_whatever_it_begins_with(hosting: Hosting) -> None:
    people = [{"id": number, "user": {"login": "mallory"}, "body": f"{MARK} mine {number}"} for number in (1, 2, 3)]
    bot = {"id": 4, "user": {"login": "github-actions[bot]"}, "body": "another workflow"}
    hosting.put({**hosting.state(), "comments": {"7": [*people, bot]}})
    comment(hosting, models=["a"], plan="first")
    found = comment(hosting, models=["a"], plan="second")
    assert found[:4] == [*(one["body"] for one in people), "another workflow"]
    assert len(found) == 5, "found again on the third page of comments"
    assert "second" in found[4]


def test_without_a_promotion_nothing_is_said_unless_something_was_said_before(hosting: Hosting) -> None:
    assert comment(hosting, models=[], plan="nothing") == []
    comment(hosting, models=["a"], plan="something")
    (found,) = comment(hosting, models=[], plan="nothing any more")
    assert "nothing any more" in found


def test_a_page_too_long_for_a_comment_is_cut_between_lines_and_its_blocks_are_closed(hosting: Hosting) -> None:
    long = "<details>\n\n```text\n" + "ä 🦉 @somebody\n" * 20_000 + "```\n</details>\n"
    (found,) = comment(hosting, models=["a"], plan=long)
    assert 55_000 < len(found) <= 65_536
    assert found.count("```") == 2
    assert found.count("<details>") == found.count("</details>") == 1
    assert found.endswith("Not to be merged. The rest of this page is too long for a comment. [The run](https://runs/7)\n")
    assert set(found.splitlines()[4:-5]) == {"ä 🦉 @\u200bsomebody"}


def test_what_others_wrote_mentions_nobody_and_runs_nothing(hosting: Hosting) -> None:
    hostile = f"@team and model/2@sha256:ab, $(touch {hosting.folder}/ran) `touch {hosting.folder}/ran` {MARK} \x00 \u202e @-> 100%s"
    (found,) = comment(hosting, models=["a"], plan=hostile)
    assert "@\u200bteam and model/2@sha256:ab" in found
    assert found.count(MARK) == 1
    assert found.startswith(MARK)
    assert not (hosting.folder / "ran").exists()


def test_pages_that_never_came_leave_the_verdict(hosting: Hosting) -> None:
    (found,) = comment(hosting, models=["a"])
    assert found == f"{MARK}\n\n\nNot to be merged. [The run](https://runs/7)\n"
