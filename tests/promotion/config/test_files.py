"""Files of a working tree: of a huge one only so much is read as refusing it takes, and an edit replaces a file in one step."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from promotion.config.edit import edits
from promotion.config.load import Source, load_desired
from promotion.config.yamlsource import MOST_BYTES
from promotion.errors import InvalidFiles, UsageError
from promotion.git import Git
from promotion.repository import Layout, create, desired_at, working, working_files, write

ENVIRONMENTS = "environments:\n  dev: {alias: dev}\n  live: {stage: Production}\n"
MODELS = "models:\n  {name}:\n    dev:\n      use: 1\n"
RULES = "version: 1\nenvironment: dev\nrules:\n  - gate: formats\n"


@pytest.fixture
def git(tmp_path: Path) -> Git:
    for command in ("init -q -b main", "config user.name Ada", "config user.email ada@example.org"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    return Git(tmp_path)


def commit(git: Git) -> str:
    subprocess.run(["git", "add", "-A"], cwd=git.root, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "x"], cwd=git.root, check=True)
    return git.resolve("HEAD")


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 100_000_000])
def test_of_a_huge_file_only_the_beginning_is_read(git: Git, size: int) -> None:
    with (git.root / "environments.yaml").open("wb") as file:
        file.truncate(size)
    [source] = working_files(git, Layout())
    assert len(source.content) == MOST_BYTES + 1
    with pytest.raises(InvalidFiles) as caught:
        load_desired([source])
    assert [(one.message, one.rule) for one in caught.value.problems] == [("the file has more than 4,000,000 bytes", "too-large")]


def test_a_huge_policy_and_a_huge_commit(git: Git) -> None:
    (git.root / "policies").mkdir()
    (git.root / "environments.yaml").write_text("version: 1\nmodels: {}\n")
    (git.root / "policies" / "dev.yaml").write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(InvalidFiles, match="1 problem"):
        working(git, Layout())


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_plain_file_is_not_there(git: Git, make) -> None:
    make(git.root / "environments.yaml")
    with pytest.raises(UsageError, match="there is no environments"):
        working_files(git, Layout())


def test_a_model_of_the_second_file_is_edited_whose_environments_stand_in_the_first() -> None:
    first = Source("a.yaml", f"version: 1\n{ENVIRONMENTS}{MODELS.format(name='a-a')}".encode())
    second = Source("b.yaml", f"version: 1\n{MODELS.format(name='b-b')}".encode())
    changed = edits((first, second), {("b-b", "dev"): "2"})
    assert changed == {"b.yaml": second.content.replace(b"use: 1", b"use: 2")}
    both = edits((first, second), {("b-b", "dev"): "2", ("a-a", "dev"): "none"})
    assert sorted(both) == ["a.yaml", "b.yaml"]
    with pytest.raises(UsageError, match=r"a\.yaml or b\.yaml does not declare 'b-c'") as caught:
        edits((first, second), {("b-c", "dev"): "2"})
    assert caught.value.hint == "did you mean 'b-b'?"


def test_many_edits_of_one_file_are_those_one_by_one() -> None:
    lines = "".join(f"  m-{number}:  # {number} é\n    staging:\n      use: {number}\n" for number in range(1, 200))
    source = Source("e.yaml", f"version: 1\nmodels:\n{lines}".encode())
    uses = {(f"m-{number}", "staging"): f"{number}@sha256:{number:064x}" for number in range(1, 200, 3)}
    one_by_one = source
    for key, use in uses.items():
        one_by_one = Source("e.yaml", edits((one_by_one,), {key: use})["e.yaml"])
    assert edits((source,), uses) == {"e.yaml": one_by_one.content}


def test_a_write_keeps_mode_and_link_and_leaves_nothing_else(git: Git) -> None:
    target = git.root / "real.yaml"
    target.write_text("old")
    target.chmod(0o640)
    (git.root / "environments.yaml").symlink_to("real.yaml")
    write(git, {"environments.yaml": b"new"})
    assert (git.root / "environments.yaml").is_symlink()
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", 0o640)
    assert sorted(path.name for path in git.root.iterdir()) == [".git", "environments.yaml", "real.yaml"]


def test_nothing_is_created_over_a_file(git: Git) -> None:
    (git.root / "environments.yaml").write_text("mine")
    with pytest.raises(UsageError, match="cannot be written"):
        create(git, {"environments.yaml": b"new"})
    assert (git.root / "environments.yaml").read_text() == "mine"


def test_a_commit_that_has_one_of_two_files_declares_what_that_one_says(git: Git) -> None:
    (git.root / "a.yaml").write_text(f"version: 1\n{ENVIRONMENTS}{MODELS.format(name='a-a')}")
    before = commit(git)
    (git.root / "b.yaml").write_text(f"version: 1\n{MODELS.format(name='b-b')}")
    after = commit(git)
    layout = Layout(("a.yaml", "b.yaml"))
    found = [desired_at(git, one, layout) for one in (before, after)]
    assert [one.models for one in found if one] == [("a-a",), ("a-a", "b-b")]
    assert desired_at(git, before, Layout(("b.yaml",))) is None
