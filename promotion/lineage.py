"""The chain data version → commit → run → model version, as far as it resolves; every missing or contradicting link is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from promotion.gates.interface import Lineage

if TYPE_CHECKING:
    from promotion.domain import ObservedVersion
    from promotion.registry.interface import Run

LINKS = ("data_version", "data_digest", "git_commit")
"""Tags that version and run must both have, with the same values."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_UNFINISHED = frozenset({"FAILED", "KILLED"})


def trace(version: ObservedVersion, run: Run | None, known: Callable[[str], bool], where: str = "this repository") -> Lineage:
    """Follow the tags of a version; ``run`` None: it does not exist. ``known`` tells whether a commit is in the history, and may raise."""
    tags, run_id = version.tags, version.identity.run_id
    breaks = [f"the version has no tag {name}" for name in (*LINKS, "run_id") if not tags.get(name)]
    if tags.get("run_id") and tags["run_id"] != run_id:
        breaks.append(f"the tag run_id says {tags['run_id']}, the registry {run_id or 'none'}")
    if not run_id:
        breaks.append("the version was registered without a run")
    elif run is None:
        breaks.append(f"the run {run_id} does not exist")
    else:
        breaks += _disagreements(tags, run)
    commit = tags.get("git_commit")
    # Only a full hash: a branch or an option in its place would be read as such by git.
    if commit and not (_COMMIT.fullmatch(commit) and known(commit)):
        breaks.append(f"the commit {commit[:64]} is not in {where}'s history")
    return Lineage(tags.get("data_version"), tags.get("data_digest"), commit, run_id, tuple(breaks))


def _disagreements(tags: Mapping[str, str], run: Run) -> list[str]:
    """Where a run and the version that was made from it do not say the same."""
    breaks = [f"the run ended as {run.status}"] if run.status in _UNFINISHED else []
    for name in LINKS:
        said = run.tags.get(name, run.params.get(name))
        if said is None:
            breaks.append(f"the run does not say its {name}")
        elif tags.get(name) and tags[name] != said:
            breaks.append(f"{name} is {tags[name]} of the version, {said} of its run")
    return breaks
