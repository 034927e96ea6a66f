"""Propose versions on a branch of their own: one commit on top of main's newest one, pushed; this checkout stays as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from promotion.config.insert import proposed
from promotion.errors import Conflict, UsageError
from promotion.git import Identity
from promotion.repository import committed_files

if TYPE_CHECKING:
    from promotion.git import Git
    from promotion.repository import Layout


@dataclass(frozen=True, slots=True)
class Proposed:
    """The branch at the remote, and its commit."""

    branch: str
    commit: str


def propose(
    git: Git, layout: Layout, remote: str, main: str, name: str, versions: Mapping[str, str], *, new: bool, at: datetime
) -> Proposed:
    """Push a commit that declares ``versions`` (environment → use) of a model, with nothing else changed.

    Raises UsageError where main declares them already or cannot, Conflict where the branch is there already, Unavailable.
    """
    tip = git.fetch_tip(remote, main)
    if tip is None:
        raise UsageError(f"{remote} has no branch {main!r}", hint="push it first, or name another with --branch")
    before = committed_files(git, tip, layout)
    changed = proposed(before, {(name, environment): use for environment, use in versions.items()}, new_model=new)
    told = " ".join(f"{environment}={use}" for environment, use in versions.items())
    if all(changed.get(one.name, one.content) == one.content for one in before):
        raise UsageError(f"{main} declares {name} {told} already")
    who = Identity.parse(git.user())
    commit = git.commit_tree(git.make_tree(tip, changed), (tip,), f"Propose {name}: {told}\n", who=who, at=at)
    branch = re.sub(r"[^A-Za-z0-9_-]+", "-", f"propose-{name}-{told.replace('=', '-')}").strip("-")
    pushed = git.push(remote, commit, f"refs/heads/{branch}", expected=None)
    if not pushed.accepted:
        raise Conflict(f"{remote} does not take the branch {branch}: {pushed.reason}", hint="it may be proposed already")
    return Proposed(branch, commit)
