"""The scripts that speak to GitHub, run as they stand in the workflows against a stand-in of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.workflows.hosting import Hosting

APPLY = "The check after a promotion did not pass"
DRIFT = "The registry has drifted, or what is in service no longer passes"


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
