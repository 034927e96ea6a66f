"""The declarations and policies of a repository, from the working tree or as they stand in a commit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from promotion.config.load import Source, load, load_desired, load_policies
from promotion.config.wording import nearest
from promotion.config.yamlsource import MOST_BYTES
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


def check_declared(desired: Desired, model: str) -> None:
    """Raise UsageError, with did-you-mean, for a model that no file declares."""
    if model not in desired.models:
        hint = nearest(model, desired.models) or "none is declared: promotion propose NAME ENVIRONMENT=N --new declares one"
        raise UsageError(f"no file declares {model!r}", hint=hint)


def working_files(git: Git, layout: Layout) -> tuple[Source, ...]:
    """The bytes of the declarations in the working tree; raises UsageError when one is missing."""
    found = []
    for name in layout.files:
        path = git.root / name
        if not path.is_file():
            raise _missing(name, f"in {git.root}")
        found.append(_source(path, name))
    return tuple(found)


def present_files(git: Git, layout: Layout) -> tuple[Source, ...]:
    """The bytes of those declarations that are there in the working tree."""
    return tuple(_source(git.root / name, name) for name in layout.files if (git.root / name).exists())


def policy_files(git: Git, layout: Layout) -> tuple[Source, ...]:
    """The bytes of the policies in the working tree; empty where there are none."""
    folder = git.root / layout.policies
    return tuple(_source(path, f"{layout.policies}/{path.name}") for path in sorted(folder.glob("*.yaml")) if path.is_file())


def write(git: Git, files: Mapping[str, bytes]) -> None:
    """Replace the bytes of files of the working tree (name → bytes), each in one step: a kill leaves the old ones or the new."""
    for name, content in files.items():
        path = (git.root / name).resolve()
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            scratch.write_bytes(content)
            shutil.copymode(path, scratch)
            scratch.replace(path)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise UsageError(
                f"{name} cannot be written: {error.strerror or error}", hint="check the folder and your rights to it"
            ) from error


def create(git: Git, files: Mapping[str, bytes]) -> None:
    """Write new files into the working tree (name → bytes). Raises UsageError at one that is there already."""
    for name, content in files.items():
        path = git.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(content)
        except OSError as error:
            raise UsageError(f"{name} cannot be written: {error.strerror or error}", hint="move it away, and run this again") from error


def _source(path: Path, name: str) -> Source:
    """A file's bytes: of one that is too large, only so many that reading it says so."""
    with path.open("rb") as file:
        return Source(name, file.read(MOST_BYTES + 1))


def at(git: Git, commit: str, layout: Layout) -> Declaration:
    """What a commit declares, read from git's objects; raises as ``working``."""
    return Declaration(*load(committed_files(git, commit, layout), _committed_policies(git, commit, layout)))


def desired_at(git: Git, commit: str, layout: Layout) -> Desired | None:
    """What those of the files declare that a commit has, without its policies; None when it has none of them yet."""
    files = tuple(Source(name, content) for name, content in git.read_many(commit, layout.files).items() if content is not None)
    return load_desired(files) if files else None


def policies_at(git: Git, commit: str, layout: Layout) -> Policies:
    """The rules of a commit, whichever declarations it has; raises UsageError when it has none, InvalidFiles when they are wrong."""
    return load_policies(_committed_policies(git, commit, layout))


def _working_policies(git: Git, layout: Layout) -> tuple[Source, ...]:
    if not (git.root / layout.policies).is_dir():
        raise _no_policies(layout, f"in {git.root}")
    return policy_files(git, layout)


def _committed_policies(git: Git, commit: str, layout: Layout) -> tuple[Source, ...]:
    names = [name for name in git.list(commit, layout.policies) if PurePosixPath(name).suffix == ".yaml"]
    if not names:
        raise _no_policies(layout, f"in commit {commit[:12]}")
    return tuple(Source(name, content) for name, content in git.read_many(commit, names).items() if content is not None)


def committed_files(git: Git, commit: str, layout: Layout) -> tuple[Source, ...]:
    """The bytes of the declarations in a commit; raises UsageError when one is missing."""
    found = []
    for name in layout.files:
        content = git.read(commit, name)
        if content is None:
            raise _missing(name, f"in commit {commit[:12]}")
        found.append(Source(name, content))
    return tuple(found)


def _missing(name: str, where: str) -> UsageError:
    return UsageError(f"there is no {name} {where}", hint="begin with promotion init, which writes it, or name another with --file")


def _no_policies(layout: Layout, where: str) -> UsageError:
    return UsageError(f"there are no policies under {layout.policies}/ {where}", hint="name the right folder with --policies")
