"""What a commit promoted, by its content alone: the bindings that it declares otherwise than its first parent.

So a merge tells what it brought into main, a squashed or rebased commit the same, whatever their titles say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promotion.errors import UsageError
from promotion.repository import desired_at

if TYPE_CHECKING:
    from promotion.domain import Declared
    from promotion.git import Git
    from promotion.repository import Layout


def promoted(git: Git, layout: Layout, ref: str) -> tuple[Declared, ...]:
    """The bindings whose version or pin a commit changed, as it declares them. Raises UsageError for an unknown commit."""
    commit = git.commit(ref)
    after = desired_at(git, commit.sha, layout)
    before = desired_at(git, commit.parents[0], layout) if commit.parents else None
    known = {(one.model, one.environment): (one.version, one.digest) for one in before.bindings} if before else {}
    return tuple(
        one
        for one in (after.bindings if after else ())
        if known.get((one.model, one.environment), (None, None)) != (one.version, one.digest)
    )


def one_of(
    git: Git, layout: Layout, ref: str, *, name: str | None = None, environment: str | None = None, over_later: bool = False
) -> Declared:
    """The one binding that a commit promoted, of a model and in an environment where these are named.

    Raises UsageError when the commit is not in HEAD's history, promoted nothing such, or more than one; and, but for ``over_later``, when
    a later commit declares that binding otherwise.
    """
    sha = git.commit(ref).sha
    if not git.is_ancestor(sha, "HEAD"):
        raise UsageError(f"commit {sha[:12]} is not in the history of this checkout", hint="git log environments.yaml shows those that are")
    all_of_it = promoted(git, layout, sha)
    found = [one for one in all_of_it if name in {None, one.model} and environment in {None, one.environment}]
    told = ", ".join(f"{one.model} {one.environment}={one.version or 'none'}" for one in all_of_it)
    if not found:
        which = " of ".join(one for one in (environment, repr(name) if name else None) if one)
        raise UsageError(
            f"commit {sha[:12]} promoted nothing{f' in {which}' if which else ''}",
            hint=f"it declares {told}" if told else "git log environments.yaml shows the commits that did",
        )
    if len(found) > 1:
        raise UsageError(f"commit {sha[:12]} promoted more than one", hint=f"name the model and the environment of one of: {told}")
    (binding,) = found
    now = desired_at(git, "HEAD", layout)
    later = (
        next((one for one in now.bindings if (one.model, one.environment) == (binding.model, binding.environment)), None) if now else None
    )
    if not over_later and (later is None or (later.version, later.digest) != (binding.version, binding.digest)):
        what = "nothing" if later is None else f"version {later.version}" if later.version else "none"
        raise UsageError(
            f"{binding.environment} of {binding.model!r} was changed after commit {sha[:12]}: it declares {what} by now",
            hint="--over-later runs over that change, while what this commit promoted is still what is applied",
            place=later.place if later else None,
        )
    return binding
