"""Which commit may be applied, by real git: what is refused, with what it says and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from promotion.commits import NotNewest, at_hand, check_clean, check_order, newest
from promotion.errors import Conflict, PromotionError, UsageError
from promotion.git import Git
from promotion.repository import Layout
from promotion.survey import Workspace
from tests.promotion.journal.conftest import Site, git

LAYOUT = Layout(("environments.yaml", "teams/unsw.yaml"), "policies")
EVALUATOR = ("judge/*.py", "lock")
UNKNOWN = "f" * 40
Told = tuple[type[PromotionError], str, str | None]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A clone of an origin with declarations, policies and an evaluator."""
    made = Site(tmp_path)
    made.commit(dict.fromkeys(("README.md", "teams/unsw.yaml", "policies/staging.yaml", "judge/evaluator.py", "lock"), "one\n"))
    return made


def workspace(site: Site) -> Workspace:
    nothing: Any = None
    return Workspace(Git(site.work), LAYOUT, nothing, nothing, None, "ci", nothing, nothing)


def told(call: Callable[[], object]) -> Told | None:
    """How it refuses; None where it does not."""
    try:
        call()
    except PromotionError as error:
        return type(error), error.message, error.hint
    return None


def test_the_commit_at_the_tip_of_the_branch_is_the_newest(site: Site) -> None:
    head = git(site.work, "rev-parse", "HEAD")
    assert newest(workspace(site), "origin", "main").sha == head
    assert newest(workspace(site), None, "main").sha == head
    assert at_hand(workspace(site)).sha == head


def test_a_checkout_beside_the_tip_is_refused_unless_there_is_nobody_to_ask(site: Site) -> None:
    tip = git(site.work, "rev-parse", "HEAD")
    head = site.commit({"README.md": "two\n"}, push=False)
    assert told(lambda: newest(workspace(site), "origin", "main")) == (
        NotNewest,
        f"this checkout is at {head[:12]}, but main of origin is at {tip[:12]}",
        "only the newest commit is applied: git checkout main && git pull",
    )
    assert newest(workspace(site), None, "main").sha == head
    assert at_hand(workspace(site)).sha == head


def test_a_branch_that_the_remote_does_not_have_is_refused(site: Site) -> None:
    assert told(lambda: newest(workspace(site), "origin", "trunk")) == (
        UsageError,
        "origin has no branch 'trunk'",
        "push it first, or name another with --branch",
    )


@pytest.mark.parametrize("name", ["environments.yaml", "teams/unsw.yaml", "policies/staging.yaml", "policies/new.yaml"])
def test_declarations_and_policies_must_be_the_commits(site: Site, name: str) -> None:
    (site.work / name).write_text("two\n")
    refusal = (
        UsageError,
        f"{name} differ from commit {git(site.work, 'rev-parse', 'HEAD')[:12]}",
        "commit or stash them: only commits are applied",
    )
    for call in (
        lambda: newest(workspace(site), "origin", "main"),
        lambda: newest(workspace(site), None, "main"),
        lambda: at_hand(workspace(site)),
    ):
        assert told(call) == refusal


def test_what_is_neither_declared_nor_a_policy_may_differ(site: Site) -> None:
    for name in ("README.md", "judge/evaluator.py", "policies.md", "new.yaml"):
        (site.work / name).write_text("two\n")
    assert told(lambda: newest(workspace(site), "origin", "main")) is None


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("policies",), None),
        (("judge",), "judge/evaluator.py, judge/new.py"),
        (EVALUATOR, "judge/evaluator.py, judge/new.py, lock"),
        (("README.md", "lock"), "lock"),
    ],
)
def test_all_that_differ_are_named_by_file_by_folder_and_by_pattern(site: Site, paths: tuple[str, ...], names: str | None) -> None:
    for name in ("judge/evaluator.py", "judge/new.py", "lock"):
        (site.work / name).write_text("two\n")
    hint = "commit or stash them: only commits are applied"
    expected = names and (UsageError, f"{names} differ from commit {UNKNOWN[:12]}", hint)
    assert told(lambda: check_clean(workspace(site), paths, UNKNOWN)) == expected


def test_where_no_evaluator_is_of_the_repository_git_is_not_asked(site: Site) -> None:
    nothing: Any = None
    assert told(lambda: check_clean(replace(workspace(site), git=nothing), (), UNKNOWN)) is None


def test_a_commit_must_descend_from_the_last_one_recorded(site: Site) -> None:
    old = git(site.work, "rev-parse", "HEAD")
    new = site.commit({"README.md": "two\n"})
    git(site.work, "reset", "-q", "--hard", old)
    beside = site.commit({"README.md": "three\n"}, push=False)

    def order(recorded: str | None, commit: str, *, allow_older: bool = False) -> Told | None:
        found: Any = SimpleNamespace(state=SimpleNamespace(recorded=recorded))
        return told(lambda: check_order(workspace(site), found, commit, allow_older=allow_older))

    assert [order(*one) for one in ((None, new), (new, new), (old, new))] == [None] * 3
    assert order(new, old) == (
        Conflict,
        f"commit {old[:12]} is older than {new[:12]}, which is applied",
        "apply the newest commit: git pull",
    )
    assert order(new, beside) == (
        Conflict,
        f"commit {beside[:12]} does not descend from {new[:12]}, which is applied",
        "main was force-pushed or this is another branch; if it is meant, run reconcile once with --allow-older",
    )
    assert order(UNKNOWN, new) == (
        Conflict,
        f"the last applied commit {UNKNOWN[:12]} is not in this repository: main was force-pushed, or this clone is shallow",
        "git fetch --unshallow; if main was rewritten on purpose, run reconcile once with --allow-older",
    )
    assert [order(one, old, allow_older=True) for one in (new, beside, UNKNOWN)] == [None] * 3
