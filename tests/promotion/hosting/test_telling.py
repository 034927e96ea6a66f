"""``promotion github comment`` and ``issue`` against a stand-in of GitHub's API."""

from __future__ import annotations

from pathlib import Path

import pytest

from promotion.hosting.pages import MOST
from tests.promotion.hosting.conftest import Place

MARK = "<!-- promotion -->"
APPLY = "The check after a promotion did not pass"
RUN = "[The run](https://github.example/owner/models/actions/runs/7)"
BOT = {"login": "github-actions[bot]"}


def failed(place: Place, commit: str) -> None:
    """What apply.yml does after a verification that did not pass."""
    assert place.promotion("github", "issue", APPLY, "--loud", "--text", f"Not passed, for commit {commit}.") == 0


def comment(place: Place, *options: str, **pages: str) -> list[str]:
    """What gate.yml says at its end of these pages; gives the bodies of all comments."""
    folder = place.folder.parent / "pages"
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        (folder / f"{name.replace('_', '-')}.md").write_text(text, encoding="utf-8")
    assert place.promotion("github", "comment", "7", str(folder), *options) == 0
    return [one["body"] for one in place.hosting.comments.get(7, [])]


def test_a_failed_check_opens_one_issue_and_the_next_one_keeps_it_up_to_date(place: Place) -> None:
    failed(place, "aaa")
    (issue,) = place.hosting.issues
    assert (issue["title"], issue["state"], issue["body"]) == (APPLY, "open", f"Not passed, for commit aaa. {RUN}\n")
    assert place.hosting.comments == {}
    failed(place, "bbb")
    (issue,) = place.hosting.issues
    assert "commit bbb" in issue["body"]
    assert [one["body"] for one in place.hosting.comments[1]] == [issue["body"]], "an edit alone tells nobody"


def test_an_issue_of_somebody_else_one_with_a_title_like_it_or_one_that_is_closed_is_left_alone(place: Place) -> None:
    others = [
        {"number": 1, "title": f"{APPLY}, why?", "body": "a bot asks", "state": "open", "user": BOT},
        {"number": 2, "title": APPLY, "body": "old", "state": "closed", "user": BOT},
        {"number": 3, "title": APPLY, "body": "mine", "state": "open", "user": {"login": "mallory"}},
    ]
    place.hosting.issues = [dict(one) for one in others]
    failed(place, "ccc")
    assert place.hosting.issues[:3] == others
    assert [one["number"] for one in place.hosting.issues[3:]] == [4]


def test_a_pull_request_of_that_title_is_no_issue(place: Place) -> None:
    place.hosting.pulls = [{"number": 1, "title": APPLY, "state": "open", "head": "x"}]
    failed(place, "ddd")
    assert [one["number"] for one in place.hosting.issues] == [2]


def test_an_issue_is_closed_with_a_comment_and_a_new_failure_is_a_new_issue(place: Place) -> None:
    close = ("github", "issue", APPLY, "--close", "--text", "As applied, and verified.")
    assert place.promotion(*close) == 0
    assert place.hosting.issues == [], "none is opened to be closed"
    failed(place, "aaa")
    assert place.promotion(*close) == 0
    assert place.hosting.issues[0]["state"] == "closed"
    assert [one["body"] for one in place.hosting.comments[1]] == [f"As applied, and verified. {RUN}\n"]
    failed(place, "bbb")
    assert [one["state"] for one in place.hosting.issues] == ["closed", "open"]


def test_an_issue_shows_what_other_jobs_wrote(place: Place, tmp_path: Path) -> None:
    (tmp_path / "told").mkdir()
    (tmp_path / "told" / "1-verify.md").write_text("### Verify\n@team\n", encoding="utf-8")
    assert place.promotion("github", "issue", APPLY, str(tmp_path / "told"), "--text", "Not passed.") == 0
    assert place.hosting.issues[0]["body"] == f"Not passed. {RUN}\n\n### Verify\n@\u200bteam\n"


