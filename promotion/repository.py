"""The declarations and policies of a repository, from the working tree or as they stand in a commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from promotion.config.load import Source, load, load_desired
from promotion.errors import UsageError

if TYPE_CHECKING:
    from promotion.domain import Desired
    from promotion.git import Git
    from promotion.policies import Policies


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a repository keeps its declarations and its policies: POSIX paths relative to its root."""

    files: tuple[str, ...] = ("environments.yaml",)
    policies: str = "policies"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a tree of files declares, and the rules that it brings."""

    desired: Desired
    policies: Policies


def working(git: Git, layout: Layout) -> Declaration:
    """What the working tree declares, committed or not.

    Raises InvalidFiles with every problem of every file, UsageError when a file is missing.
    """
    return Declaration(*load(working_files(git, layout), _working_policies(git, layout)))


def working_files(git: Git, layout: Layout) -> tuple[Source, ...]:
    """The bytes of the declarations in the working tree; raises UsageError when one is missing."""
    found = []
    for name in layout.files:
        path = git.root / name
        if not path.is_file():
            raise _missing(name, f"in {git.root}")
        found.append(Source(name, path.read_bytes()))
    return tuple(found)


def at(git: Git, commit: str, layout: Layout) -> Declaration:
    """What a commit declares, read from git's objects; raises as ``working``."""
    return Declaration(*load(_committed_files(git, commit, layout), _committed_policies(git, commit, layout)))


def desired_at(git: Git, commit: str, layout: Layout) -> Desired | None:
    """What a commit declares, without its policies; None when it has none of the files yet."""
    if all(git.read(commit, name) is None for name in layout.files):
        return None
    return load_desired(_committed_files(git, commit, layout))


def _working_policies(git: Git, layout: Layout) -> tuple[Source, ...]:
    folder = git.root / layout.policies
    if not folder.is_dir():
        raise _no_policies(layout, f"in {git.root}")
    return tuple(Source(f"{layout.policies}/{path.name}", path.read_bytes()) for path in sorted(folder.glob("*.yaml")))


def _committed_policies(git: Git, commit: str, layout: Layout) -> tuple[Source, ...]:
    names = [name for name in git.list(commit, layout.policies) if PurePosixPath(name).suffix == ".yaml"]
    if not names:
        raise _no_policies(layout, f"in commit {commit[:12]}")
    return tuple(Source(name, content) for name, content in git.read_many(commit, names).items() if content is not None)


def _committed_files(git: Git, commit: str, layout: Layout) -> tuple[Source, ...]:
    found = []
    for name in layout.files:
        content = git.read(commit, name)
        if content is None:
            raise _missing(name, f"in commit {commit[:12]}")
        found.append(Source(name, content))
    return tuple(found)


def _missing(name: str, where: str) -> UsageError:
    return UsageError(f"there is no {name} {where}", hint="name the right file with --file, or create it (README, 'Your own models')")


def _no_policies(layout: Layout, where: str) -> UsageError:
    return UsageError(f"there are no policies under {layout.policies}/ {where}", hint="name the right folder with --policies")
