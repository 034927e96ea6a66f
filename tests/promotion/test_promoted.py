"""What a commit promoted, found through merges and squashes, by content alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from promotion.errors import UsageError
from promotion.git import Git
from promotion.promoted import one_of, promoted
from promotion.repository import Layout

FILE = "version: 1\nmodels:\n  a:\n    staging:\n      use: {a}\n    production:\n      use: none\n  b:\n    staging:\n      use: {b}\n"


class Repository:
    """A repository whose commits declare versions of two models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.org")

    def git(self, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def declare(self, title: str = "Change", **versions: str) -> str:
        (self.folder / "environments.yaml").write_text(FILE.format(**versions))
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", title)
        return self.git("rev-parse", "HEAD")

    def found(self, ref: str) -> list[tuple[str, str, int | None]]:
        return [(one.model, one.environment, one.version) for one in promoted(Git(self.folder), Layout(), ref)]

    def one(self, ref: str, *, name: str | None = None, over_later: bool = False) -> tuple[str, int | None]:
        found = one_of(Git(self.folder), Layout(), ref, name=name, over_later=over_later)
        return found.model, found.version


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    made.declare(a="1", b="1")
    return made


def test_a_first_commit_promoted_all_that_it_declares_but_none(repository: Repository) -> None:
    assert repository.found("HEAD") == [("a", "staging", 1), ("b", "staging", 1)]


def test_a_merge_tells_what_it_brought_whatever_its_title_says(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "topic")
    repository.declare(a="2", b="1")
    repository.declare(a="2", b="3")
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "--no-ff", "-m", 'Revert "a to 9"', "topic")
    assert repository.found("HEAD") == [("a", "staging", 2), ("b", "staging", 3)]
    assert repository.one("HEAD", name="b") == ("b", 3)
    with pytest.raises(UsageError, match="promoted more than one") as raised:
        repository.one("HEAD")
    assert "a staging=2, b staging=3" in str(raised.value.hint)


def test_a_squash_tells_the_same(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "topic")
    repository.declare(a="2", b="1")
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "--squash", "topic")
    repository.git("commit", "-q", "-m", "Squashed (#7)")
    assert repository.one("HEAD") == ("a", 2)


def test_a_later_change_of_the_same_line_is_not_run_over_unless_told_to(repository: Repository) -> None:
    commit = repository.declare(a="2", b="1")
    repository.declare(a="2", b="5")
    assert repository.one(commit) == ("a", 2), "another model's line is another line"
    repository.declare(a="3", b="5")
    with pytest.raises(UsageError, match="declares version 3 by now"):
        repository.one(commit)
    assert repository.one(commit, over_later=True) == ("a", 2)


def test_what_promotes_nothing_or_is_elsewhere_is_refused(repository: Repository) -> None:
    empty = repository.declare("Revert everything", a="1", b="1")
    with pytest.raises(UsageError, match="promoted nothing"):
        repository.one(empty)
    repository.git("checkout", "-q", "-b", "elsewhere")
    other = repository.declare(a="4", b="1")
    repository.git("checkout", "-q", "main")
    with pytest.raises(UsageError, match="is not in the history"):
        repository.one(other)
