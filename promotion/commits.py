"""Which commit may be applied: the newest of the main branch, as it stands in git, and none older than the last one recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promotion.errors import Conflict, UsageError
from promotion.policies import matches
from promotion.survey import Survey, Workspace

if TYPE_CHECKING:
    from promotion.git import Commit


class NotNewest(Conflict):
    """The checkout is not at the newest commit of the main branch (exit 6)."""


def newest(workspace: Workspace, remote: str | None, branch: str) -> Commit:
    """The newest commit of the main branch, freshly fetched where there is a remote; the checkout must be at it, and clean."""
    git = workspace.git
    head = git.commit("HEAD")
    if remote is not None:
        tip = git.fetch_tip(remote, branch)
        if tip is None:
            raise UsageError(f"{remote} has no branch {branch!r}", hint="push it first, or name another with --branch")
        if tip != head.sha:
            raise NotNewest(
                f"this checkout is at {head.sha[:12]}, but {branch} of {remote} is at {tip[:12]}",
                hint=f"only the newest commit is applied: git checkout {branch} && git pull",
            )
    return _clean(workspace, head)


def at_hand(workspace: Workspace) -> Commit:
    """The commit of this checkout, for when nobody can be asked for a newer one; it must be clean."""
    return _clean(workspace, workspace.git.commit("HEAD"))


def _clean(workspace: Workspace, head: Commit) -> Commit:
    check_clean(workspace, (*workspace.layout.files, workspace.layout.policies), head.sha)
    return head


def check_clean(workspace: Workspace, paths: tuple[str, ...], commit: str) -> None:
    """Raise UsageError when one of these files, folders or shell patterns differs from the commit.

    Declarations, policies and evaluators must be the commit's, or the journal would vouch for what nobody can see.
    """
    changed = workspace.git.dirty(()) if paths else ()
    dirty = [name for name in changed if matches(name, paths) or name.startswith(tuple(f"{path}/" for path in paths))]
    if dirty:
        raise UsageError(f"{', '.join(dirty)} differ from commit {commit[:12]}", hint="commit or stash them: only commits are applied")


def check_order(workspace: Workspace, found: Survey, commit: str, *, allow_older: bool) -> None:
    """Newest wins: a commit that does not descend from the last one recorded is refused."""
    recorded = found.state.recorded
    git = workspace.git
    if recorded is None or recorded == commit or allow_older:
        return
    if not git.contains(recorded):
        raise Conflict(
            f"the last applied commit {recorded[:12]} is not in this repository: main was force-pushed, or this clone is shallow",
            hint="git fetch --unshallow; if main was rewritten on purpose, run reconcile once with --allow-older",
        )
    if git.is_ancestor(recorded, commit):
        return
    if git.is_ancestor(commit, recorded):
        raise Conflict(f"commit {commit[:12]} is older than {recorded[:12]}, which is applied", hint="apply the newest commit: git pull")
    raise Conflict(
        f"commit {commit[:12]} does not descend from {recorded[:12]}, which is applied",
        hint="main was force-pushed or this is another branch; if it is meant, run reconcile once with --allow-older",
    )