def test_in_a_workflow_an_issue_is_marked_as_an_error_too(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    failed(place, "aaa")
    assert f"::error title={APPLY}::Not passed, for commit aaa." in capsys.readouterr().err


def test_hosting_that_is_down_makes_the_job_red_and_the_page_tells_it_all_the_same(place: Place, tmp_path: Path) -> None:
    place.hosting.down = True
    page = tmp_path / "summary.md"
    assert place.promotion("github", "issue", APPLY, "--text", "Not passed.", "--page", str(page)) == 5
    assert "GitHub answered 502 to GET" in page.read_text(encoding="utf-8")
    assert place.hosting.asked == ["GET"] * 3, "asked again, since nothing was written"


def test_what_may_have_been_written_is_not_written_again(place: Place) -> None:
    place.hosting.down = True
    from promotion.errors import Unavailable
    from promotion.hosting.client import GitHub
    from tests.github import TOKEN

    with pytest.raises(Unavailable, match="502 to POST"):
        GitHub("owner/models", TOKEN, place.hosting.url).post("issues", title="a", body="b")
    assert place.hosting.asked == ["POST"]


def test_a_wrong_token_is_told(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GH_TOKEN", "another")
    assert place.promotion("github", "issue", APPLY, "--text", "Not passed.") == 5
    told = capsys.readouterr().err
    assert "GitHub answered 401" in told
    assert "see which rights the token has" in told


def test_without_a_token_it_is_shown_what_would_be_said_and_nothing_is(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GH_TOKEN")
    failed(place, "aaa")
    assert "not sent, since there is no GH_TOKEN" in (told := capsys.readouterr().out)
    assert "Not passed, for commit aaa." in told
    assert place.hosting.asked == []


def test_a_pull_request_gets_one_comment_that_is_edited_in_place(place: Place) -> None:
    pages = {f"2_{number}": f"judged {number}\n" for number in (10, 2, 0)}
    (first,) = comment(place, "--verdict", "Not to be merged.", **{"1": "### Plan"}, **pages)
    assert first == f"{MARK}\nNot to be merged. {RUN}\n\n### Plan\n\njudged 0\n\njudged 2\n\njudged 10\n"
    (second,) = comment(place, "--verdict", "Every gate lets this pass.", **{"1": "### Plan, better"})
    assert "### Plan, better" in second
    assert "Every gate lets this pass." in second


def test_a_comment_of_somebody_else_is_never_edited_whatever_it_begins_with(place: Place) -> None:
    people = [{"id": number, "user": {"login": "mallory"}, "body": f"{MARK} mine {number}"} for number in range(210)]
    place.hosting.comments[7] = [*people, {"id": 900, "user": BOT, "body": "another workflow"}]
    comment(place, **{"1": "first"})
    found = comment(place, **{"1": "second"})
    assert found[:211] == [*(str(one["body"]) for one in people), "another workflow"]
    assert len(found) == 212, "found again on the third page of comments"
    assert "second" in found[211]


def test_without_a_promotion_nothing_is_said_unless_something_was_said_before(place: Place) -> None:
    assert comment(place, "--only-update", **{"1": "nothing"}) == []
    comment(place, **{"1": "something"})
    (found,) = comment(place, "--only-update", **{"1": "nothing any more"})
    assert "nothing any more" in found


def test_a_page_too_long_for_a_comment_is_cut_between_lines_and_its_blocks_are_closed(place: Place) -> None:
    long = "<details>\n\n```text\n" + "ä 🦉 @somebody\n" * 20_000 + "```\n</details>\n"
    (found,) = comment(place, "--verdict", "Not to be merged.", **{"1": long})
    assert MOST - 5_000 < len(found) <= 65_536
    assert found.count("```") == 2
    assert found.count("<details>") == found.count("</details>") == 1
    assert found.startswith(f"{MARK}\nNot to be merged. {RUN}\n\n<details>")
    assert found.endswith("The rest is too long for this place: the run has all of it.\n")
    assert set(found.splitlines()[6:-5]) == {"ä 🦉 @\u200bsomebody"}


def test_what_others_wrote_mentions_nobody_and_hides_no_mark(place: Place) -> None:
    (found,) = comment(place, **{"1": f"@team and model/2@sha256:ab, {MARK} \x00 \u202e @-> 100%s"})
    assert "@\u200bteam and model/2@sha256:ab" in found
    assert found.count(MARK) == 1
    assert found.startswith(MARK)


def test_pages_that_never_came_leave_the_verdict(place: Place) -> None:
    assert comment(place, "--verdict", "Not to be merged.") == [f"{MARK}\nNot to be merged. {RUN}\n"]
